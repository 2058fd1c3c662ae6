"""What a scenario does and what must be found, as its `expect.yaml` says it.

Everything in here is pure but `load`, which reads the folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
QUIET = "quiet"
RUNNING = ("Deployment", "StatefulSet", "DaemonSet", "Job")


class Fix(StrEnum):
    """What our own proposal can do about it."""

    HEALS = "heals"
    MAY = "may"
    """It may or may not; neither counts."""
    NONE = "none"
    """Nothing that we may do heals it: the runbook says what people can."""


class Verb(StrEnum):
    """What a step does; the value it takes stands after it."""

    APPLY = "apply"
    """A file of the folder."""
    READY = "ready"
    """Waits until this object is ready."""
    UNTIL = "until"
    """Waits until a field of this object, or of any of this kind, is set, or is `is`."""
    PATCH = "patch"
    """A strategic merge patch `with` this content."""
    DELETE = "delete"
    RESTART = "restart"
    """As `kubectl rollout restart`."""
    WAIT = "wait"
    """Seconds."""
    KUBELET = "kubelet"
    """A stand-in kubelet for this node; with `pressure`, one whose node has that condition."""
    STOP_KUBELET = "stop_kubelet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    verb: Verb
    on: str
    """File, node, seconds, or `Kind/name`."""
    content: dict[str, Any]
    path: str
    value: str
    timeout_s: float
    pressure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds: until the fault shows, from then to the verdict, from the approval to healed."""

    sign_s: float = 60
    quiet_sign_s: float | None = None
    """Nothing ever shows in the API; so long after it broke, people would say it shows."""
    verdict_s: float = 75
    heal_s: float = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`at_fault` and `healed` name objects as `Kind/name`; `${namespace}` is filled in already."""

    name: str
    namespace: str
    folder: Path
    group: str
    story: str
    before: bool
    """Played before the co-pilot starts: what is over must stay unsaid."""
    at_fault: frozenset[str]
    """Any of these is right; `*` stands for what a controller adds to a name."""
    causes: frozenset[str]
    """Any of these is right."""
    never: frozenset[str]
    """Causes that must not be said to be supported."""
    fix: Fix
    healed: tuple[str, ...]
    """What must be ready at the end: of a fault once it is fixed, of a quiet scene in any case."""
    specs_only: bool
    """The lab cannot show its effect; it is judged from the specs."""
    namespace_labels: dict[str, str]
    steps: tuple[Step, ...]
    timeouts: Timeouts

    @property
    def is_quiet(self) -> bool:
        return self.group == QUIET

    @property
    def breaks_at(self) -> int:
        """The index of the step that breaks it: the first that changes something after all was
        well, or the first of all where it never was."""
        first = 0
        for n, step in enumerate(self.steps):
            if step.verb in (Verb.READY, Verb.UNTIL):
                first = n + 1
        changes = (n for n in range(first, len(self.steps)) if self.steps[n].verb is not Verb.WAIT)
        return next(changes, 0)

    def manifests(self, file: str) -> list[dict[str, Any]]:
        return _manifests(self.folder / file, self.namespace)


def filled(text: str, namespace: str) -> str:
    return text.replace("${namespace}", namespace)


def load(name: str, namespace: str) -> Scenario:
    """The scenario of this folder, for this namespace.

    Raises:
        ValueError: the folder says something we do not know.
    """
    folder = HERE / name
    text = (folder / "expect.yaml").read_text(encoding="utf-8")
    given = yaml.safe_load(filled(text, namespace))
    is_fault = given.pop("kind") == "fault"
    timeouts = Timeouts(**given.pop("timeouts", {}))
    steps = tuple(_step(one) for one in given.pop("steps", [{"apply": "objects.yaml"}]))
    at_fault = tuple(given.pop("at_fault", ()))
    scenario = Scenario(
        name=name,
        namespace=namespace,
        folder=folder,
        group=given.pop("group") if is_fault else QUIET,
        story=given.pop("story"),
        before=given.pop("before", False),
        at_fault=frozenset(at_fault),
        causes=frozenset(given.pop("causes", ())),
        never=frozenset(given.pop("not", ())),
        fix=Fix(given.pop("fix", "none")),
        healed=tuple(
            given.pop("healed", at_fault if is_fault else _workloads(folder, steps, namespace))
        ),
        specs_only=given.pop("specs_only", False),
        namespace_labels=given.pop("namespace_labels", {}),
        steps=steps,
        timeouts=timeouts,
    )
    if given:
        raise ValueError(f"{name}: what does {', '.join(given)} mean?")
    if is_fault and not (scenario.at_fault and scenario.causes):
        raise ValueError(f"{name}: a fault needs at_fault and causes")
    return scenario


def _workloads(folder: Path, steps: tuple[Step, ...], namespace: str) -> tuple[str, ...]:
    """Everything of a scene that becomes ready by itself."""
    files = (step.on for step in steps if step.verb is Verb.APPLY)
    made = (one for file in files for one in _manifests(folder / file, namespace))
    return tuple(
        f"{one['kind']}/{one['metadata']['name']}" for one in made if one["kind"] in RUNNING
    )


def _manifests(path: Path, namespace: str) -> list[dict[str, Any]]:
    text = filled(path.read_text(encoding="utf-8"), namespace)
    return [one for one in yaml.safe_load_all(text) if one]


def names() -> list[str]:
    """Every scenario, in order."""
    return sorted(found.parent.name for found in HERE.glob("*/expect.yaml"))


def namespaces(of: list[str], prefix: str = "shop") -> Iterator[tuple[str, str]]:
    """Each scenario and its namespace, whose name gives nothing away.

    Runs side by side on one cluster need prefixes of their own.
    """
    numbers = {name: number for number, name in enumerate(names(), start=1)}
    for name in of:
        yield name, f"{prefix}-{numbers[name]:02d}"


def _step(given: dict[str, Any]) -> Step:
    verb = next((word for word in given if word in list(Verb)), None)
    unknown = set(given) - {verb, "with", "path", "is", "timeout_s", "pressure"}
    if verb is None or unknown:
        raise ValueError(f"what does the step {given} mean?")
    return Step(
        verb=Verb(verb),
        on=str(given[verb]),
        content=given.get("with", {}),
        path=given.get("path", ""),
        value=str(given.get("is", "")),
        timeout_s=float(given.get("timeout_s", 60)),
        pressure=given.get("pressure", ""),
    )
