"""A language model looks further: read-only tools over the case, then an answer that code checks.

One JSON object a turn, at most six turns and 10,000 tokens. What the model says is a claim: unknown
evidence drops the sentence, and it can neither overrule what code supports nor rank above it
without evidence of its own that is more than log text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec

from copilot.agents.citations import checked, clamped
from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.errors import Unavailable
from copilot.domain.evidence import EvidenceKind
from copilot.domain.hypothesis import Cause, Findings, Hypothesis, Statement, Verdict
from copilot.domain.objects import Container, PodSpec
from copilot.ports import LanguageModel

MOST_TURNS = 6
MOST_TOKENS = 10_000
"""In and out, over all turns."""
BYTES_A_TOKEN = 3
"""A careful guess of what a prompt will cost, to stop before the budget and not after."""
ROOM_TO_ANSWER = 1_200
MOST_BODY = 3_000
"""Bytes of one piece of evidence or spec; about a thousand tokens."""
MOST_TITLES = 30
MOST_ADDED = 4
MOST_SENTENCES = 6
LEAST_SUMMARY = 2
DOUBT = 0.15
"""How much a model may take off the confidence of what code supports."""


class Step(StrEnum):
    """What a model may do next."""

    LIST_EVIDENCE = "list_evidence"
    READ_EVIDENCE = "read_evidence"
    READ_POD = "read_pod"
    READ_WORKLOAD = "read_workload"
    READ_LOG_LINES = "read_log_lines"
    ANSWER = "answer"


class Move(StrEnum):
    """What a model does with a hypothesis."""

    ADD = "add"
    REFINE = "refine"
    REFUTE = "refute"


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    evidence: list[str]


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a model has to say about one cause."""

    move: Move
    cause: Cause
    title: str
    confidence: float
    supporting: list[Sentence]
    against: list[Sentence]
    next_check: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    summary: list[Sentence]
    hypotheses: list[Claim]


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    action: Step
    argument: str
    answer: Answer | None


@dataclass(slots=True, kw_only=True)
class _Bill:
    """What has been spent."""

    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def left(self) -> int:
        return MOST_TOKENS - self.tokens_in - self.tokens_out

    def add(self, tokens_in: object, tokens_out: object) -> None:
        """A turn that came to nothing may have cost something, or not say."""
        self.tokens_in += max(0, tokens_in) if isinstance(tokens_in, int) else 0
        self.tokens_out += max(0, tokens_out) if isinstance(tokens_out, int) else 0


async def investigate(case: Case, found: Findings, model: LanguageModel) -> Findings:
    """The findings with the model's part; as they were, but for the bill, where it gave none."""
    bill = _Bill()
    answer = await _asked(case, found, model, bill)
    billed = replace(
        found,
        model=model.name if bill.tokens_in or bill.tokens_out else "",
        tokens_in=bill.tokens_in,
        tokens_out=bill.tokens_out,
    )
    return billed if answer is None else merged(case, billed, answer)


def merged(case: Case, found: Findings, answer: Answer) -> Findings:
    """Code's findings and what of the answer passes the check."""
    known = frozenset(item.id for item in case.evidence)
    hypotheses, dropped = list(found.hypotheses), 0
    for claim in answer.hypotheses[: len(found.hypotheses) + MOST_ADDED]:
        supporting = checked(_statements(claim.supporting), known)
        against = checked(_statements(claim.against), known)
        dropped += supporting.dropped + against.dropped
        at = next((i for i, h in enumerate(hypotheses) if _is_about(h, claim)), None)
        if at is not None:
            hypotheses[at] = _taken_up(case, hypotheses[at], claim, supporting.kept, against.kept)
        elif claim.move is Move.ADD and supporting.kept:
            hypotheses.append(_added(case, found, claim, supporting.kept, against.kept))
        elif not (supporting.dropped or against.dropped):
            dropped += 1  # a claim without a single sentence
    summary = checked(_statements(answer.summary), known)
    dropped += summary.dropped
    return replace(
        found,
        summary=summary.kept if _is_sound(summary.kept, found) else found.summary,
        hypotheses=_numbered(hypotheses),
        dropped=found.dropped + dropped,
    )


# ------------------------------------------------------------------ the conversation


async def _asked(case: Case, found: Findings, model: LanguageModel, bill: _Bill) -> Answer | None:
    """The model's answer; None where it had none within its turns, its tokens, or at all."""
    seen = [_opening(case, found)]
    for turn_number in range(1, MOST_TURNS + 1):
        is_last = turn_number == MOST_TURNS or _is_dear(seen, bill)
        prompt = "\n\n".join([*seen, "This is your last turn: answer now." if is_last else ""])
        if _cost(prompt) + ROOM_TO_ANSWER > bill.left:
            return None
        turn = await _turn(model, prompt.strip(), bill)
        if turn is not None and turn.answer is not None:
            return turn.answer
        if turn is None or is_last:
            return None
        seen.append(f"You asked for {turn.action} {one_line(turn.argument, 80)!r}:")
        seen.append(_data(_looked_up(case, turn)))
    return None


async def _turn(model: LanguageModel, prompt: str, bill: _Bill) -> Turn | None:
    try:
        reply = await model.next(system=_system(), prompt=prompt, schema=contract())
    except Unavailable as failure:
        bill.add(failure.detail.get("tokens_in"), failure.detail.get("tokens_out"))
        return None
    bill.add(reply.tokens_in, reply.tokens_out)
    try:
        return msgspec.json.decode(reply.json, type=Turn)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _is_dear(seen: Sequence[str], bill: _Bill) -> bool:
    """One more look after this one would not fit."""
    next_time = _cost("".join(seen)) + MOST_BODY // BYTES_A_TOKEN
    return bill.left - _cost("".join(seen)) - ROOM_TO_ANSWER < next_time + ROOM_TO_ANSWER


def _cost(text: str) -> int:
    return (len(text.encode()) + len(_system().encode())) // BYTES_A_TOKEN


@cache
def _system() -> str:
    return files("copilot.agents").joinpath("prompts/detective.md").read_text(encoding="utf-8")


def contract() -> dict[str, object]:
    """The JSON schema of one turn; every property is required, as strict servers want it."""
    sentence = _object(
        text={"type": "string"},
        evidence={"type": "array", "items": {"type": "string"}, "maxItems": 8},
    )
    sentences = {"type": "array", "items": sentence, "maxItems": MOST_SENTENCES}
    claim = _object(
        move={"type": "string", "enum": [m.value for m in Move]},
        cause={"type": "string", "enum": [c.value for c in Cause]},
        title={"type": "string"},
        confidence={"type": "number", "minimum": 0, "maximum": 1},
        supporting=sentences,
        against=sentences,
        next_check={"type": "string"},
    )
    claims = {"type": "array", "items": claim, "maxItems": MOST_ADDED}
    answer = _object(summary=sentences, hypotheses=claims)
    return _object(
        action={"type": "string", "enum": [s.value for s in Step]},
        argument={"type": "string"},
        answer={"anyOf": [answer, {"type": "null"}]},
    )


def _object(**properties: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


# ------------------------------------------------------------------ what it may read


def _opening(case: Case, found: Findings) -> str:
    incident = case.incident
    facts = {
        "incident": one_line(incident.title),
        "workload": str(incident.workload),
        "pods": [p.metadata.name for p in case.pods][:20],
        "evidence": _titles(case),
        "hypotheses": [_told(h) for h in found.hypotheses],
        "could_not_be_seen": [f"{g.what}: {g.reason}" for g in case.gaps][:10],
    }
    return "The incident, and what code has found so far:\n" + _data(facts)


def _titles(case: Case) -> dict[str, str]:
    return {i.id: f"{i.kind}: {one_line(i.title, 120)}" for i in case.evidence[-MOST_TITLES:]}


def _told(hypothesis: Hypothesis) -> dict[str, object]:
    return {
        "cause": hypothesis.cause,
        "title": hypothesis.title,
        "verdict": hypothesis.verdict,
        "confidence": hypothesis.confidence,
        "supporting": [{"text": s.text, "evidence": s.evidence} for s in hypothesis.supporting],
        "against": [{"text": s.text, "evidence": s.evidence} for s in hypothesis.against],
    }


def _data(value: object) -> str:
    """Quoted as JSON in which no angle bracket stands: nothing inside can close the frame."""
    text = msgspec.json.encode(value).decode().replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<data>\n{text}\n</data>"


def _looked_up(case: Case, turn: Turn) -> object:
    argument = turn.argument.strip()
    match turn.action:
        case Step.LIST_EVIDENCE | Step.ANSWER:
            return _titles(case)
        case Step.READ_EVIDENCE:
            item = next((i for i in case.evidence if i.id == argument), None)
            return item.body[:MOST_BODY] if item else f"there is no evidence {argument!r}"
        case Step.READ_POD:
            pod = next((p for p in case.pods if p.metadata.name == argument), None)
            return _spec(pod.spec) if pod else f"there is no pod {argument!r}"
        case Step.READ_WORKLOAD:
            return _spec(case.workload.spec.template.spec) if case.workload else "there is none"
        case Step.READ_LOG_LINES:
            lines = [x.body for x in case.lines if argument in ("", x.pod)]
            return _last(lines, MOST_BODY)


def _last(lines: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for line in reversed(lines):
        room -= len(line.encode())
        if room < 0:
            break
        kept.append(line)
    return kept[::-1]


def _spec(spec: PodSpec) -> str:
    """A pod's specification; environments by name only, for their values may be secret."""
    bare = msgspec.structs.replace(
        spec,
        containers=[_bare(c) for c in spec.containers or ()],
        init_containers=[_bare(c) for c in spec.init_containers or ()],
    )
    return msgspec.json.encode(bare).decode()[:MOST_BODY]


def _bare(container: Container) -> Container:
    names = [msgspec.structs.replace(e, value=None) for e in container.env or ()]
    return msgspec.structs.replace(container, env=names or None, command=None, args=None)


# ------------------------------------------------------------------ what it may say


def _statements(sentences: Iterable[Sentence]) -> list[Statement]:
    return [
        Statement(text=s.text, evidence=tuple(s.evidence)) for s in list(sentences)[:MOST_SENTENCES]
    ]


def _is_about(hypothesis: Hypothesis, claim: Claim) -> bool:
    """An unknown cause is a new one, unless it has the same title."""
    if hypothesis.cause is not claim.cause:
        return False
    return claim.cause is not Cause.UNKNOWN or hypothesis.title == claim.title


def _taken_up(
    case: Case,
    hypothesis: Hypothesis,
    claim: Claim,
    supporting: tuple[Statement, ...],
    against: tuple[Statement, ...],
) -> Hypothesis:
    """The hypothesis with the model's sentences; its verdict stays code's where code is sure."""
    whole = replace(
        hypothesis,
        supporting=_joined(hypothesis.supporting, supporting),
        against=_joined(hypothesis.against, against),
        next_check=hypothesis.next_check or one_line(claim.next_check, 200)
        if hypothesis.verdict is Verdict.INCONCLUSIVE
        else hypothesis.next_check,
    )
    if claim.move is not Move.REFUTE or not _brings_facts(case, hypothesis.cited, against):
        return whole
    if hypothesis.verdict is Verdict.SUPPORTED:
        return replace(whole, confidence=round(max(0.0, hypothesis.confidence - DOUBT), 2))
    return replace(whole, verdict=Verdict.REFUTED, confidence=min(hypothesis.confidence, 0.1))


def _joined(ours: tuple[Statement, ...], theirs: tuple[Statement, ...]) -> tuple[Statement, ...]:
    said = {s.text for s in ours}
    return (*ours, *(s for s in theirs if s.text not in said))


def _added(
    case: Case,
    found: Findings,
    claim: Claim,
    supporting: tuple[Statement, ...],
    against: tuple[Statement, ...],
) -> Hypothesis:
    """A hypothesis of the model's own, no surer than code's unless it brings other facts."""
    confidence = clamped(claim.confidence)
    cap = max(
        (h.confidence for h in found.hypotheses if h.verdict is Verdict.SUPPORTED), default=None
    )
    used = frozenset(e for h in found.hypotheses for e in h.cited)
    if cap is not None and not _brings_facts(case, used, supporting):
        confidence = min(confidence, round(max(0.0, cap - 0.01), 2))
    return Hypothesis(
        id="",
        cause=claim.cause,
        subject=None,
        detail="",
        title=one_line(claim.title) or str(claim.cause),
        verdict=Verdict.INCONCLUSIVE if claim.next_check.strip() else Verdict.SUPPORTED,
        confidence=confidence,
        supporting=supporting,
        against=against,
        next_check=one_line(claim.next_check, 200),
        agent=found.model or "model",
    )


def _brings_facts(case: Case, used: frozenset[str], statements: Iterable[Statement]) -> bool:
    """Evidence not used so far, and not only what a program wrote: anybody can write that."""
    written = {i.id for i in case.evidence if i.kind is EvidenceKind.LOG}
    return bool({e for s in statements for e in s.evidence} - used - written)


def _is_sound(summary: Sequence[Statement], found: Findings) -> bool:
    """It says enough and touches what the first hypothesis rests on; else code's own stays."""
    if len(summary) < LEAST_SUMMARY:
        return False
    top = found.hypotheses[0].cited if found.hypotheses else frozenset()
    return not top or bool(top & {e for s in summary for e in s.evidence})


def _numbered(hypotheses: Iterable[Hypothesis]) -> tuple[Hypothesis, ...]:
    order = (Verdict.SUPPORTED, Verdict.INCONCLUSIVE, Verdict.REFUTED)
    ranked = sorted(hypotheses, key=lambda h: (order.index(h.verdict), -h.confidence))
    return tuple(replace(h, id=f"H{n}") for n, h in enumerate(ranked, 1))
