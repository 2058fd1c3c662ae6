"""A message to people elsewhere, sent through an outbox."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from copilot.domain.incident import IncidentId

NotificationId = NewType("NotificationId", int)


class Channel(StrEnum):
    SLACK = "slack"
    JIRA = "jira"


class Delivery(StrEnum):
    DELIVERED = "delivered"
    NOT_DELIVERED = "not_delivered"
    """Surely not: it may be sent again."""
    UNKNOWN = "unknown"
    """It may have arrived: it is marked and never sent again by itself."""
    NOT_SET_UP = "not_set_up"
    """There is no such channel, and nobody said that there is: it is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    id: NotificationId
    incident_id: IncidentId
    channel: Channel
    dedupe_key: str
    title: str
    text: str
    link: str
    attempts: int
    incident_key: str = ""
    """Tells the incident from one with the same number elsewhere (its cluster and when it was
    opened); empty where nobody says."""
    is_sure: bool = True
    """False of one that is left for a channel that may not be there: by a role that cannot know."""
