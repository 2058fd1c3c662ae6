"""The runbook agent: what the files say, which of them fits, and the seed for the database."""

import re
import sqlite3
from functools import cache
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


@cache
def shipped() -> tuple[Runbook, ...]:
    return tuple(
        parse_runbook(path.stem, path.read_text(), NOW_US) for path in sorted(FOLDER.glob("*.md"))
    )


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
    cause: Cause,
    *,
    verdict: Verdict = Verdict.SUPPORTED,
    confidence: float = 0.8,
    title: str | None = None,
) -> Hypothesis:
    return Hypothesis(
        id="H1",
        cause=cause,
        subject=None,
        detail="",
        title=cause.replace("_", " ") if title is None else title,
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


LEAST_SUPPORTED = 0.5
"""No cause says that it is supported with less."""

SHOWS_AS = {
    Cause.MEMORY_LIMIT_TOO_LOW: {Rule.OOM_KILLED},
    Cause.MEMORY_LEAK: {Rule.OOM_KILLED},
    Cause.BAD_ROLLOUT: {Rule.CRASH_LOOP, Rule.NOT_READY, Rule.ERROR_BURST},
    Cause.IMAGE_MISSING: {Rule.IMAGE_PULL},
    Cause.BAD_PROBE: {Rule.NOT_READY, Rule.CRASH_LOOP},
    Cause.UNSCHEDULABLE: {Rule.UNSCHEDULABLE},
    Cause.MEMORY_VOLUME: {Rule.OOM_KILLED},
    Cause.CPU_LIMIT_TOO_LOW: {Rule.CPU_THROTTLED, Rule.NOT_READY},
    Cause.CONFIG_MISSING: {Rule.NOT_READY},
    Cause.SECRET_MISSING: {Rule.NOT_READY},
    Cause.BAD_SETTING: {Rule.CRASH_LOOP, Rule.NOT_READY, Rule.ERROR_BURST, Rule.JOB_FAILED},
    Cause.COMMAND_INVALID: {Rule.CRASH_LOOP, Rule.JOB_FAILED},
    Cause.PORT_CONFLICT: {Rule.CRASH_LOOP},
    Cause.VOLUME_UNAVAILABLE: {Rule.VOLUME_PENDING, Rule.UNSCHEDULABLE},
    Cause.VOLUME_PERMISSION: {Rule.CRASH_LOOP},
    Cause.QUOTA_EXCEEDED: {Rule.NOT_CREATED},
    Cause.LIMIT_RANGE_VIOLATED: {Rule.NOT_CREATED},
    Cause.ADMISSION_DENIED: {Rule.NOT_CREATED},
    Cause.ADMISSION_WEBHOOK_DOWN: {Rule.NOT_CREATED},
    Cause.SERVICE_ACCOUNT_MISSING: {Rule.NOT_CREATED},
    Cause.PERMISSION_MISSING: {Rule.ERROR_BURST, Rule.CRASH_LOOP},
    Cause.SERVICE_SELECTOR_MISMATCH: {Rule.NO_ENDPOINTS},
    Cause.SERVICE_PORT_MISMATCH: {Rule.NO_ENDPOINTS},
    Cause.SCALED_TO_ZERO: {Rule.NO_ENDPOINTS},
    Cause.NAME_NOT_RESOLVED: {Rule.ERROR_BURST, Rule.CRASH_LOOP, Rule.NOT_READY},
    Cause.NETWORK_POLICY_BLOCKS: {Rule.ERROR_BURST, Rule.CRASH_LOOP, Rule.NOT_READY},
    Cause.DEPENDENCY_DOWN: {Rule.ERROR_BURST, Rule.CRASH_LOOP, Rule.NOT_READY},
    Cause.CERTIFICATE_INVALID: {Rule.ERROR_BURST, Rule.CRASH_LOOP},
    Cause.INIT_CONTAINER_FAILS: {Rule.CRASH_LOOP, Rule.NOT_READY},
    Cause.JOB_FAILS: {Rule.JOB_FAILED},
    Cause.CRON_JOB_STOPPED: {Rule.CRON_JOB_LATE},
    Cause.EVICTED: {Rule.EVICTED},
    Cause.NODE_UNHEALTHY: {Rule.NODE_UNHEALTHY},
    Cause.UNKNOWN: {Rule.CRASH_LOOP, Rule.ERROR_BURST, Rule.EXTERNAL},
}
"""The rules under which each cause is seen."""


def first_page(cause: Cause, rule: Rule, confidence: float) -> Runbook:
    """Found without the help of the hypothesis's title, which may be anything."""
    books = {book.slug: book for book in shipped()}
    hypothesis = a_hypothesis(cause, confidence=confidence, title="")
    matches = suggest(a_case(an_alert(rule)), findings(hypothesis), tuple(books.values()))
    return books[matches[0].slug]


@pytest.mark.parametrize("cause", Cause)
def test_the_first_page_for_a_finding_names_its_cause(cause: Cause) -> None:
    for rule in SHOWS_AS[cause]:
        page = first_page(cause, rule, LEAST_SUPPORTED)
        assert f"cause:{cause}" in page.tags, f"{rule}: {page.slug}"


@pytest.mark.parametrize("cause", Cause)
def test_a_finding_that_is_sure_brings_its_page_first_under_any_symptom(cause: Cause) -> None:
    for rule in (Rule.CRASH_LOOP, Rule.NOT_READY, Rule.ERROR_BURST):
        page = first_page(cause, rule, 0.8)
        assert f"cause:{cause}" in page.tags, f"{rule}: {page.slug}"


@pytest.mark.parametrize(
    ("rule", "title", "slug"),
    [
        (Rule.OOM_KILLED, "web was OOM-killed (exit 137, limit 64Mi)", "oom-killed"),
        (Rule.CRASH_LOOP, "web is in a crash loop (exit 1)", "crash-loop"),
        (Rule.IMAGE_PULL, "web cannot pull its image example/web:2", "image-pull"),
        (Rule.UNSCHEDULABLE, "web finds no node: Insufficient cpu", "unschedulable"),
        (Rule.NOT_READY, "web is running but not ready", "bad-probe"),
        (Rule.ERROR_BURST, "web logs a new error: order was not stored", "error-burst"),
        (Rule.EXTERNAL, "Alertmanager: TargetDown", "external-alert"),
        (Rule.NOT_CREATED, "web gets no pods: it is refused", "pods-refused"),
        (
            Rule.VOLUME_PENDING,
            "Claim data has no volume: storageclass not found",
            "volume-unavailable",
        ),
        (
            Rule.NO_ENDPOINTS,
            "Service web has no endpoints: its selector means no pod",
            "service-unreachable",
        ),
        (Rule.JOB_FAILED, "Job nightly has failed (BackoffLimitExceeded)", "job-failed"),
        (
            Rule.CRON_JOB_LATE,
            "CronJob nightly has missed its time: no Job was made",
            "cron-job-late",
        ),
        (Rule.NODE_UNHEALTHY, "Node n1 is not ready", "node-unhealthy"),
        (Rule.EVICTED, "web was evicted: The node was low on resource: memory", "evicted"),
        (
            Rule.CPU_THROTTLED,
            "web is held back by its CPU limit (80% of the time, 100m)",
            "cpu-throttled",
        ),
    ],
)
def test_where_the_cause_is_not_known_the_general_page_of_the_rule_comes_first(
    rule: Rule, title: str, slug: str
) -> None:
    unknown = a_hypothesis(
        Cause.UNKNOWN,
        verdict=Verdict.INCONCLUSIVE,
        confidence=0.1,
        title="The cause is not known",
    )

    matches = suggest(a_case(an_alert(rule, title=title)), findings(unknown), shipped())

    assert matches[0].slug == slug


def test_only_a_page_for_no_cause_in_particular_is_written_for_an_unknown_one() -> None:
    pages = {b.slug for b in shipped() if "cause:unknown" in b.tags}

    assert pages == {"crash-loop", "error-burst", "external-alert"}


@pytest.mark.parametrize("cause", [c for c in Cause if c is not Cause.UNKNOWN])
def test_each_cause_has_one_page(cause: Cause) -> None:
    assert sum(f"cause:{cause}" in b.tags for b in shipped()) == 1


@pytest.mark.parametrize("runbook", shipped(), ids=lambda r: r.slug)
def test_every_page_that_a_runbook_points_to_is_there(runbook: Runbook) -> None:
    pointed = set(re.findall(r"(?<!\*)\*([a-z]+(?:-[a-z]+)+)\*(?!\*)", runbook.body))

    assert pointed <= {b.slug for b in shipped()}


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
