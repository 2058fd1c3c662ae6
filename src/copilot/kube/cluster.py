"""One Kubernetes cluster, as the steps see it: `copilot.ports.Cluster` over its API server."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

import msgspec

from copilot.domain.errors import BadInput, Invalid, NotFound, Unavailable
from copilot.domain.event import Point
from copilot.domain.objects import ObjectRef
from copilot.kube.kubelet import Kubelet
from copilot.kube.objects import pages, with_kind
from copilot.kube.reflector import Reflector
from copilot.kube.resources import (
    Query,
    Scope,
    asking_version,
    creating,
    deleting,
    discovering,
    one_secret,
    patching,
    reading,
    reading_log,
    resizing,
    resource_of,
    reviewing,
)
from copilot.kube.server import ApiServer
from copilot.kube.session import Session, open_session
from copilot.ports import Clock, ClusterInfo, Delta, Kind

MAX_OBJECT = 8 * 2**20
USUAL_LINE = 64
"""Bytes; how many lines we ask for so that they fill what we may read."""
READ_AHEAD = 8
"""How many times the wanted bytes of a log we read at most, to keep its end."""

_STAMPED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* ")
"""Every line of a log asked for with timestamps. The kubelet's excuses ("unable to retrieve
container logs for ...") come in a 200 as well, but without one."""


class _Version(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    git_version: str = ""


class _Served(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""


class _Discovery(msgspec.Struct, frozen=True, kw_only=True):
    resources: list[_Served] = []


class _User(msgspec.Struct, frozen=True, kw_only=True):
    username: str = ""


class _ReviewStatus(msgspec.Struct, frozen=True, kw_only=True):
    authenticated: bool = False
    user: _User = _User()
    audiences: list[str] = []


class _TokenReview(msgspec.Struct, frozen=True, kw_only=True):
    status: _ReviewStatus = _ReviewStatus()


async def connect(
    *, kubeconfig: str | None, context: str | None, name: str | None, clock: Clock
) -> KubeCluster:
    """A cluster by kubeconfig (the default one where only a context is named), or the one we run
    in where neither is given. Does not talk to the server yet. Close it in the end.

    `name` is what the cluster is called everywhere; without it the context's name.

    Raises:
        Invalid: the kubeconfig or context cannot be used.
    """
    session = await open_session(kubeconfig=kubeconfig, context=context, clock=clock)
    return KubeCluster(session, name=name or session.name, clock=clock)


class KubeCluster:
    """Meets `copilot.ports.Cluster`, and `copilot.ports.TokenReviews`."""

    def __init__(self, session: Session, *, name: str, clock: Clock) -> None:
        self.name = name
        self._session = session
        self._server = ApiServer(session)
        self._clock = clock
        self._kubelet = Kubelet(self._server, cluster=name, clock=clock)

    async def close(self) -> None:
        """Ends all open watches, too."""
        await self._session.close()

    async def info(self) -> ClusterInfo:
        body = await self._server.read(asking_version(), max_bytes=MAX_OBJECT)
        try:
            version = msgspec.json.decode(body, type=_Version).git_version
        except msgspec.DecodeError as error:
            raise Unavailable(f"{self.name} is no Kubernetes API server: {error}") from error
        return ClusterInfo(name=self.name, version=version, is_demo=version.endswith("+demo"))

    async def whose(self, token: str, *, audience: str) -> str:
        body = await self._server.read(reviewing(token, audience), max_bytes=MAX_OBJECT)
        try:
            status = msgspec.json.decode(body, type=_TokenReview).status
        except msgspec.MsgspecError as error:
            raise Unavailable(f"{self.name} reviews no tokens: {error}") from error
        # A server that knows no audiences names none, and has then checked none.
        is_ours = status.authenticated and audience in status.audiences
        return status.user.username if is_ours else ""

    async def get(self, ref: ObjectRef) -> bytes:
        return await self._server.read(reading(ref), max_bytes=MAX_OBJECT)

    async def list_objects(
        self, kind: Kind, namespace: str = "", selector: str = ""
    ) -> list[bytes]:
        resource = resource_of(kind)
        found: list[bytes] = []
        scope = Scope(resource=resource, namespace=namespace)
        async for page in pages(self._server, scope, selector):
            found += [with_kind(item, resource) for item in page.items or ()]
        return found

    async def patch(
        self, ref: ObjectRef, patch: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        query: Query = (("fieldManager", field_manager), ("fieldValidation", "Strict"))
        query += (("dryRun", "All"),) if dry_run else ()
        call = patching(ref, _fields(patch, "patch"), query)
        return await self._server.read(call, max_bytes=MAX_OBJECT)

    async def serves(self, resource: str) -> bool:
        body = await self._server.read(discovering("v1"), max_bytes=MAX_OBJECT)
        try:
            listed = msgspec.json.decode(body, type=_Discovery).resources
        except msgspec.DecodeError as error:
            raise Unavailable(f"{self.name} has no discovery that can be read: {error}") from error
        return any(one.name == resource for one in listed)

    async def resize(
        self, pod: ObjectRef, patch: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        query: Query = (("fieldManager", field_manager), ("fieldValidation", "Strict"))
        query += (("dryRun", "All"),) if dry_run else ()
        call = resizing(pod, _fields(patch, "patch"), query)
        return await self._server.read(call, max_bytes=MAX_OBJECT)

    async def create(
        self, ref: ObjectRef, manifest: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        query: Query = (("fieldManager", field_manager), ("fieldValidation", "Strict"))
        query += (("dryRun", "All"),) if dry_run else ()
        call = creating(ref, _fields(manifest, "manifest"), query)
        return await self._server.read(call, max_bytes=MAX_OBJECT)

    async def delete(self, ref: ObjectRef, *, resource_version: str = "", dry_run: bool) -> None:
        if not ref.uid:
            raise Invalid(f"{ref} is not deleted by its name alone: which one is meant?")
        preconditions = {"uid": ref.uid}
        if resource_version:
            preconditions["resourceVersion"] = resource_version
        options: dict[str, object] = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            "preconditions": preconditions,
        }
        if dry_run:
            options["dryRun"] = ["All"]
        await self._server.read(deleting(ref, options), max_bytes=MAX_OBJECT)

    def watch(self, kind: Kind) -> AsyncGenerator[Delta, None]:
        return self._deltas(Scope(resource=resource_of(kind)))

    def watch_named(self, ref: ObjectRef) -> AsyncGenerator[Delta, None]:
        return self._deltas(one_secret(ref))

    def _deltas(self, scope: Scope) -> AsyncGenerator[Delta, None]:
        return Reflector(self._server, scope, cluster=self.name, clock=self._clock).deltas()

    async def logs(
        self, pod: ObjectRef, container: str, *, previous: bool, max_bytes: int
    ) -> tuple[str, ...]:
        n_lines = max(max_bytes // USUAL_LINE, 1)
        while True:
            tail, n_read = await self._log_tail(pod, container, previous, n_lines, max_bytes)
            # Longer lines than usual: what we stopped at was not the end, so ask for fewer.
            if n_read < max_bytes * READ_AHEAD or n_lines == 1:
                break
            n_lines = max(n_lines // READ_AHEAD, 1)
        return _stamped_lines(tail, pod, container, is_whole=n_read <= max_bytes)

    async def usage(self, node: str) -> list[Point]:
        return await self._kubelet.usage(node)

    async def _log_tail(
        self, pod: ObjectRef, container: str, previous: bool, n_lines: int, max_bytes: int
    ) -> tuple[bytes, int]:
        query = (
            ("timestamps", "true"),
            ("previous", "true" if previous else "false"),
            ("tailLines", str(n_lines)),
            ("limitBytes", str(max_bytes * READ_AHEAD)),
        )
        try:
            return await self._server.read_tail(
                reading_log(pod, container, query),
                keep=max_bytes,
                max_bytes=max_bytes * READ_AHEAD,
            )
        except BadInput as error:
            # "previous terminated container ... not found", "waiting to start": a 400.
            raise NotFound(error.message) from error


def _fields(text: str, what: str) -> dict[str, object]:
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise Invalid(f"the {what} is no JSON object: {error}") from error


def _stamped_lines(
    tail: bytes, pod: ObjectRef, container: str, *, is_whole: bool
) -> tuple[str, ...]:
    """The lines that are lines; the first may be half of one and is dropped then."""
    lines = tail.decode(errors="replace").split("\n")
    if not is_whole:
        lines = lines[1:]
    stamped = tuple(line for line in lines if _STAMPED.match(line))
    if not stamped and any(lines):
        said = next(filter(None, lines))[:200]
        raise NotFound(f"there is no log of container {container[:63]} in {pod} (any more): {said}")
    return stamped
