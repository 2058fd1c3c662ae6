"""What a run showed, held against what was expected. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from statistics import median
from typing import Any

from lab.scenarios.expectation import Fix, Scenario


@dataclass(kw_only=True)
class Outcome:
    """Of one scenario. Times are seconds from the first sign, None for what never came."""

    name: str
    group: str
    fix: str
    sign: str = ""
    """What first showed it, as the runner saw it."""
    sign_s: float | None = None
    """From the break to that sign."""
    incidents: list[str] = field(default_factory=list)
    detect_s: float | None = None
    verdict_s: float | None = None
    """Until the first hypothesis named the right object and cause."""
    first_verdict: str = ""
    """The first hypothesis as it was first seen, where it was not right then."""
    verdict: str = ""
    """The first hypothesis at the end: cause, detail, object."""
    verdict_after: str = ""
    """What it says once its fix did not hold, where that is another: told, and not counted."""
    object_right: bool = False
    cause_right: bool = False
    never_said: list[str] = field(default_factory=list)
    """Causes that were said to be supported and must not be."""
    proposal: str = ""
    verification: str = ""
    """`verified`, `reverted`, ...; empty where nothing was approved."""
    healed: bool = False
    """Verified by the co-pilot, and ready in the runner's own eyes."""
    heal_s: float | None = None
    """From the approval."""
    too_early: list[str] = field(default_factory=list)
    """Incidents from before it was broken: false ones."""
    problem: str = ""
    """Why the scenario itself could not be played."""
    room: list[Any] = field(default_factory=list)
    """The incidents as they were read last, for who looks into a miss."""

    @property
    def is_quiet(self) -> bool:
        return self.group == "quiet"

    @property
    def detected(self) -> bool:
        return bool(self.incidents)

    @property
    def right(self) -> bool:
        return self.object_right and self.cause_right


def is_object_right(scenario: Scenario, hypothesis: dict[str, Any], at: str) -> bool:
    """The hypothesis' subject, or where it names none, what the incident is about."""
    subject = hypothesis.get("subject")
    named = f"{subject['kind']}/{subject['name']}" if subject else at
    return any(fnmatchcase(named, one) for one in scenario.at_fault)


def is_cause_right(scenario: Scenario, hypothesis: dict[str, Any]) -> bool:
    return hypothesis["verdict"] != "refuted" and hypothesis["cause"] in scenario.causes


def said_wrongly(scenario: Scenario, hypotheses: Iterable[dict[str, Any]]) -> list[str]:
    supported = {one["cause"] for one in hypotheses if one["verdict"] == "supported"}
    return sorted(supported & scenario.never)


def told(hypothesis: dict[str, Any]) -> str:
    """A hypothesis in one line."""
    subject = hypothesis.get("subject")
    named = f" {subject['kind']}/{subject['name']}" if subject else ""
    detail = f":{hypothesis['detail']}" if hypothesis.get("detail") else ""
    return f"{hypothesis['cause']}{detail}{named}"


@dataclass(frozen=True, slots=True)
class Part:
    """So many of so many."""

    n: int
    of: int

    def __str__(self) -> str:
        return f"{self.n}/{self.of}"

    @property
    def percent(self) -> str:
        return f"{100 * self.n / self.of:.0f} %" if self.of else "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Of some faults."""

    detected: Part
    object_right: Part
    cause_right: Part
    proposed: Part
    """Of those that a fix of ours can heal."""
    healed: Part
    """Of those that a fix of ours can heal."""
    healed_of_all: Part
    never_said: int
    too_early: int
    detect_s: float | None
    """Median."""
    verdict_s: float | None


def sums(outcomes: Sequence[Outcome]) -> Sums:
    faults = [one for one in outcomes if not one.is_quiet and not one.problem]
    healable = [one for one in faults if one.fix == Fix.HEALS]

    def part(holds: Iterable[bool], of: Sequence[Outcome]) -> Part:
        return Part(sum(holds), len(of))

    return Sums(
        detected=part((one.detected for one in faults), faults),
        object_right=part((one.object_right for one in faults), faults),
        cause_right=part((one.right for one in faults), faults),
        proposed=part((bool(one.proposal) for one in healable), healable),
        healed=part((one.healed for one in healable), healable),
        healed_of_all=part((one.healed for one in faults), faults),
        never_said=sum(bool(one.never_said) for one in faults),
        too_early=sum(bool(one.too_early) for one in faults),
        detect_s=_median(one.detect_s for one in faults),
        verdict_s=_median(one.verdict_s for one in faults),
    )


def false_findings(outcomes: Iterable[Outcome]) -> Part:
    """Quiet scenarios with an incident."""
    quiet = [one for one in outcomes if one.is_quiet and not one.problem]
    return Part(sum(one.detected for one in quiet), len(quiet))


def _median(values: Iterable[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return median(known) if known else None
