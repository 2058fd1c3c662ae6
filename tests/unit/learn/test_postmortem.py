"""The draft of a postmortem."""

import re
from dataclasses import dataclass, replace

import msgspec
import pytest

from copilot.domain.evidence import Evidence, EvidenceKind
from copilot.domain.hypothesis import Cause, Findings, Hypothesis, Statement, Verdict
from copilot.domain.incident import EntryKind, Incident, IncidentId, TimelineEntry
from copilot.domain.proposal import Proposal, ProposalStatus
from copilot.learn.postmortem import escaped, postmortem
from tests.builders_case import a_similar, an_incident
from tests.builders_objects import ago_us
from tests.builders_remediate import a_cluster, a_proposal
from tests.fakes import FixedClock

INCIDENT = an_incident()
NOTHING = Findings(summary=(), hypotheses=(), dropped=0, model="", tokens_in=0, tokens_out=0)

FORMATS = re.compile(r"(?<!\\)([\[\]<>!|`*_@#]|://)|^([-+=]|\d+[.)])")
"""What Markdown would act on: not behind a backslash, or at the start of the line."""


@dataclass(frozen=True, kw_only=True)
class ARecord:
    incident: Incident = INCIDENT
    timeline: tuple[TimelineEntry, ...] = ()
    findings: Findings = NOTHING
    evidence: tuple[Evidence, ...] = ()
    proposals: tuple[Proposal, ...] = ()


def a_hypothesis(title: str, verdict: Verdict) -> Hypothesis:
    said = (Statement(text="It was OOMKilled.", evidence=("E1",)),)
    return Hypothesis(
        id="H1",
        cause=Cause.MEMORY_LIMIT_TOO_LOW,
        subject=None,
        detail="",
        title=title,
        verdict=verdict,
        confidence=0.72,
        supporting=() if verdict is Verdict.REFUTED else said,
        against=said if verdict is Verdict.REFUTED else (),
        next_check="",
        agent="detective",
    )


def an_entry(title: str, *, ago_s: float, seq: int = 1, detail: str = "") -> TimelineEntry:
    return TimelineEntry(
        incident_id=IncidentId(7),
        seq=seq,
        ts_us=ago_us(ago_s),
        kind=EntryKind.NOTE,
        actor="alice",
        title=title,
        detail=detail,
        evidence=(),
    )


def an_evidence(title: str) -> Evidence:
    return Evidence(
        id="E1",
        kind=EvidenceKind.OBJECT,
        title=title,
        occurred_us=ago_us(20),
        source="object:uid-1@424",
        body="{}",
    )


def with_findings(*hypotheses: Hypothesis) -> ARecord:
    return ARecord(findings=replace(NOTHING, hypotheses=hypotheses))


def test_times_are_in_utc_and_the_end_is_told() -> None:
    ended = replace(
        an_incident(first_signal_us=ago_us(60)),
        resolved_us=ago_us(0),
        resolution="fixed",
        mttr_seconds=60,
    )

    text = postmortem(ARecord(incident=ended))

    assert "- First signal: 2026-11-23 07:59:00" in text
    assert "- Resolved: 2026-11-23 08:00:00, after 60 s" in text


def test_what_was_ruled_out_stays_with_what_speaks_against_it() -> None:
    text = postmortem(
        with_findings(
            a_hypothesis("the limit is too low", Verdict.SUPPORTED),
            a_hypothesis("it leaks", Verdict.REFUTED),
        )
    )

    ruled_out = text.split("### Ruled out")[1]
    assert "**it leaks** (72%, said by detective)" in ruled_out
    assert "against: It was OOMKilled. (E1)" in ruled_out
    assert "the limit is too low" not in ruled_out


def test_not_knowing_is_said() -> None:
    text = postmortem(ARecord())

    assert "The cause is not known." in text
    assert "Nothing was changed by the co-pilot." in text


def test_the_timeline_is_in_the_order_of_time() -> None:
    late, early = an_entry("late", ago_s=5), an_entry("early", ago_s=50, seq=2)

    text = postmortem(ARecord(timeline=(late, early)))

    assert text.index("early") < text.index("late")


async def test_only_what_was_done_is_listed_with_its_command() -> None:
    done = await a_proposal(a_cluster(FixedClock()))
    verified = msgspec.structs.replace(done, status=ProposalStatus.VERIFIED)
    rejected = msgspec.structs.replace(done, status=ProposalStatus.REJECTED, title="rejected one")

    text = postmortem(ARecord(proposals=(verified, rejected)))

    assert f"        {done.command}" in text
    assert "rejected one" not in text


def test_evidence_and_similar_incidents_are_listed() -> None:
    text = postmortem(ARecord(evidence=(an_evidence("pod killed"),)), [a_similar()])

    assert "- **E1** 2026-11-23 07:59:40 pod killed (object:uid-1\\@424)" in text
    assert "INC-3" in text
    assert "memory limit of app 32Mi → 64Mi held" in text


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param("[click](http://evil.example)", id="a-link"),
        pytest.param("![x](http://evil.example/x.png)", id="an-image"),
        pytest.param("<script>alert(1)</script>", id="html"),
        pytest.param("| a | b |", id="a-table"),
        pytest.param("https://evil.example", id="a-bare-address"),
        pytest.param("@everyone #12", id="a-mention"),
        pytest.param("- item", id="a-list"),
        pytest.param("12. item", id="a-numbered-list"),
        pytest.param("=== ", id="an-underline"),
        pytest.param("`code` **bold** _it_", id="formatting"),
    ],
)
def test_text_of_strangers_is_shown_and_nothing_more(hostile: str) -> None:
    shown = escaped(hostile)

    assert shown.replace("\\", "") == hostile.strip()
    assert not FORMATS.search(shown)


def test_a_line_cannot_begin_a_new_block() -> None:
    shown = escaped("fine\n\n# Heading\r\n- item\x1b[31m\u202e")

    assert "\n" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\# Heading" in shown


def test_long_text_is_cut() -> None:
    assert len(escaped("x" * 10_000)) == 500


def test_hostile_titles_reach_the_page_escaped() -> None:
    text = postmortem(
        ARecord(
            incident=replace(an_incident(), title="<img src=x>"),
            timeline=(an_entry("a | b", ago_s=1, detail="c | d"),),
            evidence=(an_evidence("[x](http://e)"),),
        )
    )

    assert "\\<img src=x\\>" in text
    assert "a \\| b: c \\| d" in text
    assert "\\[x\\](http\\://e)" in text
