"""The order of hypotheses: causes before their symptoms, refuted ones last and kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict

_SIGNS_OF_A_POD = frozenset(
    {
        Cause.BAD_ROLLOUT,
        Cause.BAD_PROBE,
        Cause.BAD_SETTING,
        Cause.INIT_CONTAINER_FAILS,
        Cause.JOB_FAILS,
        Cause.CRON_JOB_STOPPED,
    }
)
"""What any trouble of one pod looks like from further away."""
_OF_A_POD = (
    Cause.IMAGE_MISSING,
    Cause.CONFIG_MISSING,
    Cause.SECRET_MISSING,
    Cause.COMMAND_INVALID,
    Cause.PORT_CONFLICT,
    Cause.VOLUME_PERMISSION,
    Cause.QUOTA_EXCEEDED,
    Cause.LIMIT_RANGE_VIOLATED,
    Cause.ADMISSION_DENIED,
    Cause.ADMISSION_WEBHOOK_DOWN,
    Cause.SERVICE_ACCOUNT_MISSING,
)
_OUT_OF_REACH = frozenset(
    {
        Cause.DEPENDENCY_DOWN,
        Cause.BAD_PROBE,
        Cause.INIT_CONTAINER_FAILS,
        Cause.JOB_FAILS,
    }
)
"""What it looks like at the caller when another cannot be reached."""
_UNREACHED = frozenset(
    {
        Cause.SERVICE_SELECTOR_MISMATCH,
        Cause.SERVICE_PORT_MISMATCH,
        Cause.SCALED_TO_ZERO,
        Cause.NAME_NOT_RESOLVED,
        Cause.NETWORK_POLICY_BLOCKS,
        Cause.CERTIFICATE_INVALID,
        Cause.PERMISSION_MISSING,
        Cause.DEPENDENCY_DOWN,
    }
)
"""Why another cannot be reached. A wrong address at the caller looks the same, and the other way
round: of the two the surer one is the cause."""

EXPLAINS: dict[Cause, frozenset[Cause]] = {
    **dict.fromkeys(_OF_A_POD, _SIGNS_OF_A_POD),
    Cause.MEMORY_LEAK: frozenset(
        {Cause.MEMORY_LIMIT_TOO_LOW, Cause.BAD_PROBE, Cause.JOB_FAILS, Cause.CRON_JOB_STOPPED}
    ),
    Cause.MEMORY_LIMIT_TOO_LOW: frozenset(
        {Cause.BAD_PROBE, Cause.JOB_FAILS, Cause.CRON_JOB_STOPPED}
    ),
    Cause.UNSCHEDULABLE: _SIGNS_OF_A_POD,
    Cause.VOLUME_UNAVAILABLE: _SIGNS_OF_A_POD | {Cause.UNSCHEDULABLE},
    Cause.NODE_UNHEALTHY: _SIGNS_OF_A_POD | {Cause.EVICTED, Cause.UNSCHEDULABLE},
    Cause.EVICTED: _SIGNS_OF_A_POD,
    Cause.BAD_SETTING: frozenset(
        {Cause.BAD_ROLLOUT, Cause.BAD_PROBE, Cause.INIT_CONTAINER_FAILS, Cause.JOB_FAILS}
    ),
    Cause.INIT_CONTAINER_FAILS: frozenset({Cause.BAD_ROLLOUT, Cause.BAD_PROBE, Cause.JOB_FAILS}),
    Cause.JOB_FAILS: frozenset({Cause.BAD_ROLLOUT, Cause.BAD_PROBE}),
    Cause.BAD_PROBE: frozenset({Cause.BAD_ROLLOUT}),
    Cause.MEMORY_VOLUME: frozenset(
        {Cause.MEMORY_LIMIT_TOO_LOW, Cause.MEMORY_LEAK, Cause.BAD_PROBE}
    ),
    Cause.CPU_LIMIT_TOO_LOW: frozenset({Cause.BAD_PROBE}),
    Cause.SERVICE_SELECTOR_MISMATCH: _OUT_OF_REACH,
    Cause.SERVICE_PORT_MISMATCH: _OUT_OF_REACH,
    Cause.SCALED_TO_ZERO: _OUT_OF_REACH,
    Cause.NAME_NOT_RESOLVED: _OUT_OF_REACH,
    Cause.NETWORK_POLICY_BLOCKS: _OUT_OF_REACH | {Cause.NAME_NOT_RESOLVED},
    Cause.CERTIFICATE_INVALID: _OUT_OF_REACH,
    Cause.PERMISSION_MISSING: _OUT_OF_REACH - {Cause.DEPENDENCY_DOWN},
    Cause.DEPENDENCY_DOWN: frozenset({Cause.BAD_PROBE, Cause.INIT_CONTAINER_FAILS}),
}
"""Where the first holds, the others are what it looks like from further away."""
SHADOWED = 0.5
"""What is explained keeps at most this share of the confidence of what explains it."""
ORDER = (Verdict.SUPPORTED, Verdict.INCONCLUSIVE, Verdict.REFUTED)


def rank(hypotheses: Iterable[Hypothesis]) -> tuple[Hypothesis, ...]:
    """All of them with their ids, best first: supported, then undecided, then refuted.

    A supported cause takes the place of those it explains: they become undecided, with at most
    half its confidence and its first sentence against them. Of two that remain, confidences add up
    to 1.2 at most: two causes at once are rare.
    """
    given = tuple(hypotheses)
    explained = tuple(_explained(h, given) for h in given)
    ordered = _ordered(_tempered(_ordered(explained)))
    return tuple(replace(h, id=f"H{n}") for n, h in enumerate(ordered, 1))


def _ordered(hypotheses: Iterable[Hypothesis]) -> tuple[Hypothesis, ...]:
    return tuple(sorted(hypotheses, key=lambda h: (ORDER.index(h.verdict), -h.confidence, h.cause)))


def _explained(hypothesis: Hypothesis, given: tuple[Hypothesis, ...]) -> Hypothesis:
    """The hypothesis, set back where a supported cause among those given explains it."""
    if hypothesis.verdict is not Verdict.SUPPORTED:
        return hypothesis
    stronger = [
        h for h in given if h.verdict is Verdict.SUPPORTED and _is_explained_by(hypothesis, h)
    ]
    if not stronger:
        return hypothesis
    cause = max(stronger, key=lambda h: h.confidence)
    first = cause.supporting[0]
    return replace(
        hypothesis,
        verdict=Verdict.INCONCLUSIVE,
        confidence=round(min(hypothesis.confidence, SHADOWED * cause.confidence), 2),
        against=(
            *hypothesis.against,
            Statement(text=f"Explained by another cause: {cause.title}.", evidence=first.evidence),
        ),
        next_check=hypothesis.next_check or "See whether it is gone once that is fixed.",
    )


def _is_explained_by(hypothesis: Hypothesis, cause: Hypothesis) -> bool:
    if hypothesis.cause in EXPLAINS.get(cause.cause, ()):
        return True
    if cause.cause is Cause.BAD_SETTING and hypothesis.cause in _UNREACHED:
        return cause.confidence >= hypothesis.confidence
    if hypothesis.cause is Cause.BAD_SETTING and cause.cause in _UNREACHED:
        return cause.confidence > hypothesis.confidence
    return False


def _tempered(ordered: tuple[Hypothesis, ...]) -> tuple[Hypothesis, ...]:
    """Rivals of the first supported cause give way to it."""
    if not ordered or ordered[0].verdict is not Verdict.SUPPORTED:
        return ordered
    room = 1.2 - ordered[0].confidence
    return (
        ordered[0],
        *(
            replace(h, confidence=round(min(h.confidence, room), 2))
            if h.verdict is Verdict.SUPPORTED
            else h
            for h in ordered[1:]
        ),
    )
