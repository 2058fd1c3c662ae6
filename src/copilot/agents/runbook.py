"""The runbook agent: the written procedures that fit a case, best first, with why.

A runbook is a Markdown file with YAML in front (`title`, `service`, `tags`, `causes`, `rules`) and
its steps as an ordered list under `## Steps`. What it is written for travels as tags:
`cause:memory_leak`, `rule:oom_killed`. Guidance is not evidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import yaml

from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.errors import Invalid
from copilot.domain.hypothesis import Cause, Findings, Hypothesis, Verdict
from copilot.domain.retrieval import Ranked
from copilot.domain.runbook import Runbook, RunbookId, RunbookMatch, runbook_of
from copilot.domain.words import relevance, words_of

SOURCE = "docs/runbooks"
"""`Runbook.source` of those we ship."""

MOST_MATCHES = 3
LEAST_SCORE = 0.1

_CAUSE_WEIGHT = 0.6
_RULE_WEIGHT = 0.25
_WORDS_WEIGHT = 0.15
_UNDECIDED = 0.5
"""What an inconclusive hypothesis counts for, against a supported one."""

_MOST_LINES = 50
_SHARES_WORDS = "shares words with the alerts and logs"
_MEANS_THE_SAME = "is about what the alerts and logs say, in other words"

_FRONT = re.compile(r"\A---\r?\n(?P<front>.*?)\r?\n---\r?\n(?P<body>.*)\Z", re.DOTALL)
_STEPS = re.compile(r"^## Steps[ \t]*\n(?P<steps>.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_STEP = re.compile(r"^\d+[.)] +", re.MULTILINE)


class _FrontMatter(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    service: str = "*"
    tags: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class _Answer:
    """How well a runbook answers the case's question, 0 to 1, and why we think so."""

    fit: float
    why: str


def parse_runbook(slug: str, text: str, updated_us: int) -> Runbook:
    """The runbook in a Markdown file; its id is 0 until it is stored.

    Raises:
        Invalid: no front matter, a wrong field in it, or no steps.
    """
    parts = _FRONT.match(text)
    if parts is None:
        raise Invalid(f"runbook {slug}: it must begin with front matter between two lines of ---")
    try:
        front = msgspec.convert(yaml.safe_load(parts["front"]), type=_FrontMatter)
    except (yaml.YAMLError, msgspec.ValidationError) as e:
        raise Invalid(f"runbook {slug}: front matter: {e}") from e
    body = parts["body"].replace("\r\n", "\n").strip() + "\n"
    if not steps_of(body):
        raise Invalid(f"runbook {slug}: no ordered list under '## Steps'")
    return Runbook(
        id=RunbookId(0),
        slug=slug,
        service=front.service,
        title=front.title,
        body=body,
        tags=(
            *front.tags,
            *(f"cause:{cause}" for cause in front.causes),
            *(f"rule:{rule}" for rule in front.rules),
        ),
        source=SOURCE,
        updated_us=updated_us,
    )


def steps_of(body: str) -> tuple[str, ...]:
    """The items of the ordered list under `## Steps`, Markdown and all, without their numbers."""
    section = _STEPS.search(body)
    if section is None:
        return ()
    items = _STEP.split(section["steps"])[1:]
    return tuple("\n".join(_undented(item)) for item in items)


def question(case: Case, findings: Findings) -> str:
    """What the case says, for who looks for procedures: what tells most comes first."""
    texts = [
        case.incident.title,
        *(f"{a.title} {a.message}" for a in case.alerts),
        *(h.title for h in findings.hypotheses if _names_trouble(h)),
        *(f"{e.reason} {e.message}" for e in case.events[-_MOST_LINES:] if e.type == "Warning"),
        *(line.body for line in case.lines[-_MOST_LINES:]),
    ]
    return "\n".join(texts)


def suggest(
    case: Case,
    findings: Findings,
    runbooks: Sequence[Runbook],
    found: Sequence[Ranked] = (),
) -> tuple[RunbookMatch, ...]:
    """The three that fit best: by what the hypotheses say, by the rules that fired, and by how well
    they answer the case's `question`, as `found` in the index. Without it their words are compared
    here, as before the index has read them.

    None where nothing speaks for any. A runbook for another service never fits.
    """
    fitting = [r for r in runbooks if r.service in ("*", case.incident.app)]
    answers = _in_order(fitting, found) if found else _by_words(case, findings, fitting)
    matches = [_match(runbook, case, findings, answers[runbook.slug]) for runbook in fitting]
    good = [match for match in matches if match.score >= LEAST_SCORE]
    return tuple(sorted(good, key=lambda m: (-m.score, m.slug))[:MOST_MATCHES])


def seed_sql(runbooks: Sequence[Runbook]) -> str:
    """`db/seed_runbooks.sql`: reads the same in SQLite and in every MySQL, and may be run again.

    Raises:
        Invalid: a text has a backslash or a NUL, which these databases read differently.
    """
    head = (
        "-- The runbooks of docs/runbooks, printed by `incident-copilot runbooks`. It may be run\n"
        "-- again: rows that are there are brought up to date.\n"
    )
    return head + "".join(_seed_row(r) for r in sorted(runbooks, key=lambda r: r.slug))


def _match(runbook: Runbook, case: Case, findings: Findings, answer: _Answer) -> RunbookMatch:
    reasons = []
    hypothesis = _best_for(runbook, findings.hypotheses)
    score = _WORDS_WEIGHT * answer.fit
    if hypothesis:
        score += _CAUSE_WEIGHT * _weight(hypothesis)
        reasons.append(
            f"written for {_plain(hypothesis.cause)} "
            f"({hypothesis.id}, {hypothesis.verdict}, {hypothesis.confidence:.0%})"
        )
    rules = [a.rule for a in case.alerts if f"rule:{a.rule}" in runbook.tags]
    if rules:
        score += _RULE_WEIGHT
        reasons.append("for alerts of rule " + ", ".join(_plain(r) for r in dict.fromkeys(rules)))
    if runbook.service != "*":
        reasons.append(f"kept for {runbook.service}")
    if not reasons:
        reasons.append(answer.why)
    return RunbookMatch(
        runbook_id=runbook.id,
        slug=runbook.slug,
        title=runbook.title,
        score=round(min(1.0, score), 3),
        reason="; ".join(reasons),
        steps=steps_of(runbook.body),
    )


def _best_for(runbook: Runbook, hypotheses: Sequence[Hypothesis]) -> Hypothesis | None:
    """The strongest hypothesis that is not refuted and that the runbook is written for."""
    mine = [
        h
        for h in hypotheses
        if h.verdict is not Verdict.REFUTED and f"cause:{h.cause}" in runbook.tags
    ]
    return max(mine, key=_weight, default=None)


def _names_trouble(hypothesis: Hypothesis) -> bool:
    """That a cause is not known says nothing, and what it quotes is in the events and lines."""
    return hypothesis.verdict is not Verdict.REFUTED and hypothesis.cause is not Cause.UNKNOWN


def _weight(hypothesis: Hypothesis) -> float:
    is_supported = hypothesis.verdict is Verdict.SUPPORTED
    return hypothesis.confidence * (1.0 if is_supported else _UNDECIDED)


def _by_words(case: Case, findings: Findings, runbooks: Sequence[Runbook]) -> dict[str, _Answer]:
    """How well each slug answers the case's words; the best 1."""
    documents = [words_of(f"{r.title} {' '.join(r.tags)} {r.body}") for r in runbooks]
    scores = relevance(words_of(question(case, findings)), documents)
    best = max(scores, default=0.0) or 1.0
    return {
        r.slug: _Answer(score / best, _SHARES_WORDS)
        for r, score in zip(runbooks, scores, strict=True)
    }


def _in_order(runbooks: Sequence[Runbook], found: Sequence[Ranked]) -> dict[str, _Answer]:
    """How well each slug answers by its place among them: 1, 0.8, 0.67, and then too little to be shown
    for that alone."""
    slugs = {runbook.id: runbook.slug for runbook in runbooks}
    answers = dict.fromkeys(slugs.values(), _Answer(0.0, ""))
    fitting = [(runbook_of(one.doc_id), one) for one in found if runbook_of(one.doc_id) in slugs]
    for place, (runbook_id, one) in enumerate(fitting):
        why = _SHARES_WORDS if one.by_words else _MEANS_THE_SAME
        answers[slugs[runbook_id]] = _Answer(1 / (1 + place / 4), why)
    return answers


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _undented(item: str) -> list[str]:
    """An item's lines without the indentation of the list."""
    lines = item.strip().split("\n")
    return [lines[0], *(line.removeprefix("   ") for line in lines[1:])]


def _seed_row(runbook: Runbook) -> str:
    columns = {
        "service": _quoted(runbook.service),
        "title": _quoted(runbook.title),
        "body": _quoted(runbook.body),
        "tags": _quoted(msgspec.json.encode(runbook.tags).decode()),
        "source": _quoted(runbook.source),
        "updated_us": str(runbook.updated_us),
    }
    slug = _quoted(runbook.slug)
    changes = ", ".join(f"{name} = {value}" for name, value in columns.items())
    return (
        f"\nUPDATE runbooks SET {changes} WHERE slug = {slug};\n"
        f"INSERT INTO runbooks (slug, {', '.join(columns)})\n"
        f"SELECT {slug}, {', '.join(columns.values())} FROM (SELECT 1 AS one) AS seed\n"
        f"WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = {slug});\n"
    )


def _quoted(text: str) -> str:
    if "\\" in text or "\0" in text:
        raise Invalid(f"no backslash may stand in a seeded text: {text[:80]!r}")
    return "'" + text.replace("'", "''") + "'"
