"""Services that somebody cannot reach, and by what that shows: whom to ask about their specs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from copilot.causes.citing import alert_key, object_key, said
from copilot.causes.connecting import Call, How, calls
from copilot.causes.failures import alerts_of, began_us
from copilot.causes.rollouts import JUST_BEFORE_US, SLACK_US
from copilot.causes.selecting import selected_pods, selects, service_ref, services_of
from copilot.causes.wording import clock, one_line
from copilot.domain.alert import Alert, Rule
from copilot.domain.case import Case
from copilot.domain.change import Change
from copilot.domain.hypothesis import Hypothesis, Statement, Verdict
from copilot.domain.objects import ObjectRef, Pod, Service

_BY_VERDICT = (Verdict.SUPPORTED, Verdict.INCONCLUSIVE, Verdict.REFUTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One Service that does not serve, by a caller's log or by an alert."""

    service: Service
    call: Call | None
    alert: Alert | None

    @property
    def ref(self) -> ObjectRef:
        return service_ref(self.service)

    @property
    def name(self) -> str:
        return one_line(self.service.metadata.name, 80)

    @property
    def key(self) -> str:
        return object_key(self.service.metadata)


def questioned(case: Case) -> tuple[Question, ...]:
    """Each Service once, those that a log complains about first. Not those that merely do not
    resolve, nor those made by hand or for an address outside."""
    found: dict[str, Question] = {}
    for call in calls(case):
        if call.service is not None and call.trouble.how is not How.UNRESOLVED:
            question = Question(service=call.service, call=call, alert=None)
            found.setdefault(call.service.metadata.name, question)
    for alert in alerts_of(case, Rule.NO_ENDPOINTS):
        for service in _meant_by(case, alert):
            question = Question(service=service, call=None, alert=alert)
            found.setdefault(service.metadata.name, question)
    return tuple(
        q
        for q in found.values()
        if q.service.spec.selector and q.service.spec.type != "ExternalName"
    )


def shown(case: Case, question: Question) -> tuple[Statement, ...]:
    """What shows that it does not serve."""
    if question.call is not None:
        return said(case, question.call.text, question.call.key)
    if question.alert is None:
        return ()
    return said(
        case,
        f"No ready pod stands behind Service {question.name} since "
        f"{clock(question.alert.starts_us)}.",
        alert_key(question.alert),
        question.key,
    )


def first_of(found: Iterable[Hypothesis | None]) -> Hypothesis | None:
    """The best of several about the same cause: by verdict, then by confidence."""
    given = [h for h in found if h is not None]
    return min(given, key=lambda h: (_BY_VERDICT.index(h.verdict), -h.confidence), default=None)


def stands_behind(case: Case, service: Service) -> bool:
    """Whether the case's own pods are those that the Service sends to."""
    return any(selects(service, p.metadata.labels) for p in case.pods)


def called_pods(case: Case, service: Service) -> tuple[Pod, ...]:
    """The pods behind a Service that are evidence, else all of them."""
    there = selected_pods(case, service)
    return tuple(p for p in there if object_key(p.metadata) in case.cited_as) or there


def changes_of(case: Case, *objects: ObjectRef) -> tuple[Change, ...]:
    """What was changed of these objects in the half hour before the first sign, newest first."""
    began = began_us(case)
    names = {(o.kind, o.name) for o in objects}
    near = [
        c
        for c in case.changes
        if (c.object.kind, c.object.name) in names
        and began - JUST_BEFORE_US <= c.ts_us <= began + SLACK_US
    ]
    return tuple(sorted(near, key=lambda c: c.ts_us, reverse=True))


def _meant_by(case: Case, alert: Alert) -> tuple[Service, ...]:
    """The Service that an alert is about, or all of the workload that it names."""
    own = alert.workload
    if own.kind == "Service":
        return tuple(s for s in services_of(case) if s.metadata.name == own.name)
    return tuple(
        s for s in services_of(case) if s.metadata.name == own.name or stands_behind(case, s)
    )
