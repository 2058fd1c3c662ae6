"""The outcomes as people read them: on a terminal, and in the docs. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lab.scenarios.expectation import Scenario
from lab.scenarios.score import Outcome, Sums, false_findings, sums

HEADINGS = ("scenario", "first sign", "detected", "verdict", "found", "fix", "healed")


def line(outcome: Outcome) -> str:
    """One outcome as soon as it is known."""
    return "  ".join(_quiet(outcome) if outcome.is_quiet else _fault(outcome))


def text(outcomes: Sequence[Outcome]) -> str:
    """For a terminal."""
    faults = [one for one in outcomes if not one.is_quiet]
    quiet = [one for one in outcomes if one.is_quiet]
    tables = [
        [HEADINGS, *(_fault(one) for one in faults)],
        [("quiet scene", ""), *(_quiet(one) for one in quiet)],
        _by_group(outcomes),
    ]
    parts = ["\n".join(_aligned(lines)) for lines in tables if len(lines) > 1]
    return "\n\n".join([*parts, "\n".join(_totals(outcomes))])


def page(outcomes: Sequence[Outcome], scenarios: Sequence[Scenario], played: str) -> str:
    """The page of the docs: how it is judged, the sums, then each scenario with what it is.

    `played` says when and on what, for people.
    """
    stories = {one.name: one.story for one in scenarios}
    faults = [one for one in outcomes if not one.is_quiet]
    quiet = [one for one in outcomes if one.is_quiet]
    told = [(*HEADINGS, "what is wrong"), *((*_fault(one), stories[one.name]) for one in faults)]
    scenes = [
        (one.name, "; ".join(one.incidents) or one.problem or "nothing", stories[one.name])
        for one in quiet
    ]
    specs = ", ".join(f"`{one.name}`" for one in scenarios if one.specs_only)
    parts = [
        _PAGE.format(played=played, faults=len(faults), quiet=len(quiet), specs=specs or "none"),
        "\n".join(f"- {line}" for line in _totals(outcomes)),
        _md(_by_group(outcomes)),
        "## Faults",
        _md(told),
        "## Quiet scenes",
        _md([("scene", "wrongly found", "what it is"), *scenes]),
    ]
    return "\n\n".join(parts) + "\n"


_PAGE = """# Faults on a real cluster

`make lab-scenarios` plays {faults} faults and {quiet} quiet scenes side by side on a real
Kubernetes, each in a namespace of its own, with a co-pilot that watches, and writes this page with
`ARGS="--markdown docs/faults.md"`. `CONTEXT=kind-x` takes a cluster of yours, on whose nodes the
images of `python -m lab images FOLDER` must be. Played {played}.

How it is judged:

- **First sign** is what the runner's own watch saw first: a bad state, a condition, a Warning event.
  All times count from there. What never shows in the API counts from when people would say that it
  shows.
- **Detected**: there is an incident in the namespace, or at its node. **Verdict**: the first
  hypothesis names the right object *and* the right cause; where several are true, any of them.
  It must do so within 75 s in general, and 2 to 4 min where the fault itself takes its time.
  What it says after a fix of ours did not hold is told behind it, and not counted.
- **Fix**: the first proposal that the cluster accepted in a dry run. It is approved through the API.
  **Healed**: the co-pilot says verified, and the runner sees everything ready, and still a while
  later. `(none)`: nothing that the co-pilot may do heals it, and the runbook says what people can.
  `(may)`: it is not counted among those that must heal.
- A **quiet scene** is healthy, recovered or only looks odd: any incident in it within two minutes is
  false.
- Judged from the specs alone, as the lab cannot show their effect: {specs}. Nodes that fail are
  objects with a stand-in kubelet: the lab's one real node must stay well.

The manifests and expectations are in `lab/scenarios/`; no line of the product reads them.

## Sums"""


def _fault(one: Outcome) -> tuple[str, ...]:
    if one.problem:
        return (one.name, one.problem[:60], "", "", "not played", "", "")
    mark = "yes" if one.right else ("object only" if one.object_right else "no")
    mark = "cause only" if one.cause_right and not one.object_right else mark
    wrong = f" (wrongly: {', '.join(one.never_said)})" if one.never_said else ""
    after = f"; when that did not hold: {one.verdict_after}" if one.verdict_after else ""
    return (
        one.name,
        one.sign or "none",
        _seconds(one.detect_s, "no"),
        _seconds(one.verdict_s, mark),
        (one.verdict or "-") + wrong + after,
        one.proposal or ("-" if one.fix == "heals" else f"({one.fix})"),
        _healed(one),
    )


def _quiet(one: Outcome) -> tuple[str, ...]:
    found = "; ".join(one.incidents)
    return (one.name, f"FALSE: {found}" if found else one.problem or "quiet")


def _healed(one: Outcome) -> str:
    if one.healed:
        return _seconds(one.heal_s, "yes")
    return one.verification or "-"


def _totals(outcomes: Sequence[Outcome]) -> list[str]:
    all_of_it = sums(outcomes)
    unplayed = sum(bool(one.problem) for one in outcomes)
    found = (
        f"detected {all_of_it.detected} faults, object right {all_of_it.object_right},"
        f" object and cause right {all_of_it.cause_right} ({all_of_it.cause_right.percent})"
    )
    fixed = (
        f"fix proposed {all_of_it.proposed} and healed {all_of_it.healed}"
        f" ({all_of_it.healed.percent}) of those that a fix of ours can heal;"
        f" healed {all_of_it.healed_of_all} ({all_of_it.healed_of_all.percent}) of all faults"
    )
    took = (
        f"median from the first sign: to the incident {_seconds(all_of_it.detect_s, '-')},"
        f" to the right verdict {_seconds(all_of_it.verdict_s, '-')}"
    )
    wrong = (
        f"false incidents in {false_findings(outcomes)} quiet scenes;"
        f" a wrong cause said to be supported in {all_of_it.never_said} faults;"
        f" an incident before anything was broken in {all_of_it.too_early}"
    )
    early = [f"too early: {o.name}: {'; '.join(o.too_early)}" for o in outcomes if o.too_early]
    missing = [f"NOT PLAYED: {unplayed}"] if unplayed else []
    return [found, fixed, took, wrong, *early, *missing]


def _by_group(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    groups = dict.fromkeys(one.group for one in outcomes if not one.is_quiet)
    lines = [_sum_row(name, sums([o for o in outcomes if o.group == name])) for name in groups]
    heads = ("group", "detected", "object", "object and cause", "proposed", "healed", "of all")
    return [heads, *lines, _sum_row("all", sums(outcomes))]


def _sum_row(name: str, of: Sums) -> tuple[str, ...]:
    parts = (of.detected, of.object_right, of.cause_right, of.proposed, of.healed, of.healed_of_all)
    return (name, *(str(part) for part in parts))


def _seconds(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:.1f} s"


def _aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    return [
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines
    ]


def _md(lines: Sequence[tuple[str, ...]]) -> str:
    head, *rest = [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]
    return "\n".join([head, "|" + "---|" * len(lines[0]), *rest])
