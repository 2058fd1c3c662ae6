"""The HTTP side: a request to what it asks for, and the answer in the form that it wants."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from copilot.demo import discovery, failures, podlogs, writing
from copilot.demo.containers import Run
from copilot.demo.failures import ApiFailure, FieldProblem
from copilot.demo.kinds import GROUPS, NODE, POD, Obj, Resource, served
from copilot.demo.kubelet import Kubelet
from copilot.demo.nodestats import metrics_cadvisor, metrics_resource, stats_summary
from copilot.demo.paging import page
from copilot.demo.selectors import Test, field_test, label_test
from copilot.demo.tables import table
from copilot.demo.watching import DEFAULT_TIMEOUT_S, WatchOptions, stream
from copilot.demo.world import World
from copilot.demo.writing import Terms

BODY_LIMIT = 3 * 2**20
"""Bytes that a request may have, as on a real server."""

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_HEADERS = {"Cache-Control": "no-cache, private"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path names: a collection where `name` is empty."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    """What follows `proxy`."""


class Api:
    """Answers the requests of one cluster; `app` is the ASGI application."""

    def __init__(self, world: World, kubelet: Kubelet, *, token: str) -> None:
        self._world = world
        self._kubelet = kubelet
        self._token = token
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=_METHODS)])

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path in ("/healthz", "/livez", "/readyz"):
            return PlainTextResponse("ok")
        try:
            if not self._is_known(request.headers.get("authorization", "")):
                raise failures.unauthorized()
            return await self._route(request, path)
        except ApiFailure as failure:
            return _json(failure.body, failure.code)

    def _is_known(self, header: str) -> bool:
        """Bearer, or Basic with the token as password: what kubectl sends over plain HTTP."""
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "basic":
            try:
                value = base64.b64decode(value).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return False
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(value.encode(), self._token.encode())

    async def _route(self, request: Request, path: str) -> Response:
        document = _document(path, request.url.netloc)
        if document is not None:
            return _json(document)
        target = parse_path(path)
        if target is None:
            if _is_in_a_group(path):
                raise failures.no_such_path()
            return PlainTextResponse("404 page not found\n", 404)
        if target.resource is NODE and target.subresource == "proxy":
            return self._node_proxy(target)
        if target.resource is POD and target.subresource == "log":
            return self._log(request, target)
        handler = self._handlers().get((request.method, bool(target.name), target.subresource))
        if handler is None:
            raise failures.not_allowed()
        return await handler(request, target)

    def _handlers(
        self,
    ) -> dict[tuple[str, bool, str], Callable[[Request, Target], Awaitable[Response]]]:
        """By method, whether an object is named, and part of it."""
        return {
            ("GET", False, ""): self._list,
            ("POST", False, ""): self._create,
            ("GET", True, ""): self._get,
            ("GET", True, "status"): self._get,
            ("GET", True, "scale"): self._get,
            ("PUT", True, ""): self._replace,
            ("PUT", True, "status"): self._replace,
            ("PUT", True, "scale"): self._replace,
            ("PATCH", True, ""): self._patch,
            ("PATCH", True, "status"): self._patch,
            ("PATCH", True, "scale"): self._patch,
            ("DELETE", True, ""): self._delete,
        }

    # -------------------------------------------------------------- reading

    async def _get(self, request: Request, target: Target) -> Response:
        obj = self._find(target)
        if target.subresource == "scale":
            return _json(writing.scale_of(target.resource, obj))
        if _wants_table(request):
            metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            return _json(table(target.resource, [obj], metadata, self._world.now_us()))
        return _json(target.resource.render(obj))

    async def _list(self, request: Request, target: Target) -> Response:
        resource, query = target.resource, request.query_params
        test = _selection(resource, request)
        if _flag(query.get("watch", "")):
            return self._watch(request, target, test)
        selected = [o for o in self._world.objects(resource, target.namespace) if test(o)]
        limit = _whole_number(query.get("limit") or "0", "limit")
        items, metadata = page(
            selected, limit, query.get("continue", ""), self._world.version, self._world.oldest
        )
        if _wants_table(request):
            return _json(table(resource, items, metadata, self._world.now_us()))
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
        return _json({**head, "metadata": metadata, "items": items})

    def _watch(self, request: Request, target: Target, test: Test) -> Response:
        query, resource = request.query_params, target.resource
        if "sendInitialEvents" in query:
            message = (
                "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList "
                "feature gate is enabled"
            )
            problem = FieldProblem(
                field="sendInitialEvents", message=message, reason="FieldValueForbidden"
            )
            raise failures.invalid_options("ListOptions", problem)
        since = _whole_number(query.get("resourceVersion") or "0", "resourceVersion")
        options = WatchOptions(
            resource=resource,
            namespace=target.namespace,
            test=test,
            since=since or None,
            has_bookmarks=_flag(query.get("allowWatchBookmarks", "")),
            timeout_s=float(
                _whole_number(query.get("timeoutSeconds") or "0", "timeoutSeconds")
                or DEFAULT_TIMEOUT_S
            ),
        )

        def shown(obj: Obj) -> Obj:
            if _wants_table(request):
                return table(resource, [obj], {}, self._world.now_us())
            return resource.render(obj)

        lines = stream(self._world, options, shown)
        return StreamingResponse(lines, media_type="application/json", headers=_HEADERS)

    def _log(self, request: Request, target: Target) -> Response:
        if request.method != "GET":
            raise failures.not_allowed()
        pod = self._find(target)
        options = podlogs.read_options(request.query_params, self._world.now_us())
        run = podlogs.find_run(self._kubelet, pod, options)
        if options.is_followed:
            return StreamingResponse(self._follow(target, run, options), media_type="text/plain")
        return Response(podlogs.text(run, options), media_type="text/plain", headers=_HEADERS)

    async def _follow(
        self, target: Target, run: Run, options: podlogs.LogOptions
    ) -> AsyncIterator[str]:
        """What there is, then what comes, until this life of the container is over."""
        yield podlogs.text(run, options)
        last = run.lines[-1] if run.lines else None
        while not self._world.is_closed and self._is_live(target, run):
            await asyncio.sleep(0.2)
            fresh = podlogs.after(run, last)
            for line in fresh:
                yield podlogs.told(line, options)
                last = line

    def _is_live(self, target: Target, run: Run) -> bool:
        pod = self._kubelet.find(target.namespace, target.name)
        return pod is not None and any(c.current is run and c.is_running for c in pod.containers)

    def _node_proxy(self, target: Target) -> Response:
        self._find(target)
        now_us = self._world.now_us()
        match target.rest:
            case "stats/summary":
                return _json(stats_summary(self._kubelet, target.name, now_us))
            case "metrics/resource":
                body = metrics_resource(self._kubelet, target.name, now_us)
            case "metrics/cadvisor":
                body = metrics_cadvisor(self._kubelet, target.name, now_us)
            case _:
                return PlainTextResponse("404 page not found\n", 404)
        return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")

    # -------------------------------------------------------------- writing

    async def _create(self, request: Request, target: Target) -> Response:
        body = _body_object(request, await _read(request))
        terms = _terms(request, "CreateOptions")
        namespace = target.namespace
        if target.resource.is_namespaced and not namespace:
            raise failures.not_allowed()
        obj = writing.create(self._world, target.resource, namespace, body, terms)
        return _json(target.resource.render(obj), 201)

    async def _replace(self, request: Request, target: Target) -> Response:
        body = _body_object(request, await _read(request))
        terms = _terms(request, "UpdateOptions")
        before = self._find(target)
        if target.subresource == "scale":
            scale = writing.set_scale(self._world, target.resource, before, body, terms)
            return _json(scale)
        obj = writing.replace(self._world, target.resource, before, body, terms, target.subresource)
        return _json(target.resource.render(obj))

    async def _patch(self, request: Request, target: Target) -> Response:
        body, content_type = await _read(request), _content_type(request)
        terms = _terms(request, "PatchOptions")
        before = self._find(target)
        if target.subresource == "scale":
            current = writing.scale_of(target.resource, before)
            scale, _ = writing.patched(current, content_type, body)
            return _json(writing.set_scale(self._world, target.resource, before, scale, terms))
        obj = writing.apply_patch(
            self._world, target.resource, before, content_type, body, terms, target.subresource
        )
        return _json(target.resource.render(obj))

    async def _delete(self, request: Request, target: Target) -> Response:
        body = await _read(request)
        options = writing.decode(body) if body else {}
        grace = request.query_params.get("gracePeriodSeconds")
        if grace is not None:
            options["gracePeriodSeconds"] = _whole_number(grace, "gracePeriodSeconds")
        terms = _terms(request, "DeleteOptions", options.get("dryRun"))
        obj = self._find(target)
        return _json(writing.delete(self._world, target.resource, obj, options, terms))

    def _find(self, target: Target) -> Obj:
        return self._world.get(target.resource, target.namespace, target.name)


def parse_path(path: str) -> Target | None:
    """`/api/v1/...` and `/apis/GROUP/VERSION/...`; None for anything else."""
    match [part for part in path.split("/") if part]:
        case ["api", version, *parts]:
            group = ""
        case ["apis", group, version, *parts]:
            pass
        case _:
            return None
    namespace = ""
    if parts[:1] == ["namespaces"] and len(parts) > 2 and served(group, version, parts[2]):
        namespace, parts = parts[1], parts[2:]
    resource = served(group, version, parts[0]) if parts else None
    if resource is None:
        return None
    if len(parts) > 1 and resource.is_namespaced and not namespace:
        return None
    name, subresource = (*parts[1:3], "", "")[:2]
    known = ("", "proxy" if resource is NODE else "", *resource.subresources)
    if subresource not in known and not (subresource == "status" and resource.has_status):
        return None
    return Target(
        resource=resource,
        namespace=namespace,
        name=name,
        subresource=subresource,
        rest="/".join(parts[3:]),
    )


def _is_in_a_group(path: str) -> bool:
    """Where nothing else is known of a path, a real server says it in words or in a Status."""
    match [part for part in path.split("/") if part]:
        case ["api", *_]:
            return True
        case ["apis", name, *_]:
            return any(name == group for group, _ in GROUPS)
        case _:
            return False


def _document(path: str, address: str) -> Obj | None:
    """What discovery has under the path."""
    match [part for part in path.split("/") if part]:
        case ["version"]:
            return discovery.version()
        case ["api"]:
            return discovery.core_versions(address)
        case ["apis"]:
            return discovery.group_list()
        case ["apis", name]:
            return discovery.group(name)
        case ["api", version]:
            return discovery.resource_list("", version)
        case ["apis", name, version]:
            return discovery.resource_list(name, version)
        case ["openapi", "v3"]:
            return discovery.openapi_paths()
        case ["openapi", "v3", "api", version]:
            return discovery.openapi("", version)
        case ["openapi", "v3", "apis", name, version]:
            return discovery.openapi(name, version)
        case _:
            return None


def _selection(resource: Resource, request: Request) -> Test:
    labels = label_test(request.query_params.get("labelSelector", ""))
    fields = field_test(resource, request.query_params.get("fieldSelector", ""))
    return lambda obj: labels(obj) and fields(obj)


def _terms(request: Request, options_kind: str, dry_run: Any = None) -> Terms:
    wanted = request.query_params.getlist("dryRun") or dry_run or []
    if wanted not in ([], ["All"]):
        told = orjson.dumps(wanted).decode()
        message = f'Unsupported value: {told}: supported values: "All"'
        problem = FieldProblem(field="dryRun", message=message, reason="FieldValueNotSupported")
        raise failures.invalid_options(options_kind, problem)
    agent = request.headers.get("user-agent", "unknown").partition("/")[0]
    return Terms(
        manager=request.query_params.get("fieldManager") or agent,
        is_dry_run=bool(wanted),
        is_strict=request.query_params.get("fieldValidation") == "Strict",
    )


def _body_object(request: Request, body: bytes) -> Obj:
    if _content_type(request) not in ("application/json", ""):
        raise failures.unsupported()
    decoded = writing.decode(body)
    if not isinstance(decoded, dict):
        raise failures.bad_request("the body of the request is not an object")
    return decoded


async def _read(request: Request) -> bytes:
    """Raises: ApiFailure 413 for a body over the limit."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            message = f"Request entity too large: limit is {BODY_LIMIT}"
            raise ApiFailure(413, "RequestEntityTooLarge", message, {})
        parts.append(part)
    return b"".join(parts)


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip()


def _whole_number(text: str, name: str) -> int:
    if not text.isdecimal():
        message = (
            f'{name}: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
        raise ApiFailure(500 if name == "resourceVersion" else 400, "", message)
    return int(text)


def _flag(text: str) -> bool:
    return text.lower() in ("1", "true", "t")


def _wants_table(request: Request) -> bool:
    return "as=Table" in request.headers.get("accept", "")


def _json(body: Obj, status: int = 200) -> Response:
    content = orjson.dumps(body) + b"\n"
    return Response(content, status, headers=_HEADERS, media_type="application/json")
