"""What a resolved incident leaves behind."""

from dataclasses import replace

import msgspec
import pytest

from copilot.domain.action import Action, Scale, SetImage, decode_action
from copilot.domain.alert import Rule
from copilot.domain.hypothesis import Cause, Findings, Hypothesis, Verdict
from copilot.domain.memory import Memory
from copilot.domain.proposal import Proposal, Verification
from copilot.learn.resolution import DAY_US, fix_of, memory_of
from tests.builders_case import an_alert, an_incident
from tests.builders_objects import NOW_US
from tests.builders_remediate import TARGET, a_cluster, a_proposal, to_memory
from tests.fakes import FixedClock

HELD = Verification(held=True, reason="2 of 2 pods ran", observed=(), ended_us=NOW_US)
FAILED = Verification(held=False, reason="OOMKilled", observed=(), ended_us=NOW_US)


def findings(*causes: Cause) -> Findings:
    hypotheses = tuple(
        Hypothesis(
            id=f"H{number}",
            cause=cause,
            subject=None,
            detail="",
            title="",
            verdict=Verdict.SUPPORTED,
            confidence=0.8,
            supporting=(),
            against=(),
            next_check="",
            agent="detective",
        )
        for number, cause in enumerate(causes, 1)
    )
    return Findings(
        summary=(), hypotheses=hypotheses, dropped=0, model="", tokens_in=0, tokens_out=0
    )


async def proposal_for(action: Action | None = None) -> Proposal:
    return await a_proposal(a_cluster(FixedClock()), action)


async def remembered(verification: Verification | None = HELD, **given: object) -> Memory:
    arguments = {
        "alerts": [an_alert(Rule.OOM_KILLED), an_alert(Rule.CRASH_LOOP), an_alert()],
        "findings": findings(Cause.MEMORY_LIMIT_TOO_LOW),
        "proposal": await proposal_for(),
        "verification": verification,
        "now_us": NOW_US,
    }
    incident = replace(an_incident(), mttr_seconds=41)
    return memory_of(incident, **(arguments | given))  # type: ignore[arg-type]  # any argument


async def test_a_fix_that_held_is_remembered_with_its_signature() -> None:
    memory = await remembered()

    assert memory.rules == ("crash_loop", "oom_killed")
    assert memory.cause is Cause.MEMORY_LIMIT_TOO_LOW
    assert memory.fix == "memory limit of app 32Mi → 64Mi"
    assert decode_action(memory.action) == to_memory("64Mi")
    assert (memory.has_held, memory.mttr_seconds) == (True, 41)


async def test_a_fix_that_did_not_hold_is_remembered_for_a_shorter_time() -> None:
    held, failed = await remembered(), await remembered(FAILED)

    assert not failed.has_held
    assert failed.expires_us == NOW_US + 90 * DAY_US
    assert (held.expires_us or 0) > (failed.expires_us or 0)


async def test_what_was_resolved_by_hand_has_no_fix() -> None:
    memory = await remembered(None, proposal=None)

    assert (memory.fix, memory.action, memory.has_held) == ("", "", False)


async def test_without_findings_the_cause_is_unknown() -> None:
    assert (await remembered(findings=None, proposal=None)).cause is Cause.UNKNOWN


async def test_the_cause_is_the_one_that_the_fix_answered() -> None:
    second = msgspec.structs.replace(await proposal_for(), hypothesis="H2")

    memory = await remembered(
        proposal=second, findings=findings(Cause.BAD_ROLLOUT, Cause.MEMORY_LEAK)
    )

    assert memory.cause is Cause.MEMORY_LEAK


@pytest.mark.parametrize(
    ("action", "fix"),
    [
        pytest.param(
            SetImage(target=TARGET, container="app", image="shop:1"),
            "image of app docker.io/dev/oom-demo:1 → shop:1",
            id="image",
        ),
        pytest.param(Scale(target=TARGET, replicas=3), "replicas of oom-demo 1 → 3", id="replicas"),
    ],
)
async def test_a_fix_is_told_with_the_value_before(action: Action, fix: str) -> None:
    assert fix_of(await proposal_for(action)) == fix
