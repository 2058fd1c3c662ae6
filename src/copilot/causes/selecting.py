"""Who a selector picks, and whom a Service that picks nobody is meant for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from copilot.causes.failures import is_gone
from copilot.causes.nearness import is_near
from copilot.domain.case import Case
from copilot.domain.objects import Deployment, ObjectRef, Pod, Service
from copilot.domain.selectors import matches

Labels = dict[str, str] | None
_SUFFIXES = ("-service", "-svc", "-headless", "-lb", "-public", "-internal", "-http")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One entry of a selector that labels do not meet; `carried` is None where they lack it."""

    key: str
    wanted: str
    carried: str | None

    @property
    def words(self) -> str:
        """`app=wbe, while they carry app=web`."""
        carried = f"{self.key}={self.carried}" if self.carried is not None else f"no {self.key}"
        return f"{self.key}={self.wanted}, while they carry {carried}"


def picks(wanted: Labels, labels: Labels) -> bool:
    """Whether every entry of a plain selector is among the labels."""
    carried = labels or {}
    return all(carried.get(key) == value for key, value in (wanted or {}).items())


def differences(wanted: Labels, labels: Labels) -> tuple[Difference, ...]:
    carried = labels or {}
    return tuple(
        Difference(key=key, wanted=value, carried=carried.get(key))
        for key, value in (wanted or {}).items()
        if carried.get(key) != value
    )


# ------------------------------------------------------------------ what is there


def services_of(case: Case) -> tuple[Service, ...]:
    """Of the namespace, each once."""
    both = (*case.services, *case.surroundings.services)
    return tuple({(s.metadata.namespace, s.metadata.name): s for s in both}.values())


def pods_of(case: Case) -> tuple[Pod, ...]:
    """Of the namespace, each once, without those that are gone."""
    both = (*case.surroundings.pods, *case.pods)
    return tuple({p.metadata.uid: p for p in both if not is_gone(p)}.values())


def workloads_of(case: Case) -> tuple[Deployment, ...]:
    """Of the namespace, each once."""
    own = (case.workload,) if case.workload is not None else ()
    both = (*case.surroundings.workloads, *own)
    return tuple({(w.kind or "Deployment", w.metadata.name): w for w in both}.values())


def service_named(case: Case, reference: ObjectRef) -> Service | None:
    return next(
        (
            s
            for s in services_of(case)
            if (s.metadata.namespace, s.metadata.name) == (reference.namespace, reference.name)
        ),
        None,
    )


def service_ref(service: Service) -> ObjectRef:
    return ObjectRef(
        kind="Service",
        namespace=service.metadata.namespace,
        name=service.metadata.name,
        uid=service.metadata.uid,
    )


def labels_of(workload: Deployment) -> dict[str, str]:
    """What its pods carry."""
    return workload.spec.template.metadata.labels or {}


def selects(service: Service, labels: Labels) -> bool:
    """A Service without a selector selects nobody: its endpoints are made by hand.
    https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors"""
    return bool(service.spec.selector) and picks(service.spec.selector, labels)


def selected_pods(case: Case, service: Service) -> tuple[Pod, ...]:
    return tuple(p for p in pods_of(case) if selects(service, p.metadata.labels))


def selected_workloads(case: Case, service: Service) -> tuple[Deployment, ...]:
    return tuple(w for w in workloads_of(case) if selects(service, labels_of(w)))


def pods_behind(case: Case, workload: Deployment) -> tuple[Pod, ...]:
    return tuple(p for p in pods_of(case) if matches(workload.spec.selector, p.metadata.labels))


# ------------------------------------------------------------------ whom it is meant for


def meant_for(case: Case, service: Service) -> Deployment | None:
    """The one workload that a Service is meant for, by its name, by the labels it nearly selects
    and by the port it sends to; None where none or several come into question."""
    scored = [(_likeness(service, w), w) for w in workloads_of(case)]
    best = max((score for score, _ in scored), default=0)
    likely = [w for score, w in scored if score == best]
    return likely[0] if best >= 2 and len(likely) == 1 else None


def _likeness(service: Service, workload: Deployment) -> int:
    labels = labels_of(workload)
    wanted = service.spec.selector or {}
    off = differences(wanted, labels)
    score = _of_names(service.metadata.name, workload.metadata.name)
    score += 2 if wanted and len(off) < len(wanted) else 0
    score += sum(d.carried is not None and is_near(d.wanted, d.carried) for d in off)
    return score + (1 if _sends_to(service, workload) else 0)


def _of_names(service: str, workload: str) -> int:
    if service == workload:
        return 3
    bare = next((service.removesuffix(s) for s in _SUFFIXES if service.endswith(s)), service)
    return 2 if bare == workload or service.startswith(f"{workload}-") else 0


def _sends_to(service: Service, workload: Deployment) -> bool:
    declared: Iterable[int | str] = (
        value
        for c in workload.spec.template.spec.containers or ()
        for p in c.ports or ()
        for value in (p.container_port, p.name)
    )
    targets = {p.target_port or p.port for p in service.spec.ports or ()}
    return any(value in targets for value in declared if value)
