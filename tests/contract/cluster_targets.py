"""The API servers that the cluster contract runs on, and a plain client for them.

The demo cluster is the default. A kubeconfig in `COPILOT_TEST_KUBECONFIG` (and a context of it in
`COPILOT_TEST_CONTEXT`) makes it a real one; the tests are the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from copilot.demo.cluster import kubeconfig, serve_demo
from tests.kubeconfig import access

Obj = dict[str, Any]

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
MANAGER = "incident-copilot"
SPEED = 8
"""Simulated seconds of the demo cluster in one real second."""


class FastClock:
    """Starts at the real time and runs `SPEED` times as fast."""

    def __init__(self) -> None:
        self._began_us = time.time_ns() // 1000
        self._began = time.monotonic()

    def now_us(self) -> int:
        return self._began_us + round((time.monotonic() - self._began) * SPEED * 1e6)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An API server and how to get in."""

    is_demo: bool
    kubeconfig: Path
    context: str | None
    """None for the current one."""


@contextmanager
def chosen_target() -> Iterator[Target]:
    """The server that the environment names, else a demo cluster on a free loopback port."""
    given = os.environ.get("COPILOT_TEST_KUBECONFIG")
    if given:
        context = os.environ.get("COPILOT_TEST_CONTEXT") or None
        yield Target(is_demo=False, kubeconfig=Path(given), context=context)
        return
    with tempfile.TemporaryDirectory() as folder, running_demo() as (url, token):
        path = Path(folder) / "kubeconfig"
        path.write_text(kubeconfig(url, token))
        yield Target(is_demo=True, kubeconfig=path, context=None)


@contextmanager
def running_demo() -> Iterator[tuple[str, str]]:
    """A demo cluster in a thread with an event loop of its own; its URL and token."""
    token, ready = secrets.token_hex(8), threading.Event()
    urls: list[str] = []
    loop = asyncio.new_event_loop()

    def on_ready(url: str) -> None:
        urls.append(url)
        ready.set()

    serving = loop.create_task(
        serve_demo(host="127.0.0.1", port=0, clock=FastClock(), token=token, on_ready=on_ready)
    )

    def live() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(serving)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        assert ready.wait(10), "the demo cluster did not start"
        yield urls[0], token
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join(10)
        loop.close()


class KubeHttp:
    """Plain HTTP to an API server, in one namespace of its own."""

    def __init__(self, target: Target, namespace: str) -> None:
        given = access(target.kubeconfig, target.context)
        self.target = target
        self.namespace = namespace
        self.http = httpx.Client(
            base_url=given.server, headers=given.headers, verify=given.tls, timeout=30
        )

    def path(self, plural: str, name: str = "", namespace: str | None = None) -> str:
        """`pods` or `apps/deployments`, in our namespace; "" is all of them."""
        group, _, kind = plural.rpartition("/")
        head = f"/apis/{group}/v1" if group else "/api/v1"
        place = self.namespace if namespace is None else namespace
        middle = f"/namespaces/{place}" if place else ""
        return f"{head}{middle}/{kind}{f'/{name}' if name else ''}"

    def get(self, plural: str, name: str = "", /, **query: str | int) -> httpx.Response:
        return self.http.get(self.path(plural, name), params=query)

    def read(self, plural: str, name: str) -> Obj:
        return _body(self.get(plural, name))

    def items(self, plural: str, **query: str | int) -> list[Obj]:
        return list(_body(self.get(plural, **query))["items"])

    def create(self, plural: str, body: Obj, **query: str) -> httpx.Response:
        return self.http.post(self.path(plural), json=body, params=query)

    def patch(
        self, plural: str, name: str, patch: Any, kind: str = STRATEGIC, **query: str
    ) -> httpx.Response:
        return self.http.patch(
            self.path(plural, name),
            content=patch if isinstance(patch, str) else json.dumps(patch),
            headers={"Content-Type": kind},
            params={"fieldManager": MANAGER, "fieldValidation": "Strict", **query},
        )

    def delete(self, plural: str, name: str) -> httpx.Response:
        return self.http.delete(self.path(plural, name))

    def log(self, pod: str, **query: str | int) -> httpx.Response:
        return self.http.get(f"{self.path('pods', pod)}/log", params=query)

    def watch(self, plural: str, seconds: int = 2, **query: str | int) -> list[Obj]:
        """Every line of a watch that the server ends after so many seconds."""
        asked: dict[str, str | int] = {"watch": 1, "timeoutSeconds": seconds, **query}
        with self.http.stream("GET", self.path(plural), params=asked) as answer:
            assert answer.status_code == 200
            return [json.loads(line) for line in answer.iter_lines() if line]

    def pods_of(self, app: str) -> list[Obj]:
        return self.items("pods", labelSelector=f"app={app}")

    def until(self, found: Callable[[], Any], what: str, seconds: float = 90) -> Any:
        """The first answer that is not empty."""
        ends = time.monotonic() + seconds
        while not (answer := found()):
            assert time.monotonic() < ends, f"not within {seconds} s: {what}"
            time.sleep(0.1 if self.target.is_demo else 0.4)
        return answer

    def rolled_out(self, name: str) -> Obj:
        """The Deployment once its newest generation is complete."""

        def look() -> Obj | None:
            deployment = self.read("apps/deployments", name)
            status, desired = deployment.get("status") or {}, deployment["spec"]["replicas"]
            is_seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
            counts = [status.get(f"{kind}Replicas", 0) for kind in ("updated", "available")]
            is_done = [*counts, status.get("replicas", 0)] == [desired] * 3
            return deployment if is_seen and is_done else None

        return dict(self.until(look, f"rollout of {name}"))


def a_deployment(name: str, **container: Any) -> Obj:
    """A Deployment of one replica; keyword arguments are fields of its container."""
    plain = {
        "name": "app",
        "image": "docker.io/lab/busybox:1.35",
        "imagePullPolicy": "Never",
        "command": ["/bin/sh", "-c", "echo ready; sleep 3600"],
    }
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "containers": [{**plain, **container}],
    }
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def a_memory_hog(name: str, limit: str) -> Obj:
    """`oom-demo`: grows to 48 MiB in five seconds."""
    return a_deployment(
        name,
        image="docker.io/lab/oom-demo:1",
        command=["/bin/memhog", "2", "200", "48"],
        resources={"requests": {"memory": "16Mi", "cpu": "10m"}, "limits": {"memory": limit}},
    )


def limit_patch(limit: str) -> Obj:
    container = {"name": "app", "resources": {"limits": {"memory": limit}}}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


def container_status(pod: Obj) -> Obj:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    return dict(statuses[0])


def _body(answer: httpx.Response) -> Obj:
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())
