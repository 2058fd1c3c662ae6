"""What is looked at around an object, and what cannot be."""

import pytest

from copilot.domain.action import Action, SetConfigValue, SetEnv, SetSelector
from copilot.domain.errors import Refused
from copilot.domain.objects import ObjectRef
from copilot.remediate.place import Place
from copilot.remediate.surveying import place_of, watched_of
from tests.builders_workloads import Json, a_config_map, a_service, a_workload, an_object, ref
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster, Trouble

VALUE = SetConfigValue(target=ref("ConfigMap", "cfg"), key="k", value="2")
TO_APP = SetSelector(target=ref("Service"), entries=(("tier", None),))


async def place(action: Action, live: Json, watched: ObjectRef | None, *others: Json) -> Place:
    cluster = FakeCluster(FixedClock())
    for thing in others:
        cluster.put(thing["kind"], thing)
    return await place_of(action, live, watched, cluster)


async def test_who_else_reads_a_value_is_found() -> None:
    reader, watched = a_workload("StatefulSet", "db"), a_workload("StatefulSet", "web")
    stranger = an_object("StatefulSet", "cache", spec={"template": {"spec": {}}})

    found = await place(VALUE, a_config_map(), ref("StatefulSet"), reader, watched, stranger)

    assert found.also == ("StatefulSet shop/db",)


@pytest.mark.parametrize(
    ("workloads", "also"),
    [
        pytest.param([a_workload("StatefulSet")], (), id="the-one-that-is-meant"),
        pytest.param(
            [a_workload("StatefulSet"), {**a_workload("DaemonSet"), "kind": "DaemonSet"}],
            ("StatefulSet shop/web", "DaemonSet shop/web"),
            id="two-get-its-traffic",
        ),
    ],
)
async def test_who_gets_the_traffic_of_a_wider_selector_is_found(
    workloads: list[Json], also: tuple[str, ...]
) -> None:
    assert (await place(TO_APP, a_service(), None, *workloads)).also == also


async def test_what_may_not_be_read_is_remembered() -> None:
    cluster = FakeCluster(FixedClock())
    cluster.troubles.append(Trouble(method="list_objects", error=Refused("not allowed")))
    action = SetEnv(target=ref("Deployment"), container="app", name="A", value="1")

    found = await place_of(action, a_workload(), None, cluster)

    assert found.unseen == ("PodDisruptionBudgets",)


async def test_odd_objects_of_others_stop_nothing() -> None:
    odd = an_object("PodDisruptionBudget", spec={"selector": "all of them"})
    action = SetEnv(target=ref("Deployment"), container="app", name="A", value="1")

    assert (await place(action, a_workload(), None, odd)).budgets == ()


def test_a_workload_of_a_kind_that_cannot_be_read_proves_nothing() -> None:
    app = ObjectRef(kind="App", namespace="shop", name="web")

    assert watched_of(VALUE, a_config_map(), app) is None
    assert watched_of(VALUE, a_config_map(), ref("Deployment")) == ref("Deployment")
