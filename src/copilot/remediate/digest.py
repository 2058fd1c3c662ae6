"""What an approval is bound to. Pure."""

from __future__ import annotations

import hashlib

from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Base
from copilot.remediate.tree import encode


def digest(*, target: ObjectRef, base: Base, patch: str, rollback: str | None) -> str:
    """64 hex characters over target, base, patch and rollback: any other of these is another."""
    whole = encode(
        {
            "target": [target.kind, target.namespace, target.name, target.uid],
            "base": [base.uid, base.generation, base.fields_hash],
            "patch": patch,
            "rollback": rollback,
        }
    )
    return hashlib.sha256(whole.encode()).hexdigest()
