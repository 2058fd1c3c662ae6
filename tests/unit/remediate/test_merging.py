"""Strategic merge patches and what undoes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.demo.patch import strategic_merge
from copilot.domain.errors import Invalid
from copilot.remediate.merging import holds, inverse, is_same, merged, removed, replaced, whole
from copilot.remediate.tree import Fields, Tree

CONTAINERS: Fields = {
    "containers": [
        {"name": "app", "image": "a", "ports": [{"containerPort": 80}]},
        {"name": "side", "image": "s"},
    ]
}


def undoing(live: Fields, patch: Fields) -> Fields:
    back = inverse(live, patch)
    assert isinstance(back, dict)
    return back


@pytest.mark.parametrize(
    ("live", "patch"),
    [
        pytest.param(CONTAINERS, {"containers": [{"name": "app", "image": "b"}]}, id="by-name"),
        pytest.param(CONTAINERS, {"containers": [removed("name", "side")]}, id="deleted-item"),
        pytest.param(CONTAINERS, {"containers": [{"name": "new", "image": "n"}]}, id="new-item"),
        pytest.param(
            CONTAINERS,
            {"containers": [{"name": "app", "ports": [{"containerPort": 80, "name": "http"}]}]},
            id="ports-of-a-container",
        ),
        pytest.param(
            {"ports": [{"port": 80, "targetPort": 1, "nodePort": 3}]},
            {"ports": [{"port": 80, "targetPort": 2}]},
            id="ports-of-a-service",
        ),
        pytest.param(
            {"ports": [{"port": 53, "targetPort": 1}, {"port": 53, "targetPort": 2}]},
            {"ports": replaced([{"port": 53, "targetPort": 9}])},
            id="a-list-replaced",
        ),
        pytest.param(
            {"template": {"a": 1, "b": {"c": 2}}}, {"template": whole({"d": 4})}, id="whole"
        ),
        pytest.param({"tolerations": [{"key": "a"}]}, {"tolerations": []}, id="atomic-list"),
        pytest.param({}, {"tolerations": [{"key": "a"}]}, id="a-list-that-was-not-there"),
        pytest.param({}, {"affinity": {"nodeAffinity": {"x": 1}}}, id="a-field-that-was-not-there"),
        pytest.param({"hard": {"pods": "1"}}, {"hard": {"pods": None, "cpu": "1"}}, id="entries"),
    ],
)
def test_merging_is_that_of_the_api_and_its_inverse_undoes_it(live: Fields, patch: Fields) -> None:
    after = merged(live, patch)

    assert is_same(after, strategic_merge(live, patch))
    assert is_same(strategic_merge(strategic_merge(live, patch), undoing(live, patch)), live)


def test_taking_back_leaves_alone_what_others_have_added_to_a_map() -> None:
    back = inverse({"resources": {}}, {"resources": {"limits": {"memory": "64Mi"}}})
    later: Fields = {"resources": {"limits": {"memory": "64Mi", "cpu": "1"}}}

    assert merged(later, back) == {"resources": {"limits": {"cpu": "1"}}}


def test_an_ambiguous_list_has_no_inverse() -> None:
    env: Fields = {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}

    with pytest.raises(Invalid, match="env names A twice"):
        inverse(env, {"env": [{"name": "A", "value": "3"}]})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param({"limits": {"m": "1024Mi"}}, {"limits": {"m": "1Gi"}}, True, id="quantities"),
        pytest.param({"limits": {"cpu": "500m"}}, {"limits": {"cpu": "0.5"}}, True, id="cores"),
        pytest.param({"limits": {"cpu": "500m"}}, {"limits": {"cpu": "400m"}}, False, id="less"),
        pytest.param({"data": {"k": "1024Mi"}}, {"data": {"k": "1Gi"}}, False, id="texts"),
        pytest.param({"a": None, "b": {}}, {}, True, id="empty-is-absent"),
        pytest.param({"a": [1, 2]}, {"a": [2, 1]}, False, id="order-of-a-plain-list"),
        pytest.param(
            {"env": [{"name": "a"}, {"name": "b"}]},
            {"env": [{"name": "b"}, {"name": "a"}]},
            True,
            id="order-of-a-list-with-keys",
        ),
    ],
)
def test_what_means_the_same_is_the_same(one: Tree, other: Tree, same: bool) -> None:
    assert is_same(one, other) is same


def test_a_patch_holds_also_where_more_was_filled_in() -> None:
    live: Fields = {"volumes": [{"name": "v", "configMap": {"name": "c", "defaultMode": 420}}]}

    assert holds(live, {"volumes": [{"name": "v", "configMap": {"name": "c"}}]})
    assert not holds(live, {"volumes": [{"name": "v", "configMap": {"name": "d"}}]})


names = st.sampled_from("abc")
values = st.sampled_from(["1", "2"])
variables = st.lists(
    st.fixed_dictionaries({"name": names}, optional={"value": values}),
    unique_by=lambda v: v["name"],
)
edits = st.lists(
    st.one_of(
        st.fixed_dictionaries({"name": names, "value": values}),
        st.builds(lambda name: removed("name", name), names),
    ),
    unique_by=lambda v: str(v["name"]),
    min_size=1,
)


@given(before=variables, edit=edits)
def test_any_edit_of_a_list_can_be_undone(before: list[Tree], edit: list[Tree]) -> None:
    live: Fields = {"env": before}
    patch: Fields = {"env": edit}

    after = strategic_merge(live, patch)

    assert is_same(after, merged(live, patch))
    assert is_same(strategic_merge(after, undoing(live, patch)), live)
