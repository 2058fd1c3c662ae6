"""The patch directives that the contract suite does not go into."""

from __future__ import annotations

import pytest

from copilot.demo.failures import ApiFailure
from copilot.demo.kinds import Obj
from copilot.demo.patch import json_patch, merge, strategic_merge

TWO = {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}


@pytest.mark.parametrize(
    ("patch", "names"),
    [
        ({"containers": [{"name": "b", "image": "z"}]}, ["a", "b"]),
        ({"containers": [{"name": "c"}]}, ["c", "a", "b"]),
        ({"containers": [{"name": "b"}, {"name": "c"}]}, ["a", "b", "c"]),
        ({"containers": [{"name": "a", "$patch": "delete"}]}, ["b"]),
        ({"containers": [{"$patch": "replace"}, {"name": "c"}]}, ["c"]),
        (
            {
                "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
                "containers": [{"name": "a"}],
            },
            ["b", "a"],
        ),
    ],
)
def test_lists_keep_the_order_of_a_real_server(patch: Obj, names: list[str]) -> None:
    merged = strategic_merge(TWO, patch)

    assert [container["name"] for container in merged["containers"]] == names


def test_an_item_without_its_merge_key_fails_as_on_a_real_server() -> None:
    with pytest.raises(ApiFailure) as refused:
        strategic_merge(TWO, {"containers": [{"image": "x"}]})

    assert refused.value.code == 500
    assert str(refused.value) == "map: map[image:x] does not contain declared merge key: name"


def test_a_map_can_be_replaced_or_emptied() -> None:
    current = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}

    replaced = strategic_merge(current, {"strategy": {"$patch": "replace", "type": "Recreate"}})
    emptied = strategic_merge(current, {"strategy": {"$patch": "delete"}})
    retained = strategic_merge(current, {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}})

    assert replaced == retained == {"strategy": {"type": "Recreate"}}
    assert emptied == {"strategy": {}}


def test_plain_lists_are_sets_or_replaced() -> None:
    current = {"finalizers": ["a", "b"], "command": ["x", "y"]}

    added = strategic_merge(current, {"finalizers": ["c"], "command": ["z"]})
    removed = strategic_merge(current, {"$deleteFromPrimitiveList/finalizers": ["a"]})

    assert added == {"finalizers": ["a", "b", "c"], "command": ["z"]}
    assert removed["finalizers"] == ["b"]


def test_a_patch_leaves_what_it_was_given_as_it_was() -> None:
    current = {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}
    patch = {"containers": [{"name": "a", "env": [{"name": "X", "value": "2"}]}]}

    strategic_merge(current, patch)
    merge(current, {"containers": None})
    json_patch(current, [{"op": "remove", "path": "/containers/0"}])

    assert current == {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/l/-", "value": 3}], {"l": [1, 2, 3], "m": {"a/b": 1}}),
        ([{"op": "add", "path": "/l/0", "value": 0}], {"l": [0, 1, 2], "m": {"a/b": 1}}),
        ([{"op": "remove", "path": "/m/a~1b"}], {"l": [1, 2], "m": {}}),
        ([{"op": "move", "from": "/l/0", "path": "/n"}], {"l": [2], "m": {"a/b": 1}, "n": 1}),
        ([{"op": "copy", "from": "/l", "path": "/m"}], {"l": [1, 2], "m": [1, 2]}),
        ([{"op": "replace", "path": "/l/1", "value": 9}], {"l": [1, 9], "m": {"a/b": 1}}),
    ],
)
def test_json_patch_follows_the_rfc(operations: list[Obj], result: Obj) -> None:
    assert json_patch({"l": [1, 2], "m": {"a/b": 1}}, operations) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/l/9", "value": 1},
        {"op": "replace", "path": "/nope", "value": 1},
        {"op": "remove", "path": "/l/-1"},
        {"op": "test", "path": "/l/0", "value": 2},
        {"op": "add", "path": "l", "value": 1},
        "nonsense",
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(operation: object) -> None:
    with pytest.raises(ApiFailure):
        json_patch({"l": [1, 2]}, [operation])
