"""Plays scenarios on the cluster, and sees when something first shows that it is wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lab.scenarios.api import Api, ApiError
from lab.scenarios.expectation import Scenario, Step, Verb
from lab.scenarios.health import is_ready, sign
from lab.scenarios.kubelet import StandInKubelet

WATCHED = ("Pod", "Event", "Job", "Node")
LOOK_EVERY_S = 0.5
DEMO = {"incident-copilot.io/demo": "true"}
BELONGS = "lab-scene"
"""The label of what stands outside the scenario's namespace, with the namespace's name."""
CLUSTER_WIDE = (
    "ValidatingWebhookConfiguration",
    "Node",
    "PersistentVolume",
    "StorageClass",
)


class StepFailed(Exception):
    """A step did not come to its end: the scenario says nothing about the co-pilot."""


class Signs:
    """The first thing that showed each fault, and when: one watch a kind for all scenarios."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._listening: dict[str, float] = {}
        self._found: dict[str, tuple[float, str]] = {}

    def listen(self, place: str) -> None:
        """From now on, what is seen in this namespace, or at a node named after it, counts."""
        self._listening[place] = time.time()

    def of(self, place: str) -> tuple[float, str] | None:
        """Unix time and what it was."""
        return self._found.get(place)

    def saw(self, place: str, at: float, what: str) -> None:
        if place in self._listening:
            self._found.setdefault(place, (at, what))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for kind in WATCHED:
                group.create_task(self._watch(kind))

    async def _watch(self, kind: str) -> None:
        async for thing in self._api.watch(kind):
            meta = thing["metadata"]
            place = meta.get("namespace") or "-".join(meta["name"].split("-")[-2:])
            since = self._listening.get(place)
            if since is None or (kind == "Event" and _last(thing) < since - 1):
                continue
            what = sign({"kind": kind, **thing})
            if what:
                self.saw(place, time.time(), what)


class Stage:
    """The namespaces of one run, its stand-in kubelets, and what it has to take away again."""

    def __init__(self, api: Api, signs: Signs) -> None:
        self._api = api
        self._signs = signs
        self._kubelets: dict[str, asyncio.Task[None]] = {}

    async def play(self, scenario: Scenario, on_break: Callable[[], None] = lambda: None) -> None:
        """All steps; `on_break` is called where the fault begins.

        Raises:
            StepFailed: something did not become what it should within its time.
        """
        labels = {**DEMO, **scenario.namespace_labels}
        namespace = {
            "kind": "Namespace",
            "metadata": {"name": scenario.namespace, "labels": labels},
        }
        await self._api.create(namespace, "")
        await self._service_account(scenario.namespace)
        for number, step in enumerate(scenario.steps):
            if number == scenario.breaks_at:
                self._signs.listen(scenario.namespace)
                on_break()
            try:
                await self._do(scenario, step)
            except ApiError as error:
                raise StepFailed(f"{step.verb} {step.on}: {error}") from error

    async def clear(self, scenario: Scenario) -> None:
        """Take away its namespace, its nodes and all else it made."""
        for name in [name for name in self._kubelets if name.endswith(scenario.namespace)]:
            self._kubelets.pop(name).cancel()
        belongs = f"{BELONGS}={scenario.namespace}"
        for kind in CLUSTER_WIDE:
            for one in await self._api.list(kind, labelSelector=belongs):
                await self._api.delete(kind, "", one["metadata"]["name"])
        await self._api.delete("Namespace", "", scenario.namespace)
        for pod in await self._api.list("Pod", scenario.namespace):
            await self._api.delete("Pod", scenario.namespace, pod["metadata"]["name"], grace_s=0)

    async def gone(self, namespaces: set[str]) -> None:
        """Waits until none of these namespaces is there any more."""

        async def look() -> bool:
            there = {one["metadata"]["name"] for one in await self._api.list("Namespace")}
            return not there & namespaces

        await _wait(look, 120, "the end of earlier namespaces")

    async def are_ready(self, scenario: Scenario) -> bool:
        """Everything that must be well again is."""
        for one in scenario.healed:
            kind, name = one.split("/")
            found = await self._api.get(kind, self._namespace_of(kind, scenario), name)
            if found is None or not is_ready({**found, "kind": kind}):
                return False
        return True

    def _namespace_of(self, kind: str, scenario: Scenario) -> str:
        return scenario.namespace if self._api.is_namespaced(kind) else ""

    async def _service_account(self, namespace: str) -> None:
        """Its controller is a moment behind; pods made before it are refused."""
        await _wait(
            lambda: self._api.get("ServiceAccount", namespace, "default"), 20, "service account"
        )

    async def _do(self, scenario: Scenario, step: Step) -> None:
        match step.verb:
            case Verb.APPLY:
                for manifest in scenario.manifests(step.on):
                    await self._apply(scenario, manifest)
            case Verb.WAIT:
                await asyncio.sleep(float(step.on))
            case Verb.KUBELET:
                kubelet = StandInKubelet(self._api, step.on, step.pressure)
                self._kubelets[step.on] = asyncio.create_task(kubelet.run())
            case Verb.STOP_KUBELET:
                self._kubelets.pop(step.on).cancel()
            case Verb.UNTIL:
                await _wait(lambda: self._holds(scenario, step), step.timeout_s, step.path)
            case _:
                await self._do_to(scenario, step)

    async def _do_to(self, scenario: Scenario, step: Step) -> None:
        """The steps that name one object."""
        kind, name = step.on.split("/")
        namespace = self._namespace_of(kind, scenario)
        match step.verb:
            case Verb.READY:

                async def look() -> bool:
                    found = await self._api.get(kind, namespace, name)
                    return found is not None and is_ready({**found, "kind": kind})

                await _wait(look, step.timeout_s, f"{step.on} ready")
            case Verb.PATCH:
                await self._api.patch(kind, namespace, name, step.content)
            case Verb.DELETE:
                await self._api.delete(kind, namespace, name)
            case _:
                now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                restarted = {"annotations": {"kubectl.kubernetes.io/restartedAt": now}}
                content = {"spec": {"template": {"metadata": restarted}}}
                await self._api.patch(kind, namespace, name, content)

    async def _apply(self, scenario: Scenario, manifest: dict[str, Any]) -> None:
        kind = manifest["kind"]
        if not self._api.is_namespaced(kind):
            manifest["metadata"].setdefault("labels", {})[BELONGS] = scenario.namespace
        await self._api.create(manifest, self._namespace_of(kind, scenario))

    async def _holds(self, scenario: Scenario, step: Step) -> bool:
        kind, _, name = step.on.partition("/")
        namespace = self._namespace_of(kind, scenario)
        found = await self._api.list(kind, namespace)
        return any(
            _matches(one, step) for one in found if not name or one["metadata"]["name"] == name
        )


def _matches(thing: dict[str, Any], step: Step) -> bool:
    value: Any = thing
    for key in step.path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return bool(value) if not step.value else str(value) == step.value


async def _wait(look: Callable[[], Any], timeout_s: float, what: str) -> None:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if await look():
            return
        await asyncio.sleep(LOOK_EVERY_S)
    raise StepFailed(f"{what} did not come within {timeout_s:.0f} s")


def _last(event: dict[str, Any]) -> float:
    """When an event last happened, Unix time."""
    series = (event.get("series") or {}).get("lastObservedTime")
    text = series or event.get("lastTimestamp") or event.get("eventTime") or ""
    text = text or event["metadata"]["creationTimestamp"]
    return datetime.fromisoformat(text).timestamp()
