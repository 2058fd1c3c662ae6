"""The remediator: what could be done about the causes that are supported, best first. Pure.

It only suggests typed actions; `remediate` plans, guards and dry-runs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from copilot.agents.drafting import drafted
from copilot.agents.remedies import REMEDIES
from copilot.agents.rollback import roll_back
from copilot.agents.sizing import NoSize, memory_size, tried_limits
from copilot.causes.citing import cited, object_key
from copilot.causes.failures import (
    began_us,
    limit_of,
    oom_kills,
)
from copilot.causes.memory_series import time_to_failure_us
from copilot.causes.references import resizable, workload_ref
from copilot.causes.rollouts import just_before
from copilot.causes.wording import lasting, one_line
from copilot.domain.action import Action, RollBack, SetMemory
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Findings, Hypothesis, Statement, Verdict
from copilot.domain.objects import Container, Deployment, ReplicaSet
from copilot.domain.proposal import Draft
from copilot.domain.quantity import format_bytes, humanise_bytes

MOST_DRAFTS = 4
SHORT_LIFE_US = 5_000_000
"""A container that is killed sooner may be missed while it runs."""
_MEMORY = (Cause.MEMORY_LIMIT_TOO_LOW, Cause.MEMORY_LEAK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do, and for people why something they may expect is not suggested."""

    drafts: tuple[Draft, ...]
    notes: tuple[str, ...]


def drafts(case: Case, findings: Findings) -> tuple[Draft, ...]:
    """Typed actions for the supported hypotheses, best first, four at most."""
    return advise(case, findings).drafts


def advise(case: Case, findings: Findings) -> Advice:
    """The drafts, with notes on what is not suggested and why.

    Where nothing is supported but memory is suspected, one step up is offered as a stopgap that
    says so: its verification decides.
    """
    supported = [h for h in findings.hypotheses if h.verdict is Verdict.SUPPORTED]
    found = [found for h in supported for found in _answers(case, findings, h)]
    workload = resizable(case)
    if workload is not None and not any(isinstance(f, Draft) for f in found):
        desk = _Desk(case=case, workload=workload, findings=findings)
        undecided = (
            h
            for h in findings.hypotheses
            if h.verdict is Verdict.INCONCLUSIVE and h.cause in _MEMORY
        )
        found += [answer for h in undecided for answer in desk.memory(h)]
    drafts = [f for f in found if isinstance(f, Draft)]
    if len(supported) > 1:  # going back takes care of several causes at once
        drafts.sort(key=lambda draft: not isinstance(draft.action, RollBack))
    return Advice(
        drafts=_best(drafts),
        notes=tuple(dict.fromkeys(f for f in found if isinstance(f, str))),
    )


def _answers(case: Case, findings: Findings, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """What there is to do about one cause."""
    remedy = REMEDIES.get(hypothesis.cause)
    workload = resizable(case) if hypothesis.cause in _MEMORY else case.workload
    if remedy is not None:
        yield from remedy(case, hypothesis)
    elif workload is None:
        yield f"only a workload with a pod template can be changed, and this is {workload_ref(case)}"
    else:
        yield from _Desk(case=case, workload=workload, findings=findings).answers(hypothesis)


def refrained(case: Case, findings: Findings) -> tuple[Statement, ...]:
    """Why nothing is suggested, as one sentence; none where something is, or nothing is known."""
    advice = advise(case, findings)
    if advice.drafts or not findings.hypotheses:
        return ()
    why = "; ".join(advice.notes) or "no cause is sure enough to act on"
    first = findings.hypotheses[0]
    rests_on = (
        *cited(case, (object_key(r.metadata) for r in case.replica_sets)),
        *(id for s in (*first.supporting, *first.against) for id in s.evidence),
    )
    sentence = Statement(
        text=f"No fix is proposed: {one_line(why, 400)}.", evidence=tuple(dict.fromkeys(rests_on))
    )
    return (sentence,) if rests_on else ()


def _best(found: Iterable[Draft]) -> tuple[Draft, ...]:
    """Each action once, with what speaks for it first; what cites nothing is not said."""
    once: dict[Action, Draft] = {}
    for draft in found:
        if draft.evidence:
            once.setdefault(draft.action, draft)
    return tuple(once.values())[:MOST_DRAFTS]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """The case on the table. A method gives drafts, or notes (text) where it has none."""

    case: Case
    workload: Deployment
    findings: Findings

    def answers(self, hypothesis: Hypothesis) -> Iterator[Draft | str]:
        match hypothesis.cause:
            case Cause.MEMORY_LIMIT_TOO_LOW:
                yield from self.memory(hypothesis)
                yield from self.roll_back(hypothesis, about=".resources.limits")
            case Cause.MEMORY_LEAK:
                yield from self.roll_back(hypothesis, about="].image")
                yield from self.memory(hypothesis)
            case Cause.BAD_ROLLOUT:
                yield from self.undo(hypothesis)
            case _:  # a cause without a remedy of ours
                yield from ()

    def memory(self, hypothesis: Hypothesis) -> Iterator[Draft | str]:
        """The memory limit one size up; a stopgap where memory leaks or that is undecided."""
        container = self._container()
        now = limit_of(self.workload.spec.template.spec, container) if container else None
        if now is None:
            yield "the container that was killed has no memory limit to raise"
            return
        killed_at = [
            limit_of(k.pod.spec, container) or 0
            for k in oom_kills(self.case)
            if k.container == container
        ]
        if killed_at and max(killed_at) < now:
            yield f"its memory limit is {humanise_bytes(now)} since the last kill already"
            return
        size = memory_size(self.case, container, now)
        leaks = self._verdict(Cause.MEMORY_LEAK)
        if isinstance(size, NoSize):
            tried = ", ".join(humanise_bytes(t) for t in tried_limits(self.case, container))
            is_leak = tried and leaks is Verdict.SUPPORTED
            yield (
                f"more memory only buys time, and {tried} did not hold" if is_leak else size.reason
            )
            return
        before, after = humanise_bytes(now), format_bytes(size.limit)
        is_stopgap = leaks is Verdict.SUPPORTED or hypothesis.verdict is Verdict.INCONCLUSIVE
        why = f"{size.because[0].upper()}{size.because[1:]}."
        if is_stopgap:
            why += f" {self._time_bought(now, size.limit)}"
        lived_us = time_to_failure_us(self.case)
        if self.workload.kind == "Pod" and lived_us and lived_us < SHORT_LIFE_US:
            why += (
                f" It lives for {lasting(lived_us)}, and kubelets up to 1.34 at least give a pod "
                "its new limit only while it runs: if it does not hold, make the pod anew."
            )
        if leaks is Verdict.INCONCLUSIVE:
            why += " Whether it leaks is not decided: the verification will tell."
        yield drafted(
            self.case,
            SetMemory(
                target=workload_ref(self.case),
                container=container,
                limit=after,
                request=self._request(container, after),
            ),
            title=f"Set the memory limit of {container} from {before} to {after}",
            why=why,
            hypothesis=hypothesis,
            keys=size.keys,
            is_stopgap=is_stopgap,
        )

    def undo(self, hypothesis: Hypothesis) -> Iterator[Draft | str]:
        """Back to the revision before; a ConfigMap stays as it is then, and with it the trouble."""
        changed = just_before(self.case, began_us(self.case))
        if changed is not None and changed.config_map:
            name = changed.config_map
            yield f"what changed is ConfigMap {name}, which is for people to change back"
            return
        yield from self.roll_back(hypothesis, about=None)

    def roll_back(
        self, hypothesis: Hypothesis, about: str | None = "", beside: str = ""
    ) -> Iterator[Draft | str]:
        """See `rollback.roll_back`; for more memory only to a revision that had more."""
        is_memory = about == ".resources.limits"
        yield from roll_back(
            self.case,
            hypothesis,
            about=about,
            beside=beside,
            wanted=self._has_more_memory if is_memory else lambda _: True,
        )

    def _container(self) -> str:
        """The one that ran out of memory, as far as pods or alerts tell."""
        kills = oom_kills(self.case)
        if kills:
            return kills[-1].container
        named = [a.container for a in self.case.alerts if a.container]
        if named:
            return named[-1]
        own = self.workload.spec.template.spec.containers or []
        return own[0].name if len(own) == 1 else ""

    def _request(self, container: str, limit: str) -> str | None:
        """Where request and limit were equal they stay so: the pod keeps its quality of service."""
        found = _container(self.workload, container)
        resources = found.resources if found else None
        request = ((resources.requests if resources else None) or {}).get("memory")
        before = ((resources.limits if resources else None) or {}).get("memory")
        return limit if request is not None and request == before else None

    def _time_bought(self, before: int, after: int) -> str:
        lived_us = time_to_failure_us(self.case)
        if not lived_us:
            return "It buys time, how much is unknown, and removes no cause."
        then = lasting(round(lived_us * after / before))
        return (
            f"If memory goes on growing as seen, it lasts about {then} instead of "
            f"{lasting(lived_us)}: that buys time and removes no cause."
        )

    def _verdict(self, cause: Cause) -> Verdict | None:
        return next((h.verdict for h in self.findings.hypotheses if h.cause is cause), None)

    def _has_more_memory(self, earlier: ReplicaSet) -> bool:
        container = self._container()
        then = limit_of(earlier.spec.template.spec, container)
        now = limit_of(self.workload.spec.template.spec, container)
        return then is None or (now is not None and then > now)


def _container(owner: Deployment, name: str) -> Container | None:
    return next((c for c in owner.spec.template.spec.containers or () if c.name == name), None)
