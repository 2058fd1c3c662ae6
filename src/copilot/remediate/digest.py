"""What an approval is bound to. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Base, Operation
from copilot.domain.pull_request import PullDraft
from copilot.remediate.tree import Fields, Tree, encode


def digest(
    *,
    target: ObjectRef,
    base: Base,
    patch: str,
    rollback: str | None,
    operations: Iterable[Operation] = (),
    pull: PullDraft | None = None,
) -> str:
    """64 hex characters over target, base, patch, rollback and operations, and the files where it
    is to be a pull request: any other of these is another."""
    whole: Fields = {
        "target": [target.kind, target.namespace, target.name, target.uid],
        "base": [base.uid, base.generation, base.fields_hash],
        "patch": patch,
        "rollback": rollback,
    }
    if done := [msgspec.json.encode(operation).decode() for operation in operations]:
        whole["operations"] = [*done]
    if pull is not None:
        files: Tree = [[edit.path, edit.before, edit.after] for edit in pull.edits]
        whole["pull"] = [pull.repository, pull.base, files]
    return hashlib.sha256(encode(whole).encode()).hexdigest()
