"""The scenarios as they are written down: each says what it does and what must be found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from copilot.domain.hypothesis import Cause
from lab.scenarios.expectation import Fix, Scenario, Verb, load, names, namespaces

ROOT = Path(__file__).parents[3]
CLUSTER_WIDE = ("Node", "PersistentVolume", "StorageClass", "ValidatingWebhookConfiguration")
WANTED = {
    "memory": 4,
    "cpu": 1,
    "image": 4,
    "config": 4,
    "probe": 4,
    "scheduling": 6,
    "volume": 3,
    "quota": 3,
    "service": 4,
    "network": 3,
    "job": 3,
    "rbac": 2,
    "certificate": 1,
    "init": 2,
    "eviction": 2,
    "node": 2,
    "admission": 1,
    "quiet": 12,
}


@pytest.fixture(scope="module")
def everything() -> list[Scenario]:
    return [load(name, namespace) for name, namespace in namespaces(names())]


def test_every_kind_of_fault_has_its_scenarios(everything: list[Scenario]) -> None:
    groups = Counter(one.group for one in everything)

    assert {group: n for group, n in WANTED.items() if groups[group] < n} == {}


def test_they_name_causes_that_the_product_knows(everything: list[Scenario]) -> None:
    known = {cause.value for cause in Cause}

    assert {one.name for one in everything if not one.causes | one.never <= known} == set()
    assert {one.name for one in everything if one.causes & one.never} == set()


def test_every_file_of_a_folder_is_applied(everything: list[Scenario]) -> None:
    for one in everything:
        applied = {step.on for step in one.steps if step.verb is Verb.APPLY}

        assert applied == {path.name for path in one.folder.glob("*.yaml")} - {"expect.yaml"}


def test_what_must_be_well_again_was_made_by_the_scenario(everything: list[Scenario]) -> None:
    of_a_template = {"PersistentVolumeClaim/data-warehouse-0"}
    for one in everything:
        if one.fix is Fix.HEALS:
            assert set(one.healed) <= {_key(thing) for thing in _made(one)} | of_a_template, (
                one.name
            )


def test_what_belongs_to_the_cluster_carries_the_namespace_in_its_name(
    everything: list[Scenario],
) -> None:
    for one in everything:
        for thing in _made(one):
            if thing["kind"] in CLUSTER_WIDE:
                assert one.namespace in thing["metadata"]["name"]
            else:
                assert "namespace" not in thing["metadata"]


def _made(scenario: Scenario) -> list[dict[str, Any]]:
    files = (step.on for step in scenario.steps if step.verb is Verb.APPLY)
    return [thing for file in files for thing in scenario.manifests(file)]


def _key(thing: dict[str, Any]) -> str:
    return f"{thing['kind']}/{thing['metadata']['name']}"


def test_namespaces_are_unique_and_say_nothing_about_the_fault() -> None:
    given = dict(namespaces(names()))

    assert len(set(given.values())) == len(given)
    assert all(place.removeprefix("shop-").isdecimal() for place in given.values())


def test_the_namespace_is_the_same_when_only_some_are_played() -> None:
    everyone = dict(namespaces(names()))

    assert dict(namespaces(["service-selector"])) == {
        "service-selector": everyone["service-selector"]
    }


def test_an_unknown_word_in_an_expectation_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "expect.yaml").write_text(
        "{kind: quiet, story: nothing, steps: [], hopes: many}", encoding="utf-8"
    )
    monkeypatch.setattr("lab.scenarios.expectation.HERE", tmp_path)

    with pytest.raises(ValueError, match="hopes"):
        load("odd", "shop-01")


def test_no_line_of_the_product_knows_of_the_scenarios() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))

    assert "lab.scenarios" not in source
    assert "expect.yaml" not in source
    assert "shop-" not in source
