"""What crosses between a role that asks and an agent that answers.

Bodies are the domain's own JSON. Two releases that follow one another run side by side during a
rollout: what is not known is ignored, so a new field has a default, and a new value of a closed set
is understood one release before it is first written (docs/adr/0020-several-of-every-role.md).
"""

from __future__ import annotations

import msgspec

from copilot.domain.case import Case
from copilot.domain.hypothesis import Findings
from copilot.domain.incident import IncidentId

REMAINING_MS = "X-Copilot-Remaining-Ms"
"""How long the asker still waits, in milliseconds from when it sent the question."""
KEY = "Idempotency-Key"
"""The same for a question that is asked again; only with those that act."""
NOT_BEGUN = "X-Copilot-Not-Begun"
"""With a refusal: nothing of it was begun, so that it may be asked again, whatever it is."""

MAX_BYTES = 32 * 2**20
"""Of a question, and of an answer."""


class ContextRequest(msgspec.Struct, frozen=True, kw_only=True):
    incident_id: IncidentId


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A case and what the detective says of it."""

    case: Case
    findings: Findings


class Consulted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking a model; no findings where none is set."""

    findings: Findings | None
