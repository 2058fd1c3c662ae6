"""The `kubectl` line that does what a plan does. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import assert_never

from copilot.domain.action import (
    Action,
    DeletePod,
    ReplaceClaim,
    RerunJob,
    Restart,
    RestoreConfigMap,
    RollBack,
    SetClaimTemplate,
    SetCordon,
)
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import (
    Create,
    Delete,
    DeleteUnbound,
    Operation,
    Patch,
    ReplaceUnready,
    Resize,
)
from copilot.remediate.tree import Fields, encode


def command_of(action: Action, patch: Fields, operations: tuple[Operation, ...]) -> str:
    """The line; where it takes several, one after the other."""
    is_resized = any(isinstance(operation, Resize) for operation in operations)
    own = () if is_resized else _lines(action, patch)  # its patch only leaves our mark
    lines = [*own, *filter(None, map(_line, operations))]
    stuck = [o.target.name for o in operations if isinstance(o, ReplaceUnready)]
    by_hand = [f" # and delete the pods of {name} that are not ready" for name in stuck]
    bound = [o.target.name for o in operations if isinstance(o, DeleteUnbound)]
    by_hand += [f" # and leave claim {name} where it is bound by then" for name in bound]
    return " && ".join(lines) + "".join(by_hand)


def _lines(action: Action, patch: Fields) -> Iterator[str]:
    """What does the same as the patch; the made-for-it command where there is one."""
    target = action.target
    kind, name = target.kind.lower(), shlex.quote(target.name)
    which = shlex.quote(f"{kind}/{target.name}")
    match action:
        case (
            ReplaceClaim() | SetClaimTemplate() | RestoreConfigMap() | RerunJob() | DeletePod()
        ):  # fmt: skip
            return
        case RollBack():
            yield f"{_kubectl(target)} rollout undo {which} --to-revision={action.to_revision}"
        case Restart():
            yield f"{_kubectl(target)} rollout restart {which}"
        case SetCordon():
            yield f"kubectl {'cordon' if action.is_cordoned else 'uncordon'} {name}"
        case _:
            yield _patch_line(target, encode(patch))


def _line(operation: Operation) -> str:
    target = operation.target
    match operation:
        case Patch():
            return _patch_line(target, operation.patch)
        case Resize():
            return _patch_line(target, operation.patch, "--subresource resize")
        case ReplaceUnready():
            return ""  # which pods that will be shows only then
        case Delete() | DeleteUnbound():
            return f"{_kubectl(target)} delete {target.kind.lower()} {shlex.quote(target.name)}"
        case Create():
            made = shlex.quote(operation.manifest)
            return f"printf %s {made} | {_kubectl(target)} create -f -"
        case _:
            assert_never(operation)


def _patch_line(target: ObjectRef, patch: str, *options: str) -> str:
    how = " ".join((*options, "--type strategic"))
    which = f"{target.kind.lower()} {shlex.quote(target.name)}"
    return f"{_kubectl(target)} patch {which} {how} -p {shlex.quote(patch)}"


def _kubectl(target: ObjectRef) -> str:
    return f"kubectl -n {shlex.quote(target.namespace)}" if target.namespace else "kubectl"
