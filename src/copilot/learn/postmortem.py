"""The draft of a postmortem, in Markdown. Pure.

Every text in it may come from a log, a pod or a model: it is shown, and can neither format the
page nor link anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from copilot.domain.evidence import Evidence
from copilot.domain.hypothesis import Findings, Hypothesis, Statement, Verdict
from copilot.domain.incident import Incident, TimelineEntry
from copilot.domain.memory import SimilarIncident
from copilot.domain.proposal import Proposal, ProposalStatus

_SPECIAL = re.compile(r"([\\`*_\[\]#!|<>~&$@]|:(?=//)|(?<=www)\.)")
"""Formatting, HTML, tables, mentions and bare addresses."""
_AT_START = re.compile(r"^(\d*)([-+=.)])")
"""Lists and underlined headings."""
_MOST_CHARS = 500
_DONE = (
    ProposalStatus.APPLIED,
    ProposalStatus.VERIFIED,
    ProposalStatus.REVERTED,
    ProposalStatus.FAILED,
)


class Record(Protocol):
    """What a postmortem is written from."""

    @property
    def incident(self) -> Incident: ...
    @property
    def timeline(self) -> Sequence[TimelineEntry]: ...
    @property
    def findings(self) -> Findings: ...
    @property
    def evidence(self) -> Sequence[Evidence]: ...
    @property
    def proposals(self) -> Sequence[Proposal]: ...


def postmortem(record: Record, similar: Sequence[SimilarIncident] = ()) -> str:
    """Markdown with times in UTC: what happened, why, what was ruled out, what was done, and the
    evidence behind each sentence. Gaps for people to fill are marked `TODO`."""
    return "\n".join(
        (
            *_head(record.incident),
            *_cause(record.findings),
            *_timeline(record.timeline),
            *_actions(record.proposals),
            *_similar(similar),
            *_evidence(record.evidence),
            "## To do",
            "",
            "- TODO: what would have prevented it, who does it, until when",
            "",
        )
    )


def escaped(text: str) -> str:
    """One line of text that Markdown shows as it is."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    cut = flat if len(flat) <= _MOST_CHARS else f"{flat[: _MOST_CHARS - 1]}…"
    return _AT_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", cut))


def _head(incident: Incident) -> Iterator[str]:
    yield f"# Postmortem INC-{incident.id}: {escaped(incident.title)}"
    yield ""
    yield f"- Where: {escaped(str(incident.workload))}, cluster {escaped(incident.cluster)}"
    yield f"- Severity: {incident.severity}"
    yield f"- First signal: {_utc(incident.first_signal_us)}"
    yield f"- Opened: {_utc(incident.opened_us)}"
    if incident.acknowledged_us is not None:
        by = f" by {escaped(incident.acknowledged_by)}" if incident.acknowledged_by else ""
        yield f"- Acknowledged: {_utc(incident.acknowledged_us)}{by}"
    if incident.resolved_us is None:
        yield "- Not resolved yet"
    else:
        yield f"- Resolved: {_utc(incident.resolved_us)}, after {incident.mttr_seconds} s"
        yield f"- Resolution: {escaped(incident.resolution or 'none given')}"
    yield ""


def _cause(findings: Findings) -> Iterator[str]:
    yield "## Cause"
    yield ""
    yield from (_sentence(statement) for statement in findings.summary)
    for verdict, heading in (
        (Verdict.SUPPORTED, "Supported"),
        (Verdict.INCONCLUSIVE, "Not decided"),
        (Verdict.REFUTED, "Ruled out"),
    ):
        found = [h for h in findings.hypotheses if h.verdict is verdict]
        if found:
            yield ""
            yield f"### {heading}"
            yield ""
            for hypothesis in found:
                yield from _hypothesis(hypothesis)
    if not findings.hypotheses:
        yield "The cause is not known."
    yield ""


def _hypothesis(hypothesis: Hypothesis) -> Iterator[str]:
    yield (
        f"- **{escaped(hypothesis.title)}** ({hypothesis.confidence:.0%}, "
        f"said by {escaped(hypothesis.agent)})"
    )
    yield from (f"  - for: {_sentence(statement)}" for statement in hypothesis.supporting)
    yield from (f"  - against: {_sentence(statement)}" for statement in hypothesis.against)
    if hypothesis.next_check:
        yield f"  - would decide it: {escaped(hypothesis.next_check)}"


def _sentence(statement: Statement) -> str:
    return f"{escaped(statement.text)} ({', '.join(escaped(e) for e in statement.evidence)})"


def _timeline(entries: Sequence[TimelineEntry]) -> Iterator[str]:
    yield "## Timeline (UTC)"
    yield ""
    yield "| when | what | who |"
    yield "|---|---|---|"
    for entry in sorted(entries, key=lambda e: (e.ts_us, e.seq)):
        detail = f": {escaped(entry.detail)}" if entry.detail else ""
        yield f"| {_utc(entry.ts_us)} | {escaped(entry.title)}{detail} | {escaped(entry.actor)} |"
    yield ""


def _actions(proposals: Sequence[Proposal]) -> Iterator[str]:
    yield "## What was done"
    yield ""
    done = [p for p in proposals if p.status in _DONE]
    for proposal in done:
        yield f"- {escaped(proposal.title)}: {proposal.status}"
        yield f"  - why: {escaped(proposal.why)}"
        yield "  - the same by hand:"
        yield ""
        yield from (f"        {line}" for line in _code(proposal.command))
    if not done:
        yield "Nothing was changed by the co-pilot."
    yield ""


def _code(text: str) -> list[str]:
    """For an indented block: nothing in it is formatted, and no line of it can leave it."""
    shown = "".join(c if c.isprintable() or c == "\n" else " " for c in text[:4000])
    return shown.split("\n")


def _similar(similar: Sequence[SimilarIncident]) -> Iterator[str]:
    if not similar:
        return
    yield "## Seen before"
    yield ""
    for each in similar:
        memory = each.memory
        held = "held" if memory.has_held else "did not hold"
        what = f": {escaped(memory.fix)} {held}" if memory.fix else ""
        yield f"- INC-{memory.incident_id} {escaped(each.title)} ({escaped(each.reason)}){what}"
    yield ""


def _evidence(evidence: Sequence[Evidence]) -> Iterator[str]:
    yield "## Evidence"
    yield ""
    for item in evidence:
        where = escaped(item.source)
        yield f"- **{escaped(item.id)}** {_utc(item.occurred_us)} {escaped(item.title)} ({where})"
    if not evidence:
        yield "None was kept."
    yield ""


def _utc(at_us: int) -> str:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at_us)
    return moment.strftime("%Y-%m-%d %H:%M:%S")
