"""The watch survives what API servers do, hands over nothing twice and loses nothing."""

import asyncio
import json
import random
from contextlib import aclosing
from pathlib import Path

import pytest

from copilot.domain.objects import ObjectRef
from copilot.ports import Kind, Named
from tests.builders_kube import (
    Answer,
    ScriptedApi,
    connected,
    following,
    watch_fixture,
)


@pytest.fixture
def api() -> ScriptedApi:
    return ScriptedApi()


async def test_a_list_of_several_pages_is_synced_with_the_last(
    api: ScriptedApi, tmp_path: Path
) -> None:
    for n in range(7):
        api.put(f"p{n}")

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: seen.is_synced)

    assert [len(delta.versions) for delta in seen.deltas] == [3, 3, 1]
    assert [delta.is_synced for delta in seen.deltas] == [False, False, True]


async def test_a_version_says_who_wrote_it_and_carries_no_managed_fields(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.put("p")

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: seen.is_synced)

    (version,) = seen.versions
    assert version.actor == "kubectl"
    assert b"managedFields" not in version.json
    assert json.loads(version.json)["kind"] == "Pod"
    assert version.cluster == "c1"


async def test_changes_and_deletions_follow_the_list(api: ScriptedApi, tmp_path: Path) -> None:
    api.put("p")

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: seen.is_synced)
        api.put("p")
        api.put("q")
        api.delete("p")
        await seen.until(lambda: len(seen.versions) == 4)

    assert [(v.object.name, v.is_deleted) for v in seen.versions] == [
        ("p", False), ("p", False), ("q", False), ("p", True),
    ]  # fmt: skip


async def test_what_comes_at_once_is_handed_over_together(api: ScriptedApi, tmp_path: Path) -> None:
    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: seen.is_synced)
        for n in range(300):
            api.put(f"p{n}")
        await seen.until(lambda: len(seen.versions) == 300)

    assert len(seen.deltas) <= 8
    assert max(len(delta.versions) for delta in seen.deltas) <= 200


async def test_410_in_the_stream_lists_again_and_repeats_nothing(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.put("kept")
    api.put("gone")

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: seen.is_synced)
        api.delete("gone")
        api.put("new")
        api.expire_watches()
        await seen.until(lambda: seen.existing() == api.resource_versions())

    assert sorted((v.object.name, v.is_deleted) for v in seen.versions) == [
        ("gone", False), ("gone", True), ("kept", False), ("new", False),
    ]  # fmt: skip


async def test_what_came_before_an_error_event_in_the_same_chunk_is_kept(
    api: ScriptedApi, tmp_path: Path
) -> None:
    recorded = watch_fixture("watch_pods.jsonl").splitlines(keepends=True)[0]
    api.watches.append(Answer(body=recorded + watch_fixture("watch_410.jsonl")))

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: len(seen.versions) == 2)

    # The list that follows does not know the pod: it vanished.
    assert [(v.resource_version, v.is_deleted) for v in seen.versions] == [
        ("1727", False), ("1727", True),
    ]  # fmt: skip
    assert seen.versions[1].json == seen.versions[0].json


async def test_a_stream_cut_in_half_a_line_repeats_and_loses_nothing(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.put("p")
    api.watches.append(Answer(body=b'{"type":"MODIFIED","object":{"kind":"Po', cut=True))
    api.watches.append(Answer(body=b'{"type":"MODIFIED","object":{"kind":"Po'))
    api.watches.append(Answer(body=b"not json\n"))

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: not api.watches)
        api.put("p")
        await seen.until(lambda: seen.existing() == api.resource_versions())

    assert seen.handed_over() == [("uid-p", "101", False), ("uid-p", "102", False)]


async def test_a_server_that_ends_the_watch_is_watched_on_without_a_list(
    api: ScriptedApi, tmp_path: Path
) -> None:
    bookmark = json.dumps(
        {
            "type": "BOOKMARK",
            "object": {"metadata": {"resourceVersion": "500"}, "spec": {"containers": None}},
        }
    )
    api.watches.append(Answer(body=bookmark.encode() + b"\n"))

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: seen.is_synced)
        while len(api.requests) < 3:
            await asyncio.sleep(0.01)

    assert [r.query.get("resourceVersion") for r in api.requests] == [None, "100", "500"]
    assert seen.versions == []


async def test_a_killed_server_is_a_gap_and_then_followed_on(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.put("kept")
    api.put("gone")

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: seen.is_synced)
        await api.kill()
        await seen.until(lambda: bool(seen.gaps))
        api.delete("gone")
        api.put("new")
        api.expire_watches()
        await api.start()
        await seen.until(lambda: seen.existing() == api.resource_versions())

    assert len(seen.gaps) == 1
    assert seen.gaps[0] == (
        f"no answer from the API server of scripted to list pods:"
        f" cannot connect to 127.0.0.1:{api.port}"
    )
    assert len(set(seen.handed_over())) == len(seen.handed_over()) == 4
    assert seen.deltas[-1].is_synced
    assert seen.deltas[-1].gap is None


async def test_a_forbidden_kind_is_a_gap_that_names_the_right_and_ends_when_it_is_granted(
    api: ScriptedApi, tmp_path: Path
) -> None:
    said = 'pods is forbidden: User "sa" cannot list resource "pods" in API group ""'
    forbidden = json.dumps({"kind": "Status", "code": 403, "message": said}).encode()
    api.lists.extend(Answer(status=403, body=forbidden) for _ in range(3))
    api.put("p")

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: seen.is_synced)

    assert seen.gaps == [
        'sa is not allowed to list pods; grant the verb "list" on "pods" to this account'
    ]
    assert len(seen.versions) == 1


AUTOSCALERS = "/apis/autoscaling/v2/horizontalpodautoscalers"
NOT_SERVED = Answer(status=404, body=b"404 page not found")


async def test_a_kind_that_the_server_has_not_is_no_gap_and_not_listed(tmp_path: Path) -> None:
    api = ScriptedApi(AUTOSCALERS)
    api.lists.extend([NOT_SERVED] * 3)

    async with connected(api, tmp_path) as cluster, following(cluster, Kind.AUTOSCALER) as seen:
        await seen.until(lambda: bool(seen.deltas))
        before_it_was_served = list(seen.deltas)
        api.put("p")
        await seen.until(lambda: seen.is_synced)

    assert [(d.gap, d.is_synced, d.versions) for d in before_it_was_served] == [(None, False, ())]
    assert seen.gaps == []
    assert len(seen.deltas) == 2


async def test_a_gap_is_over_once_the_server_turns_out_not_to_have_the_kind(
    tmp_path: Path,
) -> None:
    api = ScriptedApi(AUTOSCALERS)
    api.lists.extend([Answer(status=403), NOT_SERVED, Answer(status=403)])

    async with connected(api, tmp_path) as cluster, following(cluster, Kind.AUTOSCALER) as seen:
        await seen.until(lambda: seen.is_synced)

    assert [delta.gap is not None for delta in seen.deltas] == [True, False, True, False]


async def test_a_kind_that_was_served_and_is_not_any_more_is_a_gap(tmp_path: Path) -> None:
    api = ScriptedApi(AUTOSCALERS)

    async with connected(api, tmp_path) as cluster, following(cluster, Kind.AUTOSCALER) as seen:
        await seen.until(lambda: seen.is_synced)
        api.lists.extend([NOT_SERVED] * 3)
        api.expire_watches()
        await seen.until(lambda: bool(seen.gaps))

    assert seen.gaps == ["horizontalpodautoscalers does not exist (any more)"]


async def test_what_has_no_pods_is_no_api_server_and_a_gap(tmp_path: Path) -> None:
    api = ScriptedApi(AUTOSCALERS)

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: bool(seen.gaps))

    assert seen.gaps == ["pods does not exist (any more)"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(status=500, body=b"etcd leader changed"), id="500"),
        pytest.param(Answer(status=429, headers={"Retry-After": "1"}), id="429"),
        pytest.param(Answer(status=504), id="504"),
        pytest.param(Answer(status=410), id="410-as-a-status"),
        pytest.param(Answer(body=b'{"items": [{"metadata"'), id="half-a-list"),
        pytest.param(Answer(body=b'{"items": [{"metadata"', cut=True), id="cut-list"),
        pytest.param(Answer(body=b"<html>please log in</html>"), id="not-json"),
    ],
)
async def test_a_failing_server_delays_the_list_and_the_watch_only(
    answer: Answer, api: ScriptedApi, tmp_path: Path
) -> None:
    api.put("p")
    api.lists.append(answer)
    api.watches.append(answer)

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: not api.watches)
        api.put("p")
        await seen.until(lambda: seen.existing() == api.resource_versions())

    assert seen.handed_over() == [("uid-p", "101", False), ("uid-p", "102", False)]


async def test_an_object_that_cannot_be_read_does_not_stop_the_others(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.put("good")
    body = json.dumps(
        {
            "metadata": {"resourceVersion": "101"},
            "items": [{"metadata": {"name": 7}}, *api.pods.values()],
        }
    )
    api.lists.append(Answer(body=body.encode()))

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: seen.is_synced)

    assert [v.object.name for v in seen.versions] == ["good"]


async def test_a_recorded_crash_loop_is_handed_over_version_by_version_and_once(
    api: ScriptedApi, tmp_path: Path
) -> None:
    recorded = watch_fixture("watch_pods.jsonl")
    crashed = [json.loads(line)["object"] for line in recorded.splitlines()]
    api.watches.append(Answer(body=recorded, cut=True))
    listed = {"metadata": {"resourceVersion": "1748"}, "items": [crashed[4]]}
    api.lists.append(Answer(body=b'{"metadata": {"resourceVersion": "1"}, "items": []}'))
    api.lists.append(Answer(body=json.dumps(listed).encode()))

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: sum(delta.is_synced for delta in seen.deltas) == 2)

    assert [v.resource_version for v in seen.versions] == ["1727", "1730", "1736", "1740", "1745"]
    assert {v.actor for v in seen.versions} == {"kube-controller-manager"}
    assert seen.versions[0].owner_uid == crashed[0]["metadata"]["ownerReferences"][0]["uid"]


async def test_recorded_events_that_are_sent_again_are_handed_over_once(tmp_path: Path) -> None:
    api = ScriptedApi(path="/api/v1/events")
    recorded = watch_fixture("watch_events.jsonl")
    api.watches.extend([Answer(body=recorded), Answer(body=recorded)])

    async with connected(api, tmp_path) as cluster, following(cluster, Kind.EVENT) as seen:
        await seen.until(lambda: len(seen.versions) > 0)
        while len(api.requests) < 4:
            await asyncio.sleep(0.01)

    assert len(seen.versions) == len(set(seen.handed_over())) == len(recorded.splitlines())


async def test_a_list_that_breaks_off_after_a_page_loses_nothing(
    api: ScriptedApi, tmp_path: Path
) -> None:
    for n in range(7):
        api.put(f"p{n}")
    api.fail_page(2, Answer(status=500))

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        await seen.until(lambda: seen.is_synced)

    assert seen.existing() == api.resource_versions()
    assert len(seen.versions) == 7


@pytest.mark.parametrize("seed", range(5))
async def test_under_any_mix_of_faults_nothing_is_twice_and_nothing_is_lost(
    seed: int, api: ScriptedApi, tmp_path: Path
) -> None:
    chance = random.Random(seed)

    async with connected(api, tmp_path) as cluster, following(cluster) as seen:
        for _ in range(150):
            await _something_happens(api, chance)
            await asyncio.sleep(chance.random() / 200)
        api.lists.clear()
        api.watches.clear()
        await seen.until(lambda: seen.existing() == api.resource_versions())

    assert len(set(seen.handed_over())) == len(seen.handed_over())


async def _something_happens(api: ScriptedApi, chance: random.Random) -> None:
    name = f"p{chance.randrange(8)}"
    match chance.randrange(12):
        case 0:
            api.cut_streams()
        case 1:
            api.expire_watches()
        case 2:
            api.lists.append(Answer(status=chance.choice((403, 410, 429, 500))))
        case 3:
            api.watches.append(Answer(status=chance.choice((403, 410, 500))))
        case 4:
            api.watches.append(Answer(body=b'{"type":"ADDED","obj', cut=chance.random() < 0.5))
        case 5:
            await api.kill()
            await api.start()
        case 6 | 7 if f"uid-{name}" in api.pods:
            api.delete(name)
        case _:
            api.put(name)


async def test_one_secret_is_followed_by_its_metadata_alone(tmp_path: Path) -> None:
    api = ScriptedApi("/api/v1/namespaces/shop/secrets")
    api.put("db")
    db = ObjectRef(kind="Secret", namespace="shop", name="db")

    async with connected(api, tmp_path) as cluster, aclosing(cluster.watch_named(db)) as deltas:
        first = await anext(deltas)
        api.put("db")
        second = await anext(deltas)

    assert [(d.kind, d.only, d.is_synced) for d in (first, second)] == [
        (Named.SECRET, "shop/db", True),
        (Named.SECRET, "shop/db", False),
    ]
    assert b"spec" not in first.versions[0].json + second.versions[0].json
    for request in api.requests:
        assert request.query["fieldSelector"] == "metadata.name=db"
        assert request.headers["Accept"].startswith("application/json;as=PartialObjectMetadata")
