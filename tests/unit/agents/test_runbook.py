"""The runbook agent: what the files say, which of them fits, and the seed for the database."""

import sqlite3
from pathlib import Path

import msgspec
import pytest

from copilot.agents.runbook import parse_runbook, seed_sql, steps_of, suggest
from copilot.domain.alert import Alert, Rule
from copilot.domain.case import Case
from copilot.domain.errors import Invalid
from copilot.domain.event import LogLine
from copilot.domain.hypothesis import Cause, Findings, Hypothesis, Verdict
from copilot.domain.runbook import Runbook
from tests.builders_detect import an_alert, an_incident_about
from tests.builders_objects import NOW_US

FOLDER = Path(__file__).parents[3] / "docs" / "runbooks"

TEXT = """---
title: A disk is full
service: "*"
tags: [disk]
causes: [bad_rollout]
rules: [error_burst]
---
It fills.

## Steps
1. Look: `df -h`
   and at the inodes too.
2. Delete what is old.

   Ask first.

## Verify
1. This is no step.
"""


def shipped() -> list[Runbook]:
    return [
        parse_runbook(path.stem, path.read_text(), NOW_US) for path in sorted(FOLDER.glob("*.md"))
    ]


def a_case(*alerts: Alert, lines: tuple[str, ...] = ()) -> Case:
    return Case(
        taken_us=NOW_US,
        incident=an_incident_about(alerts[0]),
        alerts=alerts,
        owner_chain=(),
        workload=None,
        replica_sets=(),
        pods=(),
        nodes=(),
        services=(),
        events=(),
        lines=tuple(
            LogLine(
                address="1:1",
                ts_us=NOW_US,
                level="error",
                namespace="demo",
                app="oom-demo",
                pod="p",
                container="app",
                body=body,
            )
            for body in lines
        ),
        templates=(),
        memory=(),
        changes=(),
        similar=(),
        attempts=(),
        evidence=(),
        cited_as={},
        gaps=(),
    )


def a_hypothesis(
    cause: Cause, *, verdict: Verdict = Verdict.SUPPORTED, confidence: float = 0.8
) -> Hypothesis:
    return Hypothesis(
        id="H1",
        cause=cause,
        subject=None,
        detail="",
        title=cause.replace("_", " "),
        verdict=verdict,
        confidence=confidence,
        supporting=(),
        against=(),
        next_check="",
        agent="detective",
    )


def findings(*hypotheses: Hypothesis) -> Findings:
    return Findings(
        summary=(), hypotheses=hypotheses, dropped=0, model="", tokens_in=0, tokens_out=0
    )


# ---------------------------------------------------------------- files


def test_a_file_becomes_a_runbook_with_its_causes_and_rules_as_tags() -> None:
    runbook = parse_runbook("disk-full", TEXT, NOW_US)

    assert (runbook.slug, runbook.title, runbook.service) == ("disk-full", "A disk is full", "*")
    assert runbook.tags == ("disk", "cause:bad_rollout", "rule:error_burst")
    assert runbook.body.startswith("It fills.")


def test_steps_are_the_ordered_list_of_their_section_with_what_belongs_to_each() -> None:
    runbook = parse_runbook("disk-full", TEXT.replace("\n", "\r\n"), NOW_US)

    assert steps_of(runbook.body) == (
        "Look: `df -h`\nand at the inodes too.",
        "Delete what is old.\n\nAsk first.",
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# no front matter", "must begin with front matter"),
        ("---\ntitle: [\n---\n## Steps\n1. a\n", "front matter"),
        ("---\nservice: web\n---\n## Steps\n1. a\n", "title"),
        ("---\ntitle: a\ncauses: [bad_luck]\n---\n## Steps\n1. a\n", "bad_luck"),
        ("---\ntitle: a\nrules: [bad_luck]\n---\n## Steps\n1. a\n", "bad_luck"),
        ("---\ntitle: a\n---\nNo steps.\n", "no ordered list"),
    ],
)
def test_a_file_that_is_no_runbook_says_which_and_why(text: str, says: str) -> None:
    with pytest.raises(Invalid, match="runbook odd") as raised:
        parse_runbook("odd", text, NOW_US)

    assert says in raised.value.message


def test_every_rule_and_every_cause_has_a_runbook() -> None:
    tags = {tag for runbook in shipped() for tag in runbook.tags}

    assert {f"rule:{rule}" for rule in Rule} <= tags
    assert {f"cause:{cause}" for cause in Cause} <= tags


@pytest.mark.parametrize("runbook", shipped(), ids=lambda r: r.slug)
def test_every_shipped_runbook_has_all_its_sections(runbook: Runbook) -> None:
    headings = [line[3:] for line in runbook.body.splitlines() if line.startswith("## ")]

    wanted = ["Symptoms", "Confirm", "Likely causes", "Steps", "Fix", "Verify", "Prevent"]
    assert headings == wanted
    assert len(steps_of(runbook.body)) >= 5
    assert "kubectl" in runbook.body


# ---------------------------------------------------------------- what fits


@pytest.mark.parametrize(
    ("cause", "rule", "slug"),
    [
        (Cause.MEMORY_LIMIT_TOO_LOW, Rule.OOM_KILLED, "oom-killed"),
        (Cause.MEMORY_LEAK, Rule.OOM_KILLED, "memory-leak"),
        (Cause.BAD_ROLLOUT, Rule.CRASH_LOOP, "bad-rollout"),
        (Cause.IMAGE_MISSING, Rule.IMAGE_PULL, "image-pull"),
        (Cause.BAD_PROBE, Rule.NOT_READY, "bad-probe"),
        (Cause.UNSCHEDULABLE, Rule.UNSCHEDULABLE, "unschedulable"),
        (Cause.UNKNOWN, Rule.CRASH_LOOP, "crash-loop"),
        (Cause.UNKNOWN, Rule.ERROR_BURST, "error-burst"),
        (Cause.UNKNOWN, Rule.EXTERNAL, "external-alert"),
    ],
)
def test_each_cause_is_answered_by_its_own_runbook(cause: Cause, rule: Rule, slug: str) -> None:
    matches = suggest(a_case(an_alert(rule)), findings(a_hypothesis(cause)), shipped())

    assert matches[0].slug == slug
    assert 1 <= len(matches) <= 3
    assert all(0 <= match.score <= 1 for match in matches)


def test_without_any_hypothesis_the_rule_that_fired_decides() -> None:
    matches = suggest(a_case(an_alert(Rule.UNSCHEDULABLE)), findings(), shipped())

    assert matches[0].slug == "unschedulable"
    assert matches[0].reason == "for alerts of rule unschedulable"


def test_the_reason_names_the_hypothesis_and_the_steps_are_those_of_the_file() -> None:
    (first, *_) = suggest(
        a_case(an_alert(Rule.OOM_KILLED)),
        findings(a_hypothesis(Cause.MEMORY_LEAK, confidence=0.82)),
        shipped(),
    )

    assert first.reason == (
        "written for memory leak (H1, supported, 82%); for alerts of rule oom killed"
    )
    assert first.steps[0].startswith("If the slope began with a rollout")


def test_a_refuted_cause_does_not_bring_its_runbook_forward() -> None:
    refuted = a_hypothesis(Cause.MEMORY_LEAK, verdict=Verdict.REFUTED, confidence=0.9)
    likely = a_hypothesis(Cause.MEMORY_LIMIT_TOO_LOW, confidence=0.5)

    matches = suggest(a_case(an_alert(Rule.OOM_KILLED)), findings(likely, refuted), shipped())

    assert matches[0].slug == "oom-killed"
    assert all("memory leak" not in match.reason for match in matches)


def test_an_undecided_cause_counts_less_than_a_supported_one() -> None:
    undecided = a_hypothesis(Cause.MEMORY_LEAK, verdict=Verdict.INCONCLUSIVE)
    supported = a_hypothesis(Cause.MEMORY_LIMIT_TOO_LOW)

    matches = suggest(a_case(an_alert()), findings(undecided, supported), shipped())

    assert [match.slug for match in matches][:2] == ["oom-killed", "memory-leak"]


def test_words_of_the_log_decide_between_equals() -> None:
    one = parse_runbook("one", TEXT.replace("It fills.", "certificate x509 expired"), NOW_US)
    other = parse_runbook("other", TEXT.replace("It fills.", "deadlock in postgres"), NOW_US)
    case = a_case(an_alert(Rule.ERROR_BURST), lines=("x509: certificate has expired",))

    assert [match.slug for match in suggest(case, findings(), [other, one])] == ["one", "other"]


def test_a_runbook_of_another_service_never_fits_and_one_of_ours_does() -> None:
    theirs = parse_runbook("theirs", TEXT.replace('"*"', "billing"), NOW_US)
    ours = parse_runbook("ours", TEXT.replace('"*"', "oom-demo"), NOW_US)
    case = a_case(an_alert(Rule.ERROR_BURST))

    (match,) = suggest(case, findings(), [theirs, ours])

    assert match.slug == "ours"
    assert "kept for oom-demo" in match.reason


def test_nothing_fits_where_nothing_speaks_for_any() -> None:
    case = a_case(an_alert(Rule.UNSCHEDULABLE, title="zzz"))

    assert suggest(case, findings(), [parse_runbook("disk-full", TEXT, NOW_US)]) == ()
    assert suggest(case, findings(), []) == ()


# ---------------------------------------------------------------- the seed


def test_the_seed_loads_twice_and_leaves_one_row_for_each_runbook() -> None:
    db = sqlite3.connect(":memory:")
    db.execute(
        "CREATE TABLE runbooks (id INTEGER PRIMARY KEY, slug TEXT UNIQUE, service TEXT, title TEXT,"
        " body TEXT, tags TEXT, source TEXT, updated_us INTEGER)"
    )
    runbooks = shipped()

    for _ in range(2):
        db.executescript(seed_sql(runbooks))

    rows = db.execute("SELECT slug, body, tags FROM runbooks ORDER BY slug").fetchall()
    assert rows == [
        (r.slug, r.body, msgspec.json.encode(r.tags).decode())
        for r in sorted(runbooks, key=lambda r: r.slug)
    ]
    db.close()


def test_the_seed_brings_an_older_row_up_to_date() -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE runbooks (slug, service, title, body, tags, source, updated_us)")
    old = parse_runbook("disk", TEXT, NOW_US)
    new = parse_runbook("disk", TEXT.replace("It fills.", "It's full; -- it was'nt"), NOW_US + 1)

    db.executescript(seed_sql([old]))
    db.executescript(seed_sql([new]))

    assert db.execute("SELECT body, updated_us FROM runbooks").fetchall() == [
        (new.body, NOW_US + 1)
    ]
    db.close()


@pytest.mark.parametrize("bad", ["a \\ backslash", "a \0 byte"])
def test_what_databases_would_read_differently_is_refused(bad: str) -> None:
    odd = parse_runbook("odd", TEXT.replace("It fills.", bad), NOW_US)

    with pytest.raises(Invalid, match="backslash"):
        seed_sql([odd])
