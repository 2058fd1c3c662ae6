"""What the steps rely on when they create and delete: the same on the fake that stands in for a
cluster in their tests, and on a whole API server (the demo cluster, or a real one)."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from copilot.domain.errors import Conflict, Invalid, NotFound
from copilot.domain.objects import ObjectRef
from copilot.kube import connect
from copilot.ports import Cluster
from tests.a_cluster import RealClock, a_place
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["fake", "server"])
async def seat(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Cluster, str]]:
    """A cluster, and a namespace of our own there."""
    if request.param == "fake":
        yield FakeCluster(FixedClock()), "here"
        return
    async with a_place(tmp_path) as place:
        connected = await connect(
            kubeconfig=str(place.kubeconfig), context=None, name="c1", clock=RealClock()
        )
        yield connected, place.namespace
        await connected.close()


@pytest.fixture
def cluster(seat: tuple[Cluster, str]) -> Cluster:
    return seat[0]


@pytest.fixture
def target(seat: tuple[Cluster, str]) -> ObjectRef:
    """A ConfigMap that does not exist yet."""
    return ObjectRef(kind="ConfigMap", namespace=seat[1], name="made")


def config_map(name: str = "made", **data: str) -> str:
    return json.dumps({"metadata": {"name": name}, "data": data})


async def made_of(cluster: Cluster, target: ObjectRef, **data: str) -> ObjectRef:
    """A ConfigMap, named with its uid."""
    body = await cluster.create(
        target, config_map(target.name, **data), dry_run=False, field_manager="incident-copilot"
    )
    return replace(target, uid=json.loads(body)["metadata"]["uid"])


async def test_what_is_created_is_kept_under_our_name(cluster: Cluster, target: ObjectRef) -> None:
    made = await made_of(cluster, target, key="1")

    after = json.loads(await cluster.get(target))
    assert after["data"] == {"key": "1"}
    assert after["metadata"]["uid"] == made.uid
    assert {e["manager"] for e in after["metadata"]["managedFields"]} == {"incident-copilot"}


async def test_a_dry_run_creates_and_deletes_nothing(cluster: Cluster, target: ObjectRef) -> None:
    kept = await made_of(cluster, replace(target, name="kept"))
    other = replace(target, name="other")

    body = await cluster.create(
        other, config_map("other"), dry_run=True, field_manager="incident-copilot"
    )
    await cluster.delete(kept, dry_run=True)

    assert json.loads(body)["metadata"]["name"] == "other"
    assert await cluster.get(kept)
    with pytest.raises(NotFound):
        await cluster.get(other)


async def test_a_name_may_be_left_to_the_cluster(cluster: Cluster, target: ObjectRef) -> None:
    manifest = json.dumps({"metadata": {"generateName": "made-"}})

    body = await cluster.create(target, manifest, dry_run=True, field_manager="incident-copilot")

    assert json.loads(body)["metadata"]["name"].startswith("made-")


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_name_that_is_taken_is_a_conflict(
    dry_run: bool, cluster: Cluster, target: ObjectRef
) -> None:
    await made_of(cluster, target)

    with pytest.raises(Conflict, match="exists already"):
        await cluster.create(
            target, config_map(), dry_run=dry_run, field_manager="incident-copilot"
        )


async def test_what_is_deleted_is_gone(cluster: Cluster, target: ObjectRef) -> None:
    made = await made_of(cluster, target)
    version = json.loads(await cluster.get(target))["metadata"]["resourceVersion"]

    await cluster.delete(made, resource_version=version, dry_run=False)

    with pytest.raises(NotFound):
        await cluster.get(target)
    with pytest.raises(NotFound):
        await cluster.delete(made, dry_run=False)


async def test_only_the_one_that_was_seen_is_deleted(cluster: Cluster, target: ObjectRef) -> None:
    made = await made_of(cluster, target)
    stranger = replace(target, uid="uid-of-another")

    for wrong, version in ((stranger, ""), (made, "1")):
        with pytest.raises(Conflict, match="has changed since it was read"):
            await cluster.delete(wrong, resource_version=version, dry_run=False)
    with pytest.raises(Invalid, match="by its name alone"):
        await cluster.delete(target, dry_run=False)

    assert await cluster.get(target)
