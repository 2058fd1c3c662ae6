"""How our own changes are recognised on the objects themselves. Pure.

Every patch of ours carries an annotation with a key that is computed, not drawn: a process that
died between patch and record finds it there and knows that its patch is in.
"""

from __future__ import annotations

import hashlib

from copilot.domain.action import Action, ChaosMemory, encode_action
from copilot.domain.incident import IncidentId
from copilot.domain.proposal import Base, Create, Proposal
from copilot.remediate.merging import is_same
from copilot.remediate.tree import Fields, annotation_at, decode, encode

PREFIX = "incident-copilot.io/"
PROPOSAL = f"{PREFIX}proposal"
CHAOS = f"{PREFIX}chaos"
REVERTED = f"{PREFIX}reverted"
TOUCHED = f"{PREFIX}touched"
"""On what is changed beside the action's own object, so that it takes effect."""
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


def key_in(action: Action, patch: str) -> str:
    """The key that this patch (or manifest) of ours writes."""
    return annotation_at(decode(patch), mark_of(action)) or ""


def key_of(proposal: Proposal) -> str:
    """The key that shows on the object that this proposal is in; empty where none is left to
    show it."""
    made = [o.manifest for o in proposal.operations if isinstance(o, Create)]
    written = (proposal.patch, *made)
    return next((key for text in written if (key := key_in(proposal.action, text))), "")


def made_by(proposal: Proposal) -> Fields:
    """What it makes of its own object, empty where it changes one that is there."""
    made = (o for o in proposal.operations if isinstance(o, Create))
    own = (o for o in made if o.target.key == proposal.action.target.key)
    return next((decode(one.manifest) for one in own), {})


def is_as_made(live: Fields, manifest: Fields) -> bool:
    """Whether it still holds what we made it with. Nothing but people's hands changes that of a
    ConfigMap; other kinds are known by their mark alone."""
    return all(is_same(live.get(part), manifest.get(part)) for part in ("data", "binaryData"))
