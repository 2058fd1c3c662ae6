"""A Service selects nobody, or others than the pods it is meant for."""

from __future__ import annotations

from copilot.causes.citing import change_key, concluded, object_key, said
from copilot.causes.failures import began_us, is_ready
from copilot.causes.listening import declared, named_port
from copilot.causes.questioned import (
    Question,
    changes_of,
    first_of,
    questioned,
    shown,
)
from copilot.causes.references import reference_to
from copilot.causes.selecting import (
    Difference,
    differences,
    labels_of,
    meant_for,
    pods_behind,
    selected_pods,
    selected_workloads,
    workloads_of,
)
from copilot.causes.wording import clock, one_line, time_before
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import Deployment

SURE = 0.92
CHANGED = 0.05
WRONG_PODS = 0.8
NOBODY = 0.5
REFUTED = 0.05


def service_selector_mismatch(case: Case) -> Hypothesis | None:
    """Supported where a Service that is not reached selects nobody although a workload is there
    that it is meant for, or picks others than that one.

    Refuted where pods stand behind it: then whatever is wrong, it is not the selector.
    """
    return first_of(_judged(case, q) for q in questioned(case))


def _judged(case: Case, question: Question) -> Hypothesis | None:
    picked = selected_workloads(case, question.service)
    meant = meant_for(case, question.service)
    if picked or selected_pods(case, question.service):
        return _wrong_pods(case, question, picked) or _fits(case, question)
    if question.alert is None and "Pod" not in case.surroundings.listed:
        return None  # somebody may carry it whom we do not see
    if meant is not None:
        return _nobody(case, question, meant)
    return _nobody_known(case, question)


def _nobody(case: Case, question: Question, meant: Deployment) -> Hypothesis | None:
    off = differences(question.service.spec.selector, labels_of(meant))
    name = one_line(meant.metadata.name, 80)
    kind = meant.kind or "Deployment"
    changed = _changed(case, question, meant, off)
    return concluded(
        Cause.SERVICE_SELECTOR_MISMATCH,
        title=f"Service {question.name} selects no pod: its selector does not fit {kind} {name}",
        verdict=Verdict.SUPPORTED,
        confidence=SURE + (CHANGED if changed else 0),
        supporting=(
            *said(
                case,
                f"Service {question.name} selects {_words(question)}, which no pod carries.",
                question.key,
            ),
            *said(
                case,
                f"{kind} {name}, for which it is meant, differs: it selects "
                f"{'; '.join(one_line(d.words, 120) for d in off[:3])}.",
                *_pod_keys(case, meant),
                object_key(meant.metadata),
                question.key,
            ),
            *changed,
            *shown(case, question),
        ),
        subject=question.ref,
        detail="selects_nobody",
    )


def _nobody_known(case: Case, question: Question) -> Hypothesis | None:
    """Nobody it picks and nobody it is meant for: the pods may be gone, or never have been."""
    if not {"Deployment", "Pod"} <= case.surroundings.listed:
        return None
    return concluded(
        Cause.SERVICE_SELECTOR_MISMATCH,
        title=f"Service {question.name} selects no pod",
        verdict=Verdict.INCONCLUSIVE,
        confidence=NOBODY,
        supporting=(
            *said(
                case,
                f"Service {question.name} selects {_words(question)}, and no pod or workload of "
                "the namespace carries that.",
                question.key,
            ),
            *shown(case, question),
        ),
        next_check="Find out which pods it is meant for: whether they are gone or never were.",
        subject=question.ref,
        detail="selects_nobody",
    )


def _wrong_pods(
    case: Case, question: Question, picked: tuple[Deployment, ...]
) -> Hypothesis | None:
    """It picks another workload, which cannot serve its port, instead of or beside the one that
    has its name."""
    named = [w for w in workloads_of(case) if w.metadata.name == question.service.metadata.name]
    strangers = [w for w in picked if w not in named and not _can_serve(question, w)]
    if not named or not strangers or not _can_serve(question, named[0]):
        return None
    own, stranger = named[0], strangers[0]
    is_beside = own in picked
    other = one_line(stranger.metadata.name, 80)
    changed = changes_of(case, question.ref, reference_to(stranger))
    return concluded(
        Cause.SERVICE_SELECTOR_MISMATCH,
        title=f"Service {question.name} {'also ' if is_beside else ''}selects the pods of {other}",
        verdict=Verdict.SUPPORTED,
        confidence=WRONG_PODS + (CHANGED if changed else 0),
        supporting=(
            *said(
                case,
                f"Service {question.name} selects {_words(question)}, which the pods of {other} "
                f"carry{' too' if is_beside else ''}; they do not name the port it sends to.",
                question.key,
                object_key(stranger.metadata),
            ),
            *shown(case, question),
        ),
        subject=question.ref,
        detail="wrong_pods",
    )


def _fits(case: Case, question: Question) -> Hypothesis | None:
    pods = selected_pods(case, question.service)
    if not pods:
        return None
    ready = sum(is_ready(p) for p in pods)
    return concluded(
        Cause.SERVICE_SELECTOR_MISMATCH,
        title=f"Service {question.name} does not select its pods",
        verdict=Verdict.REFUTED,
        confidence=REFUTED,
        against=said(
            case,
            f"Service {question.name} selects {len(pods)} pods, {ready} of them ready.",
            question.key,
            *(object_key(p.metadata) for p in pods[:3]),
        ),
        subject=question.ref,
    )


def _can_serve(question: Question, workload: Deployment) -> bool:
    """Its containers name the port that the Service sends to."""
    spec = workload.spec.template.spec
    numbers = {p.container_port for p in declared(spec)}
    targets = [p.target_port or p.port for p in question.service.spec.ports or ()]
    return any(
        named_port(spec, t) is not None if isinstance(t, str) else t in numbers for t in targets
    )


def _changed(
    case: Case, question: Question, meant: Deployment, off: tuple[Difference, ...]
) -> tuple[Statement, ...]:
    """Who changed the selector, or the labels it no longer fits."""
    keys = {d.key for d in off}
    for change in changes_of(case, question.ref, reference_to(meant)):
        about = [
            f
            for f in change.fields
            if ("selector" in f.path or "labels" in f.path)
            and any(key in f.path or key in f"{f.before}{f.after}" for key in keys)
        ]
        if about:
            by = f" by {one_line(change.actor, 60)}" if change.actor else ""
            return said(
                case,
                f"{change.object} was changed{by} at {clock(change.ts_us)}, "
                f"{time_before(began_us(case) - change.ts_us).lower()} the first sign: "
                f"{one_line(change.title, 120)}.",
                change_key(change),
            )
    return ()


def _words(question: Question) -> str:
    wanted = question.service.spec.selector or {}
    return one_line(", ".join(f"{k}={v}" for k, v in sorted(wanted.items())), 160)


def _pod_keys(case: Case, meant: Deployment) -> tuple[str, ...]:
    return tuple(object_key(p.metadata) for p in pods_behind(case, meant)[:2])
