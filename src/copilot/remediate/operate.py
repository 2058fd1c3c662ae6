"""Carries out the operations of a proposal; each may be asked for again and does nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, assert_never

from copilot.domain.errors import Conflict, Invalid, NotFound, Refused, Unavailable
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
from copilot.ports import Clock, Cluster
from copilot.remediate.marks import MANAGER, PROPOSAL, is_as_made
from copilot.remediate.merging import holds
from copilot.remediate.operations import is_ending
from copilot.remediate.plan import with_version
from copilot.remediate.resizing import SUBRESOURCE, is_running
from copilot.remediate.sight import has_begun, unready_of
from copilot.remediate.tree import Fields, annotation_at, decode, encode, fields_at, text_at

TRIES = 6
PAUSE_S = 0.2
GONE_S = 60.0
"""How long a deleted object is waited for to be gone, before another takes its name."""
SEEN_S = 10.0
"""How long a controller may take to see a new version."""
RUNS_S = 320.0
"""How long a container that crashes is waited for to run: its back-off is five minutes at most."""
_NAME_CHARS = 50


class _Write(Protocol):
    """`Cluster.patch` or `Cluster.resize`."""

    async def __call__(
        self, ref: ObjectRef, patch: str, /, *, dry_run: bool, field_manager: str
    ) -> bytes: ...


async def operate(
    operation: Operation,
    cluster: Cluster,
    clock: Clock,
    *,
    unless: Callable[[Fields], bool] = lambda _: False,
) -> None:
    """It is done. What is to be deleted is looked at once more with `unless`, each time that its
    version has moved: a claim may be bound, or a pod get ready, between two tries.

    Raises:
        Conflict: somebody else was first with another object of that name, or has changed what
            was to be deleted.
        Refused, BadInput: the cluster says so.
        Unavailable: the cluster does not answer; the next try shows what is done.
    """
    match operation:
        case Delete():
            if await _delete(operation.target, cluster, clock, unless=unless):
                raise Conflict(
                    f"{operation.target} changed since the proposal was made; review it again"
                )
        case DeleteUnbound():
            if not await _delete(operation.target, cluster, clock, unless=_is_bound):
                await _wait_let_go(operation.target, cluster, clock)
        case Create():
            await _create(operation, cluster, clock)
        case Patch():
            await _write(operation.target, operation.patch, cluster.patch, cluster, clock)
        case Resize():
            await _resize(operation, cluster, clock)
        case ReplaceUnready():
            await _replace_unready(operation.target, cluster, clock)
        case _:
            assert_never(operation)


async def undo(operation: Operation, cluster: Cluster, clock: Clock) -> None:
    """What can be taken back of it is; raises as `operate` does."""
    match operation:
        case Patch():
            await _write(operation.target, operation.rollback, cluster.patch, cluster, clock)
        case ReplaceUnready():
            await _replace_unready(operation.target, cluster, clock)
        case Resize():
            await _write(operation.target, operation.rollback, cluster.resize, cluster, clock)
        case Create():
            await _remove(operation, cluster, clock)
        case Delete() | DeleteUnbound():
            return
        case _:
            assert_never(operation)


async def rehearse(operation: Operation, cluster: Cluster) -> bytes | None:
    """The cluster's answer to it with `dryRun=All`: the object as it would be, where it is one
    that is there already.

    A name that is taken cannot be taken again even in a dry run, so another is asked for.

    Raises:
        BadInput, Refused, Conflict, NotFound: it would not be accepted.
    """
    match operation:
        case Delete() | DeleteUnbound():
            await cluster.delete(operation.target, dry_run=True)
            return None
        case Create():
            manifest = _renamed(decode(operation.manifest))
            await cluster.create(operation.target, manifest, dry_run=True, field_manager=MANAGER)
            return None
        case Patch():
            return await cluster.patch(
                operation.target, operation.patch, dry_run=True, field_manager=MANAGER
            )
        case Resize():
            if not await cluster.serves(SUBRESOURCE):
                raise Invalid(
                    "it resizes no pod in place: there is no pods/resize in its discovery"
                )
            return await cluster.resize(
                operation.target, operation.patch, dry_run=True, field_manager=MANAGER
            )
        case ReplaceUnready():
            return None  # which pods that will be shows only then
        case _:
            assert_never(operation)


async def wait_gone(target: ObjectRef, cluster: Cluster, clock: Clock) -> None:
    """Raises: Unavailable where it stays: a finalizer holds it."""
    until_us = clock.now_us() + round(GONE_S * 1_000_000)
    while clock.now_us() < until_us:
        with suppress(Unavailable):
            if await live_of(target, cluster) is None:
                return
        await clock.sleep(PAUSE_S)
    raise Unavailable(f"{target} is deleted, but not gone after {GONE_S:.0f} s")


async def _wait_let_go(target: ObjectRef, cluster: Cluster, clock: Clock) -> None:
    """Raises: Refused where a finalizer holds it, Unavailable where the cluster does not answer."""
    try:
        await wait_gone(target, cluster, clock)
    except Unavailable:
        live = await live_of(target, cluster)
        if live is not None:
            holding = fields_at(live, "metadata").get("finalizers")
            held = ", ".join(map(str, holding)) if isinstance(holding, list) else "something"
            raise Refused(f"{target} is deleted, but {held} holds it") from None


async def wait_ended(job: ObjectRef, cluster: Cluster, clock: Clock) -> None:
    """Of a Job that is sure to fail: none of its pods is still ending. Made anew before, it would
    run beside itself.

    Raises:
        Unavailable: they do not end for long.
    """
    until_us = clock.now_us() + round(GONE_S * 1_000_000)
    while clock.now_us() < until_us:
        with suppress(Unavailable):
            live = await live_of(job, cluster)
            if live is None or not is_ending(live):
                return
        await clock.sleep(PAUSE_S)
    raise Unavailable(f"pods of {job} still end after {GONE_S:.0f} s")


async def live_of(target: ObjectRef, cluster: Cluster) -> Fields | None:
    """Exactly this object as it is, None where it is gone or another has its name."""
    try:
        live = decode(await cluster.get(target))
    except NotFound:
        return None
    is_it = not target.uid or text_at(live, "metadata", "uid") == target.uid
    return live if is_it else None


async def _delete(
    target: ObjectRef,
    cluster: Cluster,
    clock: Clock,
    *,
    unless: Callable[[Fields], bool] = lambda _: False,
) -> bool:
    """Whether it was left as it is."""
    for attempt in range(TRIES):
        if attempt:
            await clock.sleep(PAUSE_S * attempt)
        live = await live_of(target, cluster)
        if live is None or text_at(live, "metadata", "deletionTimestamp") is not None:
            return False
        if unless(live):
            return True
        version = text_at(live, "metadata", "resourceVersion") or ""
        try:
            await cluster.delete(target, resource_version=version, dry_run=False)
        except (Conflict, Unavailable):
            continue  # a status moved its version, or the answer was lost: reading again tells
        except NotFound:
            pass
        return False
    raise Unavailable(f"{target} could not be deleted in {TRIES} tries")


def _is_bound(claim: Fields) -> bool:
    has_volume = text_at(claim, "spec", "volumeName") is not None
    return has_volume or text_at(claim, "status", "phase") != "Pending"


async def _create(operation: Create, cluster: Cluster, clock: Clock) -> None:
    target, wanted = operation.target, annotation_at(decode(operation.manifest), PROPOSAL)
    for attempt in range(TRIES):
        if attempt:
            await clock.sleep(PAUSE_S * attempt)
        live = await live_of(target, cluster)
        if live is not None and annotation_at(live, PROPOSAL) == wanted:
            return
        if live is not None:
            raise Conflict(f"somebody else has made another {target} meanwhile")
        try:
            await cluster.create(target, operation.manifest, dry_run=False, field_manager=MANAGER)
        except (Conflict, Unavailable):
            continue
        return
    raise Unavailable(f"{target} could not be made in {TRIES} tries")


async def _remove(operation: Create, cluster: Cluster, clock: Clock) -> None:
    """Only what is ours, and as we have made it."""
    live = await live_of(operation.target, cluster)
    manifest = decode(operation.manifest)
    if live is None or annotation_at(live, PROPOSAL) != annotation_at(manifest, PROPOSAL):
        return
    target = operation.target
    uid = text_at(live, "metadata", "uid") or ""
    exactly = ObjectRef(kind=target.kind, namespace=target.namespace, name=target.name, uid=uid)
    if await _delete(exactly, cluster, clock, unless=lambda now: not is_as_made(now, manifest)):
        raise Refused(f"somebody else has changed {target} since")


async def _resize(operation: Resize, cluster: Cluster, clock: Clock) -> None:
    """At a moment when it runs, see `is_running`; in back-off that moment may be minutes away."""
    until_us = clock.now_us() + round(RUNS_S * 1_000_000)
    while clock.now_us() < until_us:
        with suppress(Unavailable):
            live = await live_of(operation.target, cluster)
            if live is None or is_running(live, operation):
                break
        await clock.sleep(PAUSE_S)
    await _write(operation.target, operation.patch, cluster.resize, cluster, clock)


async def _write(
    target: ObjectRef, patch: str, write: _Write, cluster: Cluster, clock: Clock
) -> None:
    for attempt in range(TRIES):
        if attempt:
            await clock.sleep(PAUSE_S * attempt)
        live = await live_of(target, cluster)
        if live is None:
            raise NotFound(f"{target} does not exist any more")
        if holds(live, decode(patch)):
            return
        version = text_at(live, "metadata", "resourceVersion") or ""
        try:
            await write(target, with_version(patch, version), dry_run=False, field_manager=MANAGER)
        except (Conflict, Unavailable):
            continue
        return
    raise Unavailable(f"{target} could not be patched in {TRIES} tries")


async def _replace_unready(target: ObjectRef, cluster: Cluster, clock: Clock) -> None:
    until_us = clock.now_us() + round(SEEN_S * 1_000_000)
    while not await has_begun(target, cluster) and clock.now_us() < until_us:
        await clock.sleep(PAUSE_S)
    for pod in await unready_of(target, cluster):
        await _delete(pod, cluster, clock)


def _renamed(manifest: Fields) -> str:
    metadata = {k: v for k, v in fields_at(manifest, "metadata").items() if k != "name"}
    name = (text_at(manifest, "metadata", "name") or "")[:_NAME_CHARS]
    return encode({**manifest, "metadata": {**metadata, "generateName": f"{name}-"}})
