"""No node takes the pod: it asks for more than there is, or for a node that does not exist."""

from __future__ import annotations

from collections.abc import Iterable

from copilot.causes.citing import backed, concluded, event_key, object_key, said
from copilot.causes.failures import (
    alerts_of,
    began_us,
    containers_of,
    events_about,
    is_gone,
    quantity_of,
)
from copilot.causes.rollouts import Part, just_before
from copilot.causes.wording import clock, time_before
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.errors import Invalid
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import (
    Condition,
    KubeEvent,
    Node,
    Pod,
    PodSpec,
    Taint,
    Toleration,
    epoch_us,
)
from copilot.domain.quantity import humanise_bytes, parse_millicores
from copilot.domain.scheduling import Obstacle, obstacles_in

SAID_BY_THE_SCHEDULER = 0.92
SHOWN_BY_THE_NODES = 0.97
BOUND_SINCE = 0.05


def unschedulable(case: Case) -> Hypothesis | None:
    """Supported by the scheduler's own words, surer where specs and nodes show the same.

    Refuted where the pod has found a node since.
    """
    homeless = [p for p in case.pods if not is_gone(p) and _is_pending(p)]
    if not homeless:
        return _bound_since(case)
    pending = backed(case, homeless, lambda p: object_key(p.metadata))[0]
    event = _last_failure(case, pending)
    message = event.message if event else _condition(pending).message or ""
    obstacles = obstacles_in(message)
    shown = _shown(case, pending)
    keys = (*((event_key(event),) if event else ()), object_key(pending.metadata))
    return concluded(
        Cause.UNSCHEDULABLE,
        title=_title(pending, obstacles),
        verdict=Verdict.SUPPORTED,
        confidence=SHOWN_BY_THE_NODES if shown else SAID_BY_THE_SCHEDULER,
        supporting=(
            *said(case, f"{pending.metadata.name} has no node: {_words(obstacles)}.", *keys),
            *shown,
            *_changed(case),
        ),
        next_check="" if shown else "Compare the pod's requests with what is free on each node.",
    )


def _title(pod: Pod, obstacles: tuple[Obstacle, ...]) -> str:
    most = max(obstacles, key=lambda o: o.nodes, default=None)
    return f"No node can take {pod.metadata.name}" + (f": {most.plain}" if most else "")


def _words(obstacles: tuple[Obstacle, ...]) -> str:
    if not obstacles:
        return "the scheduler has not said why"
    return ", ".join(f"{o.nodes} × {o.reason}" if o.nodes else o.reason for o in obstacles)


def _is_pending(pod: Pod) -> bool:
    return not pod.spec.node_name and _condition(pod).status == "False"


def _condition(pod: Pod) -> Condition:
    none = Condition(type="PodScheduled", status="Unknown")
    return next((c for c in pod.status.conditions or () if c.type == "PodScheduled"), none)


def _last_failure(case: Case, pod: Pod) -> KubeEvent | None:
    failures = events_about(case, "FailedScheduling")
    return next((e for e in failures if e.involved_object.uid == pod.metadata.uid), None)


def _shown(case: Case, pod: Pod) -> tuple[Statement, ...]:
    """What the specs say when they are held against the nodes."""
    if not case.nodes:
        return ()
    return (
        *_too_large(case, pod, "memory"),
        *_too_large(case, pod, "cpu"),
        *_no_such_label(case, pod),
        *_tainted(case, pod),
        *_cordoned(case),
    )


def _too_large(case: Case, pod: Pod, resource: str) -> tuple[Statement, ...]:
    wanted = requested(pod.spec, resource)
    largest = max(case.nodes, key=lambda n: _amount(n.status.allocatable, resource))
    most = _amount(largest.status.allocatable, resource)
    if wanted <= most or not most:
        return ()
    words = humanise_bytes if resource == "memory" else _cores
    return said(
        case,
        f"It asks for {words(wanted)} of {resource}; the largest node, {largest.metadata.name}, "
        f"has {words(most)} in all. At most that would ever fit.",
        object_key(pod.metadata),
        object_key(largest.metadata),
    )


def requested(spec: PodSpec, resource: str) -> int:
    """What a pod asks for: bytes of memory or thousandths of a core, limits where no request is.

    Init containers run one after the other before the rest, so the largest of them counts.
    """
    each = {
        c.name: _amount(
            {
                **((c.resources.limits if c.resources else None) or {}),
                **((c.resources.requests if c.resources else None) or {}),
            },
            resource,
        )
        for c in containers_of(spec)
    }
    main = sum(each[c.name] for c in spec.containers or ())
    return max([main, *(each[c.name] for c in spec.init_containers or ())])


def _amount(amounts: dict[str, str] | None, resource: str) -> int:
    if resource == "memory":
        return quantity_of(amounts, resource) or 0
    try:
        return parse_millicores((amounts or {}).get(resource, "0"))
    except Invalid:
        return 0


def _cores(millicores: int) -> str:
    return f"{millicores / 1000:g} cores"


def _no_such_label(case: Case, pod: Pod) -> tuple[Statement, ...]:
    found: tuple[Statement, ...] = ()
    for key, value in sorted((pod.spec.node_selector or {}).items()):
        labels = [n.metadata.labels or {} for n in case.nodes]
        if any(have.get(key) == value for have in labels):
            continue
        others = sorted({have[key] for have in labels if key in have})
        there = f"; there are {', '.join(others[:5])}" if others else ""
        found += said(
            case,
            f"It wants a node labelled {key}={value}; no node is{there}.",
            object_key(pod.metadata),
            *_nodes(case.nodes),
        )
    return found


def _tainted(case: Case, pod: Pod) -> tuple[Statement, ...]:
    """Only where every node repels it: otherwise another one would do."""
    repelled = {
        n.metadata.name: taint
        for n in case.nodes
        for taint in (n.spec.taints or ())
        if taint.effect in ("NoSchedule", "NoExecute") and not _tolerates(pod, taint)
    }
    if len(repelled) < len(case.nodes):
        return ()
    taints = sorted({f"{t.key}={t.value}" if t.value else t.key for t in repelled.values()})
    return said(
        case,
        f"Every node has a taint that it does not tolerate: {', '.join(taints[:5])}.",
        object_key(pod.metadata),
        *_nodes(case.nodes),
    )


def _tolerates(pod: Pod, taint: Taint) -> bool:
    return any(_matches(t, taint) for t in pod.spec.tolerations or ())


def _matches(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect not in ("", taint.effect):
        return False
    if toleration.operator == "Exists":
        return toleration.key in ("", taint.key)
    return toleration.key == taint.key and toleration.value == taint.value


def _cordoned(case: Case) -> tuple[Statement, ...]:
    if not all(n.spec.unschedulable for n in case.nodes):
        return ()
    return said(case, "Every node is cordoned (kubectl cordon or drain).", *_nodes(case.nodes))


def _nodes(nodes: Iterable[Node]) -> list[str]:
    return [object_key(n.metadata) for n in nodes]


def _changed(case: Case) -> tuple[Statement, ...]:
    rollout = just_before(case, began_us(case))
    if rollout is None or Part.PLACE not in rollout.parts:
        return ()
    return said(
        case,
        f"{time_before(began_us(case) - rollout.at_us)}, its requests or placement were changed"
        f"{rollout.by}: {rollout.title}.",
        *rollout.keys,
    )


def _bound_since(case: Case) -> Hypothesis | None:
    """It waited for a node, and got one."""
    waited = {e.involved_object.uid: e for e in events_about(case, "FailedScheduling")}
    named = {a.pod for a in alerts_of(case, Rule.UNSCHEDULABLE)}
    for pod in case.pods:
        event = waited.get(pod.metadata.uid)
        if not pod.spec.node_name or (event is None and pod.metadata.name not in named):
            continue
        since = epoch_us(_condition(pod).last_transition_time)
        when = f" since {clock(since)}" if since else ""
        return concluded(
            Cause.UNSCHEDULABLE,
            title=f"No node can take {pod.metadata.name}",
            verdict=Verdict.REFUTED,
            confidence=BOUND_SINCE,
            against=said(
                case,
                f"{pod.metadata.name} runs on node {pod.spec.node_name}{when}.",
                object_key(pod.metadata),
                *((event_key(event),) if event else ()),
            ),
        )
    return None
