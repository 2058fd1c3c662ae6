"""A Service selects nobody, or the wrong ones: back to what it selected, or to what its pods carry."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.causes.citing import change_key, object_key
from copilot.causes.questioned import changes_of
from copilot.causes.selecting import (
    differences,
    labels_of,
    meant_for,
    picks,
    service_named,
    workloads_of,
)
from copilot.causes.wording import one_line, plain
from copilot.domain.action import Entries, SetSelector
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import Deployment, ObjectRef, Service
from copilot.domain.proposal import Draft

SELECTOR = "spec.selector"


def service_selector_mismatch(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """First what stood there before somebody changed it, then what the pods carry; only where the
    Service then selects the one workload it is meant for and no other."""
    service = service_named(case, hypothesis.subject) if hypothesis.subject else None
    if service is None or hypothesis.subject is None:
        yield "the Service is not there any more"
        return
    meant = next(
        (w for w in workloads_of(case) if w.metadata.name == service.metadata.name),
        None,
    ) or meant_for(case, service)
    if meant is None:
        yield f"nothing tells which pods Service {service.metadata.name} is meant for"
        return
    found = [
        d
        for d in (
            _as_before(case, hypothesis, hypothesis.subject, service, meant),
            _as_carried(case, hypothesis, hypothesis.subject, service, meant),
        )
        if d is not None
    ]
    yield from found
    if not found and (key := _set_at_run_time(case, service, meant)):
        yield (
            f"a program may set the label {key} on one of the pods of {meant.metadata.name}, as "
            "databases do on their leader: without it the traffic would go to all of them, so who "
            "sets it is for people to find out"
        )
    elif not found:
        yield (
            f"no change of its selector would make Service {service.metadata.name} select "
            f"{meant.metadata.name} alone"
        )


def _as_before(
    case: Case, hypothesis: Hypothesis, target: ObjectRef, service: Service, meant: Deployment
) -> Draft | None:
    for change in changes_of(case, target):
        entries: Entries = tuple(
            (f.path.removeprefix(SELECTOR).strip(".[]\"'"), plain(f.before) if f.before else None)
            for f in change.fields
            if f.path.startswith(f"{SELECTOR}.") or f.path.startswith(f"{SELECTOR}[")
        )
        if entries and _fits(case, service, entries, meant):
            return drafted(
                case,
                SetSelector(target=target, entries=entries),
                title=f"Let Service {target.name} select {_words(entries)} again",
                why="So it was before it was changed, and the pods carry that.",
                hypothesis=hypothesis,
                keys=(change_key(change), object_key(service.metadata)),
            )
    return None


def _as_carried(
    case: Case, hypothesis: Hypothesis, target: ObjectRef, service: Service, meant: Deployment
) -> Draft | None:
    if _set_at_run_time(case, service, meant):
        return None
    carried = labels_of(meant)
    off: Entries = tuple((d.key, d.carried) for d in differences(service.spec.selector, carried))
    own = (meant.spec.selector.match_labels if meant.spec.selector else None) or {}
    narrower: Entries = tuple((k, v) for k, v in own.items() if carried.get(k) == v)
    for entries in (off, (*off, *(e for e in narrower if e not in off))):
        if entries and _fits(case, service, entries, meant):
            return drafted(
                case,
                SetSelector(target=target, entries=entries),
                title=f"Let Service {target.name} select {_words(entries)}",
                why=f"The pods of {one_line(meant.metadata.name, 80)}, for which it is meant, "
                "carry that.",
                hypothesis=hypothesis,
                keys=(object_key(service.metadata), object_key(meant.metadata)),
            )
    return None


def _set_at_run_time(case: Case, service: Service, meant: Deployment) -> str:
    """A label it selects that no template carries, where the workload has all the others; empty
    for none."""
    anywhere = {key for w in workloads_of(case) for key in labels_of(w)}
    off = differences(service.spec.selector, labels_of(meant))
    if not off or len(off) == len(service.spec.selector or {}):
        return ""
    missing = [one_line(d.key, 63) for d in off if d.key not in anywhere]
    return missing[0] if len(missing) == len(off) else ""


def _fits(case: Case, service: Service, entries: Entries, meant: Deployment) -> bool:
    """It would select that workload and nobody else."""
    wanted = {**(service.spec.selector or {})}
    for key, value in entries:
        wanted.pop(key, None)
        if value is not None:
            wanted[key] = value
    strangers = any(
        w.metadata.name != meant.metadata.name and picks(wanted, labels_of(w))
        for w in workloads_of(case)
    )
    is_new = wanted != (service.spec.selector or {})
    return is_new and bool(wanted) and picks(wanted, labels_of(meant)) and not strangers


def _words(entries: Entries) -> str:
    return one_line(", ".join(f"{k}={v}" if v is not None else f"no {k}" for k, v in entries), 120)
