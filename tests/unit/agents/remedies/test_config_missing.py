"""A ConfigMap that was deleted and is still asked for."""

import msgspec
import pytest

from copilot.agents.remedies import REMEDIES
from copilot.causes.config_missing import config_missing
from copilot.domain.action import LARGEST_CONFIG_MAP, RestoreConfigMap, SetEnvSource
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause
from copilot.domain.objects import OwnerReference, epoch_us
from copilot.domain.secrets import MASK
from copilot.domain.surroundings import ConfigMap, DeletedConfigMap, Surroundings
from tests.builders_around import a_config_map, a_workload, with_surroundings
from tests.builders_case import a_case, a_change
from tests.builders_net import drafts_and_notes, the_action
from tests.builders_objects import a_ref, ago
from tests.unit.causes.test_config_missing import a_waiting_pod, reads

REMEDY = REMEDIES[Cause.CONFIG_MISSING]
ROUTES = a_config_map("edge-routes", table="/ -> storefront:8080")


def asks_for(
    deleted: ConfigMap,
    *there: ConfigMap,
    key: str = "",
    says: str = 'configmap "edge-routes" not found',
) -> Case:
    pod = a_waiting_pod(reads("edge-routes", key), says)
    gone = a_change(
        "data.table",
        "x",
        None,
        at=ago(90),
        object=a_ref("ConfigMap", "edge-routes"),
        title="deleted",
    )
    workload = a_workload("billing", spec=pod.spec)
    bare = a_case(pods=[pod], workload=workload, rule=Rule.NOT_READY, changes=[gone])
    seen = DeletedConfigMap(seen_us=epoch_us(ago(90)), config_map=deleted)
    return with_surroundings(bare, Surroundings(config_maps=there, deleted_config_maps=(seen,)))


def test_a_deleted_config_map_is_made_again_as_it_was() -> None:
    case = asks_for(ROUTES)

    action = the_action(case, config_missing(case), REMEDY)

    assert isinstance(action, RestoreConfigMap)
    assert (action.target.kind, action.target.name) == ("ConfigMap", "edge-routes")
    assert action.target.uid == ""
    assert action.data == (("table", "/ -> storefront:8080"),)


def test_the_deleted_one_comes_before_one_of_nearly_that_name() -> None:
    case = asks_for(ROUTES, a_config_map("edge-route", table="x"))

    drafts, _ = drafts_and_notes(case, config_missing(case), REMEDY)

    assert [type(d.action) for d in drafts] == [RestoreConfigMap]


def test_one_that_never_had_the_key_is_not_what_is_meant() -> None:
    other = a_config_map("edge-route", page="x")
    case = asks_for(ROUTES, other, key="page")

    action = the_action(case, config_missing(case), REMEDY)

    assert isinstance(action, SetEnvSource)


def owned(config_map: ConfigMap) -> ConfigMap:
    owner = OwnerReference(kind="Mesh", name="edge", uid="uid-mesh", controller=True)
    meta = msgspec.structs.replace(config_map.metadata, owner_references=[owner])
    return msgspec.structs.replace(config_map, metadata=meta)


def noted(config_map: ConfigMap, value: str) -> ConfigMap:
    meta = msgspec.structs.replace(config_map.metadata, annotations={"last-applied": value})
    return msgspec.structs.replace(config_map, metadata=meta)


@pytest.mark.parametrize(
    ("deleted", "says"),
    [
        pytest.param(a_config_map("edge-routes", url=f"x:{MASK}@db"), "url of it", id="masked"),
        pytest.param(noted(ROUTES, f'"{MASK}"'), "last-applied of it", id="masked-beside-the-data"),
        pytest.param(owned(ROUTES), "Mesh edge, which has to make it", id="made-by-a-controller"),
        pytest.param(
            a_config_map("edge-routes", table="x" * LARGEST_CONFIG_MAP),
            "too large",
            id="unreadable",
        ),
    ],
)
def test_what_cannot_be_made_as_it_was_is_left_to_people(deleted: ConfigMap, says: str) -> None:
    case = asks_for(deleted)

    drafts, notes = drafts_and_notes(case, config_missing(case), REMEDY)

    assert drafts == []
    assert says in notes[0]
