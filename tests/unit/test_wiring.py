"""The policy as it is set."""

import pytest

from copilot.domain.errors import Invalid
from copilot.remediate.policy import KINDS, Guardrail, Mode, Policy
from copilot.settings import Mode as SettingsMode
from copilot.settings import Settings
from copilot.wiring import policy_of


def test_without_settings_it_is_what_a_careful_team_would_start_with() -> None:
    assert policy_of(Settings()) == Policy()
    assert Policy().mode is Mode.REVIEW


def test_every_part_can_be_set() -> None:
    policy = policy_of(
        Settings(
            mode=SettingsMode.AUTONOMOUS,
            guardrails=("set_memory:Deployment/shop/*",),
            allowed_actions=("set_memory",),
            protected_namespaces=("pay",),
            freezes=("Fri 16:00-Mon 08:00 weekend",),
            second_approver=True,
            approval_lifetime=60,
        )
    )

    assert policy.mode is Mode.AUTONOMOUS
    assert policy.guardrails == (Guardrail(action="set_memory", resource="Deployment/shop/*"),)
    assert policy.allowed == {"set_memory"}
    assert policy.protected_namespaces == {"pay"}
    assert policy.freezes[0].reason == "weekend"
    assert (policy.wants_second_approver, policy.lifetime_s) == (True, 60)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"allowed_actions": ("set_memori",)}, id="no-such-action"),
        pytest.param({"guardrails": ("everything",)}, id="no-guardrail"),
        pytest.param({"freezes": ("at night",)}, id="no-freeze"),
    ],
)
def test_what_makes_no_sense_is_not_taken_for_set(given: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(Invalid):
        policy_of(Settings(**given))  # type: ignore[arg-type]  # any one of them


def test_the_modes_are_those_of_the_guard() -> None:
    assert {mode.value for mode in SettingsMode} == {mode.value for mode in Mode}
    assert policy_of(Settings()).allowed == KINDS
