"""What an approval is bound to. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Base, Operation
from copilot.remediate.tree import Fields, encode


def digest(
    *,
    target: ObjectRef,
    base: Base,
    patch: str,
    rollback: str | None,
    operations: Iterable[Operation] = (),
) -> str:
    """64 hex characters over target, base, patch, rollback and operations: any other of these is
    another."""
    whole: Fields = {
        "target": [target.kind, target.namespace, target.name, target.uid],
        "base": [base.uid, base.generation, base.fields_hash],
        "patch": patch,
        "rollback": rollback,
    }
    if done := [msgspec.json.encode(operation).decode() for operation in operations]:
        whole["operations"] = [*done]
    return hashlib.sha256(encode(whole).encode()).hexdigest()
