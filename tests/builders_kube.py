"""A scripted Kubernetes API over loopback HTTP, which fails as it is told, and its kubeconfig."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from copilot.domain.change import ObjectVersion
from copilot.kube.cluster import KubeCluster, connect
from copilot.ports import Delta, Kind

FIXTURES = Path(__file__).parent / "fixtures" / "kubernetes"
Json = dict[str, object]


class FastClock:
    """Real time, fifty times as fast: waiting costs tests little and still lets others run."""

    FACTOR = 50

    def __init__(self) -> None:
        self._started = time.monotonic()

    def now_us(self) -> int:
        elapsed = time.monotonic() - self._started
        return 1_795_000_000_000_000 + round(elapsed * 1_000_000 * self.FACTOR)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.FACTOR)


def a_pod_json(name: str, uid: str, version: int) -> Json:
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "namespace": "demo",
            "uid": uid,
            "resourceVersion": str(version),
            "managedFields": [{"manager": "kubectl", "time": "2026-11-23T07:37:00Z"}],
        },
        "spec": {"containers": [{"name": "app"}]},
        "status": {},
    }


@dataclass
class Answer:
    """One scripted answer: a status with a body; with `cut` the connection breaks after it."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


class ScriptedApi:
    """Pods in memory with list, watch and history; `lists` and `watches` hold answers that are
    given first, `pages` any answer by path."""

    def __init__(self, path: str = "/api/v1/pods") -> None:
        self._path = path
        self.version = 100
        self.pods: dict[str, Json] = {}
        self.history: list[tuple[int, Json]] = []
        self.forgotten = 0
        self.page_size = 3
        self.lists: deque[Answer] = deque()
        self.watches: deque[Answer] = deque()
        self.pages: dict[str, Answer] = {}
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.port = 0
        self._changed = asyncio.Event()
        self._lists: dict[object, tuple[int, list[Json]]] = {}
        self._failing_pages: dict[str, Answer] = {}
        self._runner: web.AppRunner | None = None
        self._open: dict[int, web.Request] = {}

    # what happens in the cluster

    def put(self, name: str, uid: str = "") -> None:
        """Add the pod, or change it where it is there."""
        uid = uid or f"uid-{name}"
        kind = "MODIFIED" if uid in self.pods else "ADDED"
        self._record(kind, uid, a_pod_json(name, uid, self.version + 1))

    def delete(self, name: str) -> None:
        uid = f"uid-{name}"
        self._record("DELETED", uid, a_pod_json(name, uid, self.version + 1))
        del self.pods[uid]

    def expire_watches(self) -> None:
        """Open ones get 410 before any news, and so do those from before now."""
        self.version += 1
        self.forgotten = self.version
        self._wake()

    def fail_page(self, number: int, answer: Answer) -> None:
        """The first list breaks off with this answer."""
        self._failing_pages[f"next-{number - 2}"] = answer

    def resource_versions(self) -> dict[str, str]:
        return {uid: str(_meta(pod)["resourceVersion"]) for uid, pod in self.pods.items()}

    def _record(self, kind: str, uid: str, pod: Json) -> None:
        self.version += 1
        self.pods[uid] = pod
        self.history.append((self.version, {"type": kind, "object": pod}))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # the server

    async def start(self) -> None:
        """The second time on the same port."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def kill(self) -> None:
        """As SIGKILL would: every connection breaks."""
        self.cut_streams()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def cut_streams(self) -> None:
        for request in list(self._open.values()):
            if request.transport is not None:
                request.transport.abort()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        self._open[id(request)] = request
        try:
            if request.path in self.pages:
                return await self._give(request, self.pages[request.path])
            if request.path != self._path:
                return web.Response(status=404, text="404 page not found")
            if "watch" in request.query:
                return await self._watch(request)
            return await self._list(request)
        finally:
            del self._open[id(request)]

    async def _give(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(answer.body)
        if answer.cut and request.transport is not None:
            await asyncio.sleep(0.01)
            request.transport.abort()
        return response

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if self.lists:
            return await self._give(request, self.lists.popleft())
        token = request.query.get("continue", "")
        if token in self._failing_pages:
            return await self._give(request, self._failing_pages.pop(token))
        # As with etcd, all pages show the moment of the first.
        version, pods = self._lists[token] if token else (self.version, list(self.pods.values()))
        items = [{k: pod[k] for k in ("metadata", "spec")} for pod in pods[: self.page_size]]
        metadata: Json = {"resourceVersion": str(version)}
        if rest := pods[self.page_size :]:
            metadata["continue"] = f"next-{len(self._lists)}"
            self._lists[metadata["continue"]] = (version, rest)
        return web.json_response({"kind": "PodList", "metadata": metadata, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        if self.watches:
            return await self._give(request, self.watches.popleft())
        seen = int(request.query["resourceVersion"])
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        while self._runner is not None:
            if seen < self.forgotten:
                await response.write(watch_fixture("watch_410.jsonl"))
                break
            changed = self._changed
            news = [(v, event) for v, event in self.history if v > seen]
            body = b"".join(json.dumps(event).encode() + b"\n" for _, event in news)
            if body and not await _written(response, body):
                break
            seen = max([seen, *(v for v, _ in news)])
            await changed.wait()
        return response


async def _written(response: web.StreamResponse, body: bytes) -> bool:
    try:
        await response.write(body)
    except ConnectionError:
        return False
    return True


def watch_fixture(name: str) -> bytes:
    """A recorded watch stream, each line ended."""
    return (FIXTURES / name).read_bytes().rstrip(b"\n") + b"\n"


def _meta(pod: Json) -> Json:
    metadata = pod["metadata"]
    assert isinstance(metadata, dict)
    return metadata


def a_kubeconfig(folder: Path, server: str, token: str = "secret") -> Path:
    path = folder / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "scripted",
        "clusters": [{"name": "scripted", "cluster": {"server": server}}],
        "users": [{"name": "tester", "user": {"token": token}}],
        "contexts": [{"name": "scripted", "context": {"cluster": "scripted", "user": "tester"}}],
    }
    path.write_text(json.dumps(config))
    return path


@asynccontextmanager
async def connected(api: ScriptedApi, folder: Path) -> AsyncIterator[KubeCluster]:
    """Both run until the block is left."""
    await api.start()
    path = a_kubeconfig(folder, f"http://127.0.0.1:{api.port}")
    cluster = await connect(kubeconfig=str(path), context=None, name="c1", clock=FastClock())
    try:
        yield cluster
    finally:
        await cluster.close()
        await api.kill()


class Follower:
    """Takes all deltas of one kind, as a reader of the watch would."""

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self._news = asyncio.Event()

    @property
    def versions(self) -> list[ObjectVersion]:
        return [version for delta in self.deltas for version in delta.versions]

    @property
    def gaps(self) -> list[str]:
        return [delta.gap.reason for delta in self.deltas if delta.gap is not None]

    @property
    def is_synced(self) -> bool:
        return any(delta.is_synced for delta in self.deltas)

    def existing(self) -> dict[str, str]:
        """uid to resourceVersion, from the deltas alone."""
        found: dict[str, str] = {}
        for version in self.versions:
            if version.is_deleted:
                del found[version.object.uid]
            else:
                found[version.object.uid] = version.resource_version
        return found

    def handed_over(self) -> list[tuple[str, str, bool]]:
        return [(v.object.uid, v.resource_version, v.is_deleted) for v in self.versions]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def follow(self, cluster: KubeCluster, kind: Kind) -> None:
        async for delta in cluster.watch(kind):
            self.deltas.append(delta)
            self._news.set()


@asynccontextmanager
async def following(cluster: KubeCluster, kind: Kind = Kind.POD) -> AsyncIterator[Follower]:
    follower = Follower()
    task = asyncio.create_task(follower.follow(cluster, kind))
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
