"""The outcomes as people read them: on a terminal, and in the docs. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lab.scenarios.score import Outcome, Sums, false_findings, sums

HEADINGS = ("scenario", "first sign", "detected", "verdict", "found", "fix", "healed")


def rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """One a scenario, as `HEADINGS`; times in seconds from the first sign."""
    return [_quiet(one) if one.is_quiet else _fault(one) for one in outcomes]


def text(outcomes: Sequence[Outcome]) -> str:
    """For a terminal."""
    lines = _aligned([HEADINGS, *rows(outcomes)])
    return "\n".join([*lines, "", *_aligned(_by_group(outcomes)), "", *_totals(outcomes)])


def markdown(outcomes: Sequence[Outcome], stories: dict[str, str]) -> str:
    """For the docs: sums first, then each scenario with what it is."""
    parts = ["\n".join(f"- {line}" for line in _totals(outcomes)), _md(_by_group(outcomes))]
    faults = [one for one in outcomes if not one.is_quiet]
    quiet = [one for one in outcomes if one.is_quiet]
    parts.append(
        _md([(*HEADINGS, "what is wrong"), *((*_fault(o), stories[o.name]) for o in faults)])
    )
    said = [
        (one.name, "; ".join(one.incidents) or one.problem or "-", stories[one.name])
        for one in quiet
    ]
    parts.append(_md([("quiet scene", "wrongly found", "what it is"), *said]))
    return "\n\n".join(parts) + "\n"


def _fault(one: Outcome) -> tuple[str, ...]:
    if one.problem:
        return (one.name, one.problem[:60], "", "", "not played", "", "")
    mark = "yes" if one.right else ("object only" if one.object_right else "no")
    mark = "cause only" if one.cause_right and not one.object_right else mark
    wrong = f" (wrongly: {', '.join(one.never_said)})" if one.never_said else ""
    return (
        one.name,
        one.sign or "none",
        _seconds(one.detect_s, "no"),
        _seconds(one.verdict_s, mark),
        (one.verdict or "-") + wrong,
        one.proposal or ("-" if one.fix == "heals" else f"({one.fix})"),
        _healed(one),
    )


def _quiet(one: Outcome) -> tuple[str, ...]:
    found = "; ".join(one.incidents)
    return (one.name, "", f"FALSE: {found}" if found else one.problem or "quiet", "", "", "", "")


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
        f" a wrong cause said to be supported in {all_of_it.never_said} faults"
    )
    missing = [f"NOT PLAYED: {unplayed}"] if unplayed else []
    return [found, fixed, took, wrong, *missing]


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
