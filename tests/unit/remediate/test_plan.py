"""Patches and their inverses."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.domain.action import Action, ChaosMemory, RollBack, Scale, SetImage
from copilot.domain.errors import Invalid
from copilot.domain.objects import Container, ResourceRequirements
from copilot.remediate.plan import Near, base_of, holds, plan, with_version
from copilot.remediate.tree import decode
from tests.builders_objects import a_container, a_deployment, a_replica_set
from tests.builders_remediate import TARGET, to_memory
from tests.fakes_cluster import Json, merged


def live(**given: object) -> bytes:
    return msgspec.json.encode(a_deployment(**given))  # type: ignore[arg-type]  # any field


def patch_of(action: Action, body: bytes) -> Json:
    patch: Json = json.loads(plan(action, body, proposal_key="k1").patch)
    return patch


def container_in(patch: Json) -> Json:
    container: Json = patch["spec"]["template"]["spec"]["containers"][0]
    return container


def test_a_memory_patch_sets_the_limit_and_says_whose_it_is() -> None:
    patch = patch_of(to_memory("64Mi"), live())

    assert container_in(patch) == {"name": "app", "resources": {"limits": {"memory": "64Mi"}}}
    assert patch["metadata"]["annotations"] == {"incident-copilot.io/proposal": "k1"}


def test_a_patch_is_canonical_json() -> None:
    text = plan(to_memory("64Mi"), live(), proposal_key="k1").patch

    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_a_request_over_the_new_limit_comes_down_with_it() -> None:
    action = ChaosMemory(target=TARGET, container="app", limit="8Mi")

    resources = container_in(patch_of(action, live()))["resources"]

    assert resources == {"limits": {"memory": "8Mi"}, "requests": {"memory": "8Mi"}}


def test_chaos_has_a_mark_of_its_own() -> None:
    action = ChaosMemory(target=TARGET, container="app", limit="24Mi")

    patch = patch_of(action, live())

    assert patch["metadata"]["annotations"] == {"incident-copilot.io/chaos": "k1"}


def test_the_way_back_removes_a_limit_that_was_not_there() -> None:
    body = live(containers=[a_container(limit=None)])

    back = json.loads(plan(to_memory("64Mi"), body, proposal_key="k1").rollback or "")

    assert container_in(back)["resources"]["limits"] == {"memory": None}
    assert back["metadata"]["annotations"] == {
        "incident-copilot.io/proposal": None,
        "incident-copilot.io/reverted": "k1",
    }


def test_a_container_that_is_not_there_is_refused_by_name() -> None:
    body = live(containers=[a_container("web")])

    with pytest.raises(Invalid, match="no container 'app'; it has: web"):
        plan(to_memory(), body, proposal_key="k1")


def test_what_is_so_already_is_refused() -> None:
    with pytest.raises(Invalid, match="nothing would change"):
        plan(to_memory("32Mi"), live(), proposal_key="k1")


def test_a_rollback_replaces_the_template_without_the_hash_label() -> None:
    earlier = msgspec.json.encode(a_replica_set(revision=3, containers=[a_container(limit="64Mi")]))
    action = RollBack(target=TARGET, to_revision=3, replica_set="oom-demo-5f44895955")

    planned = plan(action, live(), proposal_key="k1", near=Near(replica_set=earlier))
    template = json.loads(planned.patch)["spec"]["template"]

    assert template["$patch"] == "replace"
    assert template["metadata"]["labels"] == {"app": "oom-demo"}
    assert planned.command == ("kubectl -n demo rollout undo deployment/oom-demo --to-revision=3")


def test_a_rollback_drops_what_the_later_template_added() -> None:
    body = live(containers=[a_container(), a_container("sidecar")])
    earlier = msgspec.json.encode(a_replica_set(revision=3))
    action = RollBack(target=TARGET, to_revision=3, replica_set="oom-demo-5f44895955")

    planned = plan(action, body, proposal_key="k1", near=Near(replica_set=earlier))
    after = merged(decode(body), json.loads(planned.patch))

    assert [c["name"] for c in after["spec"]["template"]["spec"]["containers"]] == ["app"]


def test_a_replica_set_of_another_revision_is_refused() -> None:
    earlier = msgspec.json.encode(a_replica_set(revision=5))
    action = RollBack(target=TARGET, to_revision=3, replica_set="oom-demo-5f44895955")

    with pytest.raises(Invalid, match="not revision 3"):
        plan(action, live(), proposal_key="k1", near=Near(replica_set=earlier))


def test_the_command_quotes_hostile_text() -> None:
    action = SetImage(target=TARGET, container="app", image="x'; rm -rf /; echo '")

    command = plan(action, live(), proposal_key="k1").command

    assert "rm -rf" in command
    assert "'\"'\"'" in command


@pytest.mark.parametrize(
    ("changed", "is_same"),
    [
        pytest.param({"resource_version": "999"}, True, id="a-status-write-changes-nothing"),
        pytest.param({"generation": 2}, False, id="a-spec-write-does"),
        pytest.param({"uid": "uid-another"}, False, id="another-object-of-that-name-does"),
    ],
)
def test_the_base_moves_with_what_matters(changed: dict[str, object], is_same: bool) -> None:
    before = a_deployment()
    after = msgspec.structs.replace(
        before, metadata=msgspec.structs.replace(before.metadata, **changed)
    )

    bases = [base_of(to_memory(), msgspec.json.encode(d)) for d in (before, after)]

    assert (bases[0] == bases[1]) is is_same


def test_the_base_covers_the_resources_of_every_container() -> None:
    one = live(containers=[a_container(), a_container("web", limit="64Mi")])
    other = live(containers=[a_container(), a_container("web", limit="96Mi")])

    assert base_of(to_memory(), one).fields_hash != base_of(to_memory(), other).fields_hash


def test_a_version_travels_in_the_patch() -> None:
    patch = plan(to_memory(), live(), proposal_key="k1").patch

    tied = json.loads(with_version(patch, "77"))

    assert tied["metadata"]["resourceVersion"] == "77"
    assert tied["metadata"]["annotations"] == {"incident-copilot.io/proposal": "k1"}


def test_quantities_are_compared_by_what_they_mean() -> None:
    patch = plan(to_memory("1024Mi"), live(), proposal_key="k1").patch
    body = live(containers=[a_container(limit="1Gi")])

    assert holds(decode(body), patch)
    assert not holds(decode(live()), patch)


quantities = st.sampled_from(["16Mi", "48Mi", "64Mi", "100M", "1Gi"])
resources = st.builds(
    ResourceRequirements,
    limits=st.none()
    | st.fixed_dictionaries({}, optional={"memory": quantities, "cpu": st.just("1")}),
    requests=st.none() | st.fixed_dictionaries({}, optional={"memory": quantities}),
)
containers = st.lists(
    st.builds(
        Container,
        name=st.sampled_from(["app", "web", "log"]),
        image=st.sampled_from("ab"),
        resources=resources,
    ),
    min_size=1,
    unique_by=lambda c: c.name,
).filter(lambda cs: any(c.name == "app" for c in cs))
actions = st.one_of(
    st.builds(to_memory, quantities),
    st.builds(
        SetImage, target=st.just(TARGET), container=st.just("app"), image=st.sampled_from("abc")
    ),
    st.builds(Scale, target=st.just(TARGET), replicas=st.integers(1, 5)),
    st.just(RollBack(target=TARGET, to_revision=1, replica_set="oom-demo-5f44895955")),
)


@given(before=containers, earlier=containers, action=actions, replicas=st.integers(0, 4))
def test_patch_then_rollback_restores_the_object(
    before: list[Container], earlier: list[Container], action: Action, replicas: int
) -> None:
    body = live(
        containers=before, replicas=replicas, annotations={"incident-copilot.io/proposal": "a"}
    )
    replica_set = msgspec.json.encode(a_replica_set(containers=earlier))
    try:
        planned = plan(action, body, proposal_key="b", near=Near(replica_set=replica_set))
    except Invalid:
        return

    patched = merged(decode(body), json.loads(planned.patch))
    restored = merged(patched, json.loads(planned.rollback or ""))

    assert holds(patched, planned.patch)
    assert restored["metadata"]["annotations"].pop("incident-copilot.io/reverted") == "b"
    assert tidy(restored) == tidy(decode(body))


def tidy(tree: object) -> object:
    """Without empty maps, which the API server does not keep in resources."""
    if isinstance(tree, dict):
        kept = {key: tidy(value) for key, value in tree.items()}
        return {key: value for key, value in kept.items() if value != {}}
    return [tidy(i) for i in tree] if isinstance(tree, list) else tree
