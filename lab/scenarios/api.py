"""The API server, as dicts: what the scenarios need of it, for any kind, by discovery."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

Object = dict[str, Any]

STRATEGIC = "application/strategic-merge-patch+json"
GROUPS = (
    "api/v1",
    "apis/apps/v1",
    "apis/batch/v1",
    "apis/networking.k8s.io/v1",
    "apis/storage.k8s.io/v1",
    "apis/policy/v1",
    "apis/autoscaling/v2",
    "apis/rbac.authorization.k8s.io/v1",
    "apis/admissionregistration.k8s.io/v1",
    "apis/coordination.k8s.io/v1",
)


class ApiError(Exception):
    """The API server refused; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Place:
    root: str
    plural: str
    is_namespaced: bool

    def path(self, namespace: str, name: str = "", sub: str = "") -> str:
        parts = [self.root]
        if self.is_namespaced and namespace:
            parts += ["namespaces", namespace]
        return "/".join(part for part in (*parts, self.plural, name, sub) if part)


class Api:
    """One API server; `close` it."""

    def __init__(self, client: Any, places: dict[str, Place]) -> None:
        self._client = client
        self._places = places

    @classmethod
    async def open(cls, kubeconfig: str | None, context: str | None) -> Api:
        """Logged in as the kubeconfig says, with the kinds it serves known."""
        from kubernetes.aio.client import ApiClient, Configuration
        from kubernetes.aio.config import load_kube_config

        configuration = Configuration()
        await load_kube_config(
            config_file=kubeconfig, context=context, client_configuration=configuration
        )
        api = cls(ApiClient(configuration=configuration), {})
        for root in GROUPS:
            for one in (await api.call("GET", root))["resources"]:
                if "/" not in one["name"]:
                    api._places[one["kind"]] = Place(root, one["name"], one["namespaced"])
        return api

    async def close(self) -> None:
        await self._client.close()

    def is_namespaced(self, kind: str) -> bool:
        return self._places[kind].is_namespaced

    async def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """None where there is none."""
        try:
            return await self.call("GET", self._places[kind].path(namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(self, kind: str, namespace: str = "", **query: str) -> list[Object]:
        answer = await self.call("GET", self._places[kind].path(namespace), query)
        items: list[Object] = answer["items"] or []
        return items

    async def create(self, manifest: Object, namespace: str) -> None:
        """Makes it, or where it is already merges this into it."""
        place, name = self._places[manifest["kind"]], manifest["metadata"]["name"]
        by = {"fieldManager": "kubectl"}
        try:
            await self.call("POST", place.path(namespace), by, body=manifest)
        except ApiError as error:
            if error.status != 409:
                raise
            await self.patch(manifest["kind"], namespace, name, manifest)

    async def patch(
        self, kind: str, namespace: str, name: str, content: Object, *, sub: str = ""
    ) -> None:
        path = self._places[kind].path(namespace, name, sub)
        await self.call("PATCH", path, {"fieldManager": "kubectl"}, content, STRATEGIC)

    async def delete(
        self, kind: str, namespace: str, name: str, *, grace_s: int | None = None
    ) -> None:
        """As good as done where it is gone already."""
        query = {} if grace_s is None else {"gracePeriodSeconds": str(grace_s)}
        try:
            await self.call("DELETE", self._places[kind].path(namespace, name), query)
        except ApiError as error:
            if error.status != 404:
                raise

    async def watch(self, kind: str) -> AsyncIterator[Object]:
        """Every object of a kind, of all namespaces: as it is now, then at each change, for ever."""
        path = self._places[kind].path("")
        version = ""
        while True:
            try:
                if not version:
                    listed = await self.call("GET", path)
                    version = listed["metadata"]["resourceVersion"]
                    for item in listed["items"] or []:
                        yield item
                async for event in self._events(path, version):
                    if event["type"] == "ERROR":
                        version = ""
                        break
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] in ("ADDED", "MODIFIED"):
                        yield event["object"]
            except (aiohttp.ClientError, TimeoutError, ApiError):
                version = ""
                await asyncio.sleep(1)

    async def _events(self, path: str, version: str) -> AsyncIterator[Object]:
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
        response = await self._send("GET", path, query, None, "", 3600)
        try:
            pending = b""
            async for chunk in response.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)
        finally:
            response.close()

    async def call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        response = await self._send(method, path, query or {}, body, content_type, 30)
        text = await response.read()
        answer: Object = json.loads(text) if text.startswith(b"{") else {}
        if response.status >= 300:
            raise ApiError(response.status, str(answer.get("message", text[:200])))
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: Object | None,
        content_type: str,
        timeout_s: float,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
        answer = await self._client.call_api(
            method,
            f"{self._client.configuration.host}/{path}?{urlencode(query)}",
            header_params=headers,
            body=body,
            _request_timeout=aiohttp.ClientTimeout(total=timeout_s),
        )
        response: aiohttp.ClientResponse = answer.response
        return response
