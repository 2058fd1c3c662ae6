"""What a run showed is held against what was expected, and no sum hides its denominator."""

from __future__ import annotations

from typing import Any

import pytest

from lab.scenarios.expectation import Scenario, load
from lab.scenarios.score import (
    Outcome,
    Part,
    false_findings,
    is_cause_right,
    is_object_right,
    said_wrongly,
    sums,
)
from lab.scenarios.table import page, text


def a_hypothesis(**fields: Any) -> dict[str, Any]:
    subject = {"kind": "Service", "namespace": "shop-80", "name": "catalog"}
    return {
        "cause": "service_selector_mismatch",
        "detail": "",
        "verdict": "supported",
        "subject": subject,
        **fields,
    }


def a_fault(name: str, **fields: Any) -> Outcome:
    right = {
        "object_right": True,
        "cause_right": True,
        "incidents": ["Service/catalog: no endpoint"],
    }
    return Outcome(**{"name": name, "group": "service", "fix": "heals", **right, **fields})


@pytest.fixture
def scenario() -> Scenario:
    return load("service-selector", "shop-80")


def test_the_object_is_the_hypothesis_subject(scenario: Scenario) -> None:
    other = {"kind": "Deployment", "namespace": "shop-80", "name": "shop-web"}

    assert is_object_right(scenario, a_hypothesis(), at="Deployment/shop-web")
    assert not is_object_right(scenario, a_hypothesis(subject=other), at="Service/catalog")


def test_without_a_subject_the_object_is_what_the_incident_is_about(scenario: Scenario) -> None:
    assert is_object_right(scenario, a_hypothesis(subject=None), at="Service/catalog")
    assert not is_object_right(scenario, a_hypothesis(subject=None), at="Deployment/shop-web")


def test_a_refuted_hypothesis_is_not_right(scenario: Scenario) -> None:
    assert is_cause_right(scenario, a_hypothesis(verdict="inconclusive"))
    assert not is_cause_right(scenario, a_hypothesis(verdict="refuted"))


def test_what_must_not_be_said_counts_only_where_it_is_said_to_be_supported(
    scenario: Scenario,
) -> None:
    wrong = a_hypothesis(cause="network_policy_blocks")

    assert said_wrongly(scenario, [wrong]) == ["network_policy_blocks"]
    assert said_wrongly(scenario, [{**wrong, "verdict": "inconclusive"}]) == []


def test_healing_is_counted_over_what_can_be_healed_and_over_all() -> None:
    outcomes = [
        a_fault("a", healed=True, proposal="set_selector catalog"),
        a_fault("b"),
        a_fault("c", fix="none"),
    ]

    found = sums(outcomes)

    assert (found.healed, found.healed_of_all) == (Part(1, 2), Part(1, 3))
    assert found.proposed == Part(1, 2)


def test_the_right_cause_at_the_wrong_object_is_not_right() -> None:
    found = sums([a_fault("a"), a_fault("b", object_right=False)])

    assert (found.object_right, found.cause_right) == (Part(1, 2), Part(1, 2))


def test_what_could_not_be_played_counts_for_nobody_and_is_said() -> None:
    outcomes = [a_fault("a"), a_fault("b", problem="Deployment/redis ready did not come")]

    assert sums(outcomes).detected == Part(1, 1)
    assert "NOT PLAYED: 1" in text(outcomes)


def test_an_incident_in_a_quiet_scene_is_a_false_finding() -> None:
    quiet = Outcome(name="q", group="quiet", fix="none")
    loud = Outcome(name="r", group="quiet", fix="none", incidents=["Job/seed: failed"])

    assert false_findings([quiet, loud, a_fault("a")]) == Part(1, 2)
    assert "FALSE: Job/seed: failed" in text([loud])


def test_the_page_tells_each_fault_and_each_quiet_scene_with_its_story(scenario: Scenario) -> None:
    scene = load("quiet-job-completed", "shop-51")
    outcomes = [
        a_fault(scenario.name, detect_s=1.25, sign="event Unhealthy"),
        Outcome(name=scene.name, group="quiet", fix="none"),
    ]

    told = page(outcomes, [scenario, scene], "yesterday")

    assert "| service-selector | event Unhealthy | 1.2 s |" in told
    assert scenario.story in told
    assert f"| quiet-job-completed | nothing | {scene.story} |" in told
    assert "0/1 quiet scenes" in told
    assert "Played yesterday" in told


def test_a_second_verdict_is_told_and_not_counted() -> None:
    wrong = a_fault(
        "memory-leak",
        cause_right=False,
        verdict="memory_limit_too_low",
        verdict_after="memory_leak",
    )

    assert "memory_limit_too_low; when that did not hold: memory_leak" in text([wrong])
    assert sums([wrong]).cause_right == Part(0, 1)


def test_an_incident_from_before_the_fault_is_counted_as_false() -> None:
    early = a_fault("a", too_early=["Deployment/cart: running but not ready"])

    assert sums([early, a_fault("b")]).too_early == 1
    assert "before anything was broken in 1" in text([early])
