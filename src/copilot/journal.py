"""One move of an incident, told everywhere in the same transaction.

The timeline tells people, the audit chain proves it, the feed moves the screens, and the outbox
tells those who are elsewhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from copilot.domain.incident import EntryKind, Incident, IncidentId, TimelineEntry
from copilot.domain.notification import Channel, Notification, NotificationId
from copilot.ports import NewEntry, Session

SYSTEM = "incident-copilot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """Writes to the session it is given; keeps nothing itself."""

    cluster: str
    channels: tuple[Channel, ...] = ()
    knows_channels: bool = True
    """Whether these are set up; else they are all that there may be."""
    link_base: str = ""

    async def tell(
        self,
        tx: Session,
        incident_id: IncidentId,
        kind: EntryKind,
        title: str,
        *,
        at_us: int,
        actor: str = SYSTEM,
        detail: str = "",
        evidence: tuple[str, ...] = (),
        happened_us: int = 0,
        audit: str = "",
    ) -> TimelineEntry:
        """Add a line to the timeline; `audit` names the act where it is one.

        `happened_us` is when it took place, where that was before now.
        """
        entry = await tx.incidents.add_entry(
            incident_id,
            NewEntry(
                ts_us=happened_us or at_us,
                kind=kind,
                actor=actor,
                title=title,
                detail=detail,
                evidence=evidence,
            ),
        )
        if audit:
            told = title if not detail else f"{title}: {detail}"
            await self.prove(tx, incident_id, audit, told, at_us=at_us, actor=actor)
        await self.moved(tx, "timeline.added", incident_id, at_us)
        return entry

    async def prove(
        self, tx: Session, incident_id: IncidentId, act: str, detail: str, *, at_us: int, actor: str
    ) -> None:
        """Add an act to the audit chain of the incident."""
        await tx.audit.append(
            chain=f"incident-{incident_id}",
            ts_us=at_us,
            actor=actor,
            action=act,
            object=f"INC-{incident_id}",
            detail=detail,
        )

    async def moved(
        self, tx: Session, kind: str, incident_id: IncidentId | None, at_us: int
    ) -> None:
        """Let the screens know that something of this kind has changed."""
        await tx.feed.append(cluster=self.cluster, ts_us=at_us, kind=kind, incident_id=incident_id)

    async def notify(
        self, tx: Session, incident: Incident, occasion: str, text: str, *, at_us: int
    ) -> None:
        """Queue a message on every channel, once for each occasion of an incident."""
        for channel in self.channels:
            key = f"{channel}:{self.cluster}:{incident.id}:{occasion}"
            await tx.outbox.put(
                Notification(
                    id=NotificationId(0),
                    incident_id=incident.id,
                    channel=channel,
                    dedupe_key=hashlib.blake2b(key.encode(), digest_size=16).hexdigest(),
                    title=f"INC-{incident.id} {incident.title}",
                    text=text,
                    link=f"{self.link_base}/incident/?id={incident.id}",
                    attempts=0,
                    incident_key=f"{self.cluster}/{incident.opened_us}",
                    is_sure=self.knows_channels,
                ),
                due_us=at_us,
            )
