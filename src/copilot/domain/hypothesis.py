"""A possible cause, with what speaks for and against it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    SUPPORTED = "supported"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"


class Cause(StrEnum):
    """Every cause there is; `causes/` holds one module for each."""

    MEMORY_LIMIT_TOO_LOW = "memory_limit_too_low"
    MEMORY_LEAK = "memory_leak"
    BAD_ROLLOUT = "bad_rollout"
    IMAGE_MISSING = "image_missing"
    BAD_PROBE = "bad_probe"
    UNSCHEDULABLE = "unschedulable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One sentence and the evidence it rests on (at least one id, or code drops it)."""

    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """`id` is `H1`, `H2`, ... by rank within its incident; refuted ones come last and stay."""

    id: str
    cause: Cause
    title: str
    verdict: Verdict
    confidence: float
    """0 to 1."""
    supporting: tuple[Statement, ...]
    against: tuple[Statement, ...]
    next_check: str
    """What would decide it, where it is not decided; else empty."""
    agent: str
    """`detective`, or the model's name."""

    @property
    def cited(self) -> frozenset[str]:
        """Every evidence id that any sentence cites."""
        return frozenset(e for s in (*self.supporting, *self.against) for e in s.evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the detective has to say. `dropped` counts sentences that cited nothing that exists."""

    summary: tuple[Statement, ...]
    hypotheses: tuple[Hypothesis, ...]
    dropped: int
    model: str
    """The language model that took part, empty for none."""
    tokens_in: int
    tokens_out: int
