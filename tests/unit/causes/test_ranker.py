"""Causes before symptoms, refuted ones kept and last."""

from copilot.causes import explain
from copilot.causes.ranker import rank
from copilot.domain.alert import Rule
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from tests.builders_case import a_case
from tests.builders_objects import a_pod, ago, an_oom_killed_pod

SHOWN = (Statement(text="it is so", evidence=("E1",)),)


def a_hypothesis(
    cause: Cause, confidence: float, verdict: Verdict = Verdict.SUPPORTED
) -> Hypothesis:
    return Hypothesis(
        id="",
        cause=cause,
        subject=None,
        detail="",
        title=str(cause),
        verdict=verdict,
        confidence=confidence,
        supporting=SHOWN,
        against=SHOWN if verdict is Verdict.REFUTED else (),
        next_check="",
        agent="detective",
    )


def test_supported_come_first_then_undecided_then_refuted() -> None:
    ranked = rank(
        [
            a_hypothesis(Cause.BAD_ROLLOUT, 0.03, Verdict.REFUTED),
            a_hypothesis(Cause.MEMORY_LEAK, 0.3, Verdict.INCONCLUSIVE),
            a_hypothesis(Cause.MEMORY_LIMIT_TOO_LOW, 0.7),
        ]
    )

    assert [h.id for h in ranked] == ["H1", "H2", "H3"]
    assert [h.verdict for h in ranked] == [
        Verdict.SUPPORTED,
        Verdict.INCONCLUSIVE,
        Verdict.REFUTED,
    ]


def test_a_missing_image_explains_the_rollout_that_brought_it() -> None:
    first, second = rank(
        [a_hypothesis(Cause.BAD_ROLLOUT, 0.9), a_hypothesis(Cause.IMAGE_MISSING, 0.8)]
    )

    assert first.cause is Cause.IMAGE_MISSING
    assert second.verdict is Verdict.INCONCLUSIVE
    assert second.confidence <= 0.4
    assert "Explained by another cause" in second.against[0].text


def test_an_undecided_cause_explains_nothing() -> None:
    first, _ = rank(
        [
            a_hypothesis(Cause.BAD_ROLLOUT, 0.7),
            a_hypothesis(Cause.IMAGE_MISSING, 0.4, Verdict.INCONCLUSIVE),
        ]
    )

    assert first.cause is Cause.BAD_ROLLOUT
    assert first.verdict is Verdict.SUPPORTED


def test_two_causes_at_once_are_not_both_sure() -> None:
    _, second = rank(
        [a_hypothesis(Cause.UNSCHEDULABLE, 0.95), a_hypothesis(Cause.MEMORY_LIMIT_TOO_LOW, 0.9)]
    )

    assert second.verdict is Verdict.SUPPORTED
    assert second.confidence <= 0.25


def test_ranking_the_same_twice_gives_the_same() -> None:
    given = [a_hypothesis(c, 0.5) for c in (Cause.UNSCHEDULABLE, Cause.MEMORY_LIMIT_TOO_LOW)]

    assert rank(given) == rank(reversed(given))


def test_where_nothing_is_supported_it_says_so_with_the_next_check() -> None:
    case = a_case(pods=[a_pod("billing")], rule=Rule.ERROR_BURST, began=ago(30))

    found = explain(case)

    assert found[0].cause is Cause.UNKNOWN
    assert found[0].verdict is Verdict.INCONCLUSIVE
    assert found[0].next_check
    assert found[0].cited <= set(case.cited_as.values())


def test_what_is_laid_at_no_other_objects_door_is_the_workloads() -> None:
    pod = an_oom_killed_pod("billing", limit="32Mi")

    ranked = explain(a_case(pods=[pod]))

    assert ranked[0].cause is Cause.MEMORY_LIMIT_TOO_LOW
    assert str(ranked[0].subject) == "Deployment demo/billing"
