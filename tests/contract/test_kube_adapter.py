"""The Kubernetes adapter against a whole API server: the demo cluster, or a real one
(`COPILOT_TEST_KUBECONFIG`). Nothing in here knows which."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from copilot.domain.attributes import MEMORY_PEAK, MEMORY_WORKING_SET
from copilot.domain.errors import BadInput, Conflict, Invalid, NotFound, Refused
from copilot.domain.event import Point
from copilot.domain.objects import ContainerState, ContainerStatus, Deployment, ObjectRef, Pod
from copilot.kube import KubeCluster, connect
from copilot.ports import Kind
from copilot.roles.runs import failed_runs
from tests.a_cluster import Place, RealClock, Relay, a_place
from tests.builders_kube import Follower, following

LIMIT = 32 * 2**20

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with a_place(tmp_path) as found:
        yield found


@pytest.fixture
async def cluster(place: Place) -> AsyncIterator[KubeCluster]:
    connected = await connect(
        kubeconfig=str(place.kubeconfig), context=None, name="c1", clock=RealClock()
    )
    yield connected
    await connected.close()


def a_deployment(name: str = "oom-demo", limit: str = "32Mi", replicas: int = 1) -> dict[str, Any]:
    """The pattern of the OOM demo: grows by 2 MiB each 200 ms up to 48 MiB."""
    labels = {"app": name}
    container = {
        "name": "app",
        "image": "docker.io/lab/oom-demo:1",
        "imagePullPolicy": "Never",
        "command": ["/bin/memhog", "2", "200", "48"],
        "resources": {"requests": {"memory": "16Mi", "cpu": "10m"}, "limits": {"memory": limit}},
    }
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
    }
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def a_config_map(name: str, value: str = "1") -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": {"key": value}}


def ref(place: Place, name: str = "oom-demo", kind: str = "Deployment") -> ObjectRef:
    return ObjectRef(kind=kind, namespace=place.namespace, name=name)


def memory_patch(limit: str, **metadata: str) -> str:
    container = {"name": "app", "resources": {"limits": {"memory": limit}}}
    spec = {"template": {"spec": {"containers": [container]}}}
    return json.dumps({"metadata": metadata, "spec": spec})


def limit_of(body: bytes) -> str:
    deployment = msgspec.json.decode(body, type=Deployment)
    (container,) = deployment.spec.template.spec.containers or []
    assert container.resources is not None
    assert container.resources.limits is not None
    return container.resources.limits["memory"]


# ------------------------------------------------------------------ reading


async def test_the_server_says_its_version(place: Place, cluster: KubeCluster) -> None:
    info = await cluster.info()

    assert info.name == "c1"
    assert info.version.startswith("v1.")
    assert info.is_demo is not place.is_real


@pytest.mark.parametrize("kind", list(Kind))
async def test_every_kind_can_be_listed_and_says_what_it_is(
    kind: Kind, cluster: KubeCluster
) -> None:
    listed = [json.loads(item) for item in await cluster.list_objects(kind)]

    assert {item["kind"] for item in listed} <= {kind.value}
    assert all(item["apiVersion"] and item["metadata"]["uid"] for item in listed)
    assert kind not in (Kind.NODE, Kind.NAMESPACE) or listed


@pytest.mark.parametrize("kind", list(Kind))
async def test_what_is_listed_can_be_read_by_its_name(kind: Kind, cluster: KubeCluster) -> None:
    listed = [json.loads(item)["metadata"] for item in await cluster.list_objects(kind)]

    # The last by name, too: `system:...`, where there are such roles.
    for metadata in (*listed[:1], *listed[-1:]):
        found = ObjectRef(kind=kind, namespace=metadata.get("namespace", ""), name=metadata["name"])
        assert json.loads(await cluster.get(found))["metadata"]["uid"] == metadata["uid"]


async def test_a_list_keeps_to_its_namespace_and_selector(
    place: Place, cluster: KubeCluster
) -> None:
    for name in ("a", "b"):
        await place.create("apps/v1/deployments", a_deployment(name, replicas=0))

    in_all = await cluster.list_objects(Kind.DEPLOYMENT, place.namespace)
    selected = await cluster.list_objects(Kind.DEPLOYMENT, place.namespace, "app=b")

    assert len(in_all) == 2
    assert [json.loads(item)["metadata"]["name"] for item in selected] == ["b"]


async def test_what_does_not_exist_is_not_found(place: Place, cluster: KubeCluster) -> None:
    with pytest.raises(NotFound, match=f"Deployment {place.namespace}/oom-demo does not exist"):
        await cluster.get(ref(place))


async def test_a_wrong_token_is_refused_and_never_called_missing(
    place: Place, tmp_path: Path
) -> None:
    path = place.kubeconfig_with(tmp_path, token="wrong")
    stranger = await connect(kubeconfig=str(path), context=None, name=None, clock=RealClock())

    with pytest.raises(Refused, match="does not accept our credentials"):
        await stranger.list_objects(Kind.POD)
    await stranger.close()


async def test_a_missing_right_is_named_and_a_gap_of_the_watch(
    place: Place, tmp_path: Path
) -> None:
    if not place.is_real:
        pytest.skip("the demo cluster has no RBAC; COPILOT_TEST_KUBECONFIG names a real one")
    await place.create("v1/serviceaccounts", {"metadata": {"name": "nobody"}})
    answer = await place.create("v1/serviceaccounts/nobody/token", {"spec": {}})
    path = place.kubeconfig_with(tmp_path, token=answer["status"]["token"])
    nobody = await connect(kubeconfig=str(path), context=None, name=None, clock=RealClock())

    with pytest.raises(Refused) as refused:
        await nobody.list_objects(Kind.POD, place.namespace)
    async with following(nobody) as seen:
        await seen.until(lambda: bool(seen.gaps))
    await nobody.close()

    assert refused.value.message == (
        f"system:serviceaccount:{place.namespace}:nobody is not allowed to list pods in namespace"
        f" {place.namespace};"
        ' grant the verb "list" on "pods" to this account'
    )
    assert "is not allowed to list pods;" in seen.gaps[0]


# ------------------------------------------------------------------ patching


async def test_a_dry_run_gives_the_merged_object_and_changes_nothing(
    place: Place, cluster: KubeCluster
) -> None:
    await place.create("apps/v1/deployments", a_deployment(replicas=0))
    before = await cluster.get(ref(place))

    merged = await cluster.patch(
        ref(place), memory_patch("64Mi"), dry_run=True, field_manager="incident-copilot"
    )

    assert limit_of(merged) == "64Mi"
    assert b"/bin/memhog" in merged
    after = await cluster.get(ref(place))
    assert limit_of(after) == "32Mi"
    assert json.loads(after)["metadata"]["generation"] == 1
    assert limit_of(before) == "32Mi"


async def test_a_patch_is_kept_under_our_name(place: Place, cluster: KubeCluster) -> None:
    await place.create("apps/v1/deployments", a_deployment(replicas=0))

    await cluster.patch(
        ref(place), memory_patch("64Mi"), dry_run=False, field_manager="incident-copilot"
    )

    after = json.loads(await cluster.get(ref(place)))
    managers = {entry["manager"] for entry in after["metadata"]["managedFields"]}
    assert after["metadata"]["generation"] == 2
    assert "incident-copilot" in managers


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_stale_resource_version_is_a_conflict(
    dry_run: bool, place: Place, cluster: KubeCluster
) -> None:
    made = await place.create("apps/v1/deployments", a_deployment(replicas=0))
    old = made["metadata"]["resourceVersion"]
    await cluster.patch(ref(place), memory_patch("48Mi"), dry_run=False, field_manager="other")

    patch = memory_patch("64Mi", resourceVersion=old)
    with pytest.raises(Conflict, match="has changed since it was read"):
        await cluster.patch(ref(place), patch, dry_run=dry_run, field_manager="incident-copilot")

    assert limit_of(await cluster.get(ref(place))) == "48Mi"


@pytest.mark.parametrize(
    ("patch", "field", "said"),
    [
        pytest.param(
            memory_patch("1Mi"),
            "spec.template.spec.containers[0].resources.requests",
            "must be less than or equal to memory limit of 1Mi",
            id="a-request-over-the-limit",
        ),
        pytest.param('{"spec": {"replica": 2}}', None, 'unknown field "spec.replica"', id="typo"),
    ],
)
async def test_what_the_cluster_does_not_accept_is_named_in_one_line(
    patch: str, field: str | None, said: str, place: Place, cluster: KubeCluster
) -> None:
    await place.create("apps/v1/deployments", a_deployment(replicas=0))

    with pytest.raises(Invalid) as refused:
        await cluster.patch(ref(place), patch, dry_run=True, field_manager="incident-copilot")

    assert refused.value.message.endswith(said)
    assert len(refused.value.message) < 300
    assert field is None or refused.value.detail == {"field": field}


async def test_a_patch_of_what_does_not_exist_is_not_found(
    place: Place, cluster: KubeCluster
) -> None:
    with pytest.raises(NotFound):
        await cluster.patch(
            ref(place), memory_patch("64Mi"), dry_run=True, field_manager="incident-copilot"
        )


# ------------------------------------------------------------------ creating and deleting


async def test_what_a_deployment_owns_goes_with_it(place: Place, cluster: KubeCluster) -> None:
    body = json.dumps(a_deployment(replicas=1))
    after = json.loads(
        await cluster.create(ref(place), body, dry_run=False, field_manager="incident-copilot")
    )
    target = ObjectRef(
        kind="Deployment",
        namespace=place.namespace,
        name="oom-demo",
        uid=after["metadata"]["uid"],
    )
    await counted(cluster, place, Kind.REPLICA_SET, count=1)

    await cluster.delete(target, dry_run=False)

    await counted(cluster, place, Kind.REPLICA_SET, count=0)


async def counted(cluster: KubeCluster, place: Place, kind: Kind, *, count: int) -> None:
    while len(await cluster.list_objects(kind, place.namespace)) != count:
        await asyncio.sleep(0.1)


async def test_a_field_that_nobody_knows_is_not_created(place: Place, cluster: KubeCluster) -> None:
    manifest = json.dumps({**a_deployment(), "spek": {}})

    with pytest.raises(BadInput, match='unknown field "spek"'):
        await cluster.create(ref(place), manifest, dry_run=True, field_manager="incident-copilot")


# ------------------------------------------------------------------ watching


async def test_a_watch_lists_first_and_then_follows_every_change_once(
    place: Place, cluster: KubeCluster
) -> None:
    await place.create("v1/configmaps", a_config_map("before"))

    async with following(cluster, Kind.CONFIG_MAP) as seen:
        await seen.until(lambda: seen.is_synced)
        await place.create("v1/configmaps", a_config_map("after"))
        await cluster.patch(
            ref(place, "before", "ConfigMap"),
            '{"data": {"key": "2"}}',
            dry_run=False,
            field_manager="incident-copilot",
        )
        await place.delete("v1/configmaps/after")
        await seen.until(lambda: any(v.is_deleted for v in ours(seen, place)))

    story = [(v.object.name, v.is_deleted) for v in ours(seen, place, "before", "after")]
    assert story == [("before", False), ("after", False), ("before", False), ("after", True)]
    patched = [v for v in ours(seen, place) if v.actor == "incident-copilot"]
    assert [v.object.name for v in patched] == ["before"]
    assert not any(b"managedFields" in v.json for v in seen.versions)
    assert len(set(seen.handed_over())) == len(seen.handed_over())


async def test_a_lost_connection_is_a_gap_and_loses_and_repeats_nothing(
    place: Place, tmp_path: Path
) -> None:
    for name in ("kept", "changed", "gone"):
        await place.create("v1/configmaps", a_config_map(name))
    relay = Relay(place.server)
    await relay.mend()
    path = place.kubeconfig_with(tmp_path, server=relay.url)
    cluster = await connect(kubeconfig=str(path), context=None, name="c1", clock=RealClock())

    async with following(cluster, Kind.CONFIG_MAP) as seen:
        await seen.until(lambda: seen.is_synced)
        await relay.cut()
        await place.delete("v1/configmaps/gone")
        await place.create("v1/configmaps", a_config_map("new"))
        await place.call(
            "PUT", place.root("v1/configmaps/changed"), a_config_map("changed", value="2")
        )
        await seen.until(lambda: bool(seen.gaps))
        await relay.mend()
        await seen.until(lambda: seen.deltas[-1].gap is None)
        await seen.until(lambda: len(ours(seen, place, *STORY)) == 6)
    await cluster.close()
    await relay.cut()

    assert sorted((v.object.name, v.is_deleted) for v in ours(seen, place, *STORY)) == [
        ("changed", False), ("changed", False), ("gone", False), ("gone", True),
        ("kept", False), ("new", False),
    ]  # fmt: skip
    assert len(set(seen.handed_over())) == len(seen.handed_over())


STORY = ("kept", "changed", "gone", "new")


def ours(seen: Follower, place: Place, *names: str) -> list[Any]:
    return [
        v
        for v in seen.versions
        if v.object.namespace == place.namespace and (not names or v.object.name in names)
    ]


# ------------------------------------------------------------------ a container that is killed


async def test_a_kill_for_memory_is_seen_and_its_log_can_be_read(
    place: Place, cluster: KubeCluster
) -> None:
    async with following(cluster) as seen:
        await place.create("apps/v1/deployments", a_deployment())
        await until(lambda: bool(kills(seen, place)), seen)
        run = failed_runs(kills(seen, place)[-1])[0]
        lines = await cluster.logs(
            run.pod, "app", previous=not run.is_current, max_bytes=256 * 1024
        )

    assert run.app == "oom-demo"
    assert "cache grew" in lines[-1]
    assert all(line[:2] == "20" and line[10] == "T" for line in lines)
    last_mib = json.loads(lines[-1].partition(" ")[2])["allocated_mib"]
    assert 20 <= last_mib <= 32


async def test_a_kill_shows_as_137_and_loops(place: Place, cluster: KubeCluster) -> None:
    async with following(cluster) as seen:
        await place.create("apps/v1/deployments", a_deployment())
        await until(lambda: bool(kills(seen, place)), seen)

    status = (kills(seen, place)[-1].status.container_statuses or [ContainerStatus(name="")])[0]
    ended = [
        state.terminated
        for state in (status.state or ContainerState(), status.last_state or ContainerState())
        if state.terminated
    ]
    assert {(end.reason, end.exit_code) for end in ended} == {("OOMKilled", 137)}
    assert all(end.container_id and end.finished_at for end in ended)


async def test_there_is_no_previous_log_before_the_first_restart(
    place: Place, cluster: KubeCluster
) -> None:
    async with following(cluster) as seen:
        await place.create("apps/v1/deployments", a_deployment(limit="128Mi"))
        await until(lambda: any(is_running(pod) for pod in pods(seen, place)), seen)
        pod = ref(place, pods(seen, place)[-1].metadata.name, "Pod")

        with pytest.raises(NotFound):
            await cluster.logs(pod, "app", previous=True, max_bytes=1000)
        with pytest.raises(NotFound):
            await cluster.logs(pod, "no-such", previous=False, max_bytes=1000)


async def test_of_a_log_the_last_lines_are_kept(place: Place, cluster: KubeCluster) -> None:
    async with following(cluster) as seen:
        await place.create("apps/v1/deployments", a_deployment(limit="128Mi"))
        await until(lambda: any(is_running(pod) for pod in pods(seen, place)), seen)
        pod = ref(place, pods(seen, place)[-1].metadata.name, "Pod")

        whole = await log_with(cluster, pod, '"allocated_mib":48', max_bytes=100_000)
        tail = await cluster.logs(pod, "app", previous=False, max_bytes=500)

    assert 0 < len(tail) < len(whole)
    assert whole[-len(tail) :] == tail


async def test_the_kubelet_tells_of_memory_and_of_the_peak_of_a_killed_pod(
    place: Place, cluster: KubeCluster
) -> None:
    await place.create("apps/v1/deployments", a_deployment())
    await place.create("apps/v1/deployments", a_deployment("roomy", limit="128Mi"))
    nodes = [json.loads(n)["metadata"]["name"] for n in await cluster.list_objects(Kind.NODE)]

    peak = working_set = 0.0
    async with asyncio.timeout(55):
        while peak < LIMIT or working_set < 40 * 2**20:
            points = [point for node in nodes for point in await cluster.usage(node)]
            peak = max(peak, highest(points, MEMORY_PEAK, place, "oom-demo"))
            working_set = max(working_set, highest(points, MEMORY_WORKING_SET, place, "roomy"))
            await asyncio.sleep(2)

    assert LIMIT <= peak < LIMIT + 2**16  # a kernel may count a few pages beyond it


def highest(points: list[Point], name: str, place: Place, app: str) -> float:
    found = [
        point.value
        for point in points
        if point.name == name
        and point.stream.namespace == place.namespace
        and point.stream.pod.startswith(app)
    ]
    return max(found, default=0.0)


async def log_with(
    cluster: KubeCluster, pod: ObjectRef, text: str, *, max_bytes: int
) -> tuple[str, ...]:
    """The log once its last line contains the text."""
    async with asyncio.timeout(30):
        while True:
            lines = await cluster.logs(pod, "app", previous=False, max_bytes=max_bytes)
            if lines and text in lines[-1].partition(" ")[2]:
                return lines
            await asyncio.sleep(0.5)


async def until(condition: Callable[[], bool], seen: Follower) -> None:
    """Real containers take their time."""
    for _ in range(4):
        try:
            await seen.until(condition)
        except TimeoutError:
            continue
        return
    raise TimeoutError("what was waited for did not come within 40 s")


def pods(seen: Follower, place: Place) -> list[Pod]:
    return [msgspec.json.decode(v.json, type=Pod) for v in ours(seen, place)]


def kills(seen: Follower, place: Place) -> list[Pod]:
    return [pod for pod in pods(seen, place) if failed_runs(pod)]


def is_running(pod: Pod) -> bool:
    return any(s.state and s.state.running for s in pod.status.container_statuses or ())


async def test_a_pod_is_resized_where_it_runs_by_servers_that_say_so(
    cluster: KubeCluster, place: Place
) -> None:
    """By what discovery lists: a server that lists nothing of the kind knows no such path."""
    template = a_deployment("alone", limit="64Mi")["spec"]["template"]
    await place.create("v1/pods", {"metadata": {"name": "alone"}, "spec": template["spec"]})
    pod = ref(place, "alone", "Pod")
    container = {"name": "app", "resources": {"limits": {"memory": "96Mi"}}}
    patch = json.dumps({"spec": {"containers": [container]}})

    if not await cluster.serves("pods/resize"):
        with pytest.raises(NotFound):
            await cluster.resize(pod, patch, dry_run=True, field_manager="incident-copilot")
        return

    await actual_limit(cluster, pod, "64Mi")
    dry = await cluster.resize(pod, patch, dry_run=True, field_manager="incident-copilot")
    assert asked_limit(dry) == "96Mi"
    assert asked_limit(await cluster.get(pod)) == "64Mi"

    stale = json.dumps({"metadata": {"resourceVersion": "1"}, "spec": json.loads(patch)["spec"]})
    with pytest.raises(Conflict):
        await cluster.resize(pod, stale, dry_run=False, field_manager="incident-copilot")

    await cluster.resize(pod, patch, dry_run=False, field_manager="incident-copilot")
    live = await actual_limit(cluster, pod, "96Mi")
    (status,) = live["status"]["containerStatuses"]
    entries = live["metadata"]["managedFields"]
    assert status["restartCount"] == 0
    assert [e["subresource"] for e in entries if e["manager"] == "incident-copilot"] == ["resize"]


async def actual_limit(cluster: KubeCluster, pod: ObjectRef, wanted: str) -> dict[str, Any]:
    """The pod, once its kubelet says that its container has this limit."""
    async with asyncio.timeout(30):
        while True:
            live: dict[str, Any] = json.loads(await cluster.get(pod))
            for status in live["status"].get("containerStatuses", ()):
                limits = status.get("resources", {}).get("limits", {})
                if limits.get("memory") == wanted and "running" in status["state"]:
                    return live
            await asyncio.sleep(0.2)


def asked_limit(body: bytes) -> str:
    (container,) = json.loads(body)["spec"]["containers"]
    return str(container["resources"]["limits"]["memory"])
