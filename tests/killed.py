"""A container that was killed at its memory limit, as the watch tells it: the start of many scenes."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from copilot.domain.change import ObjectVersion
from copilot.domain.objects import Deployment, ObjectRef, Pod, controller_of, epoch_us
from copilot.flow import Flow
from copilot.ports import Delta, Kind
from tests.builders_objects import a_container, a_deployment, a_replica_set, an_oom_killed_pod
from tests.fakes import FixedClock

KILLED = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LIMIT = "32Mi"


def soon_after() -> FixedClock:
    """Five seconds after it was killed."""
    return FixedClock(epoch_us(KILLED) + 5_000_000)


def a_tight_deployment() -> Deployment:
    return a_deployment(containers=[a_container(limit=LIMIT)])


def a_delta(kind: Kind, thing: Deployment | Pod, seen_us: int, *, actor: str = "kubectl") -> Delta:
    """The whole list of a kind, of one thing."""
    meta, owner = thing.metadata, controller_of(thing.metadata)
    version = ObjectVersion(
        cluster="home",
        object=ObjectRef(kind=kind, namespace=meta.namespace, name=meta.name, uid=meta.uid),
        resource_version=meta.resource_version,
        generation=meta.generation,
        owner_uid=owner.uid if owner else "",
        actor=actor,
        seen_us=seen_us,
        is_deleted=False,
        json=msgspec.json.encode(thing),
    )
    return Delta(kind=kind, versions=(version,), is_synced=True)


async def sees_it_killed(flow: Flow, clock: FixedClock) -> None:
    """The deployment, its replica set and the killed pod; opens the first incident."""
    for kind, thing in (
        (Kind.DEPLOYMENT, a_tight_deployment()),
        (Kind.REPLICA_SET, a_replica_set(containers=[a_container(limit=LIMIT)])),
        (Kind.POD, an_oom_killed_pod(killed=KILLED)),
    ):
        await flow.observe(a_delta(kind, thing, clock.now_us()))
