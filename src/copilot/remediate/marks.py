"""How our own changes are recognised on the objects themselves. Pure.

Every patch of ours carries an annotation with a key that is computed, not drawn: a process that
died between patch and record finds it there and knows that its patch is in.
"""

from __future__ import annotations

import hashlib

from copilot.domain.action import Action, ChaosMemory, encode_action
from copilot.domain.incident import IncidentId
from copilot.domain.proposal import Base
from copilot.remediate.tree import Fields, decode, encode, text_at

PREFIX = "incident-copilot.io/"
PROPOSAL = f"{PREFIX}proposal"
CHAOS = f"{PREFIX}chaos"
REVERTED = f"{PREFIX}reverted"
MANAGER = "incident-copilot"
"""The field manager of our changes."""


def field_manager_of(action: Action) -> str:
    """Under whose name the cluster keeps the change; breaking on purpose has a name of its own."""
    return f"{MANAGER}-chaos" if isinstance(action, ChaosMemory) else MANAGER


def mark_of(action: Action) -> str:
    """The annotation that says which patch of ours is in."""
    return CHAOS if isinstance(action, ChaosMemory) else PROPOSAL


def proposal_key(incident_id: IncidentId, action: Action, base: Base) -> str:
    """16 hex characters: the same for the same action on the same version of the object."""
    parts: Fields = {
        "incident": incident_id,
        "action": encode_action(action),
        "uid": base.uid,
        "generation": base.generation,
        "fields": base.fields_hash,
    }
    return hashlib.sha256(encode(parts).encode()).hexdigest()[:16]


def annotation(live: Fields, name: str) -> str | None:
    """The object's own annotation (or the one a patch sets), None where there is none."""
    return text_at(live, "metadata", "annotations", name)


def key_in(action: Action, patch: str) -> str:
    """The key that this patch of ours writes."""
    return annotation(decode(patch), mark_of(action)) or ""
