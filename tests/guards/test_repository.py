"""The repository itself: what is printed from code is current, what exists is documented."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from copilot.agents.detective import CAUSE_NAMES
from copilot.agents.runbook import parse_runbook, seed_sql
from copilot.causes import CAUSES
from copilot.detect.rules import RULES
from copilot.domain import errors
from copilot.domain.alert import Rule
from copilot.domain.hypothesis import Cause
from copilot.domain.incident import MOVES
from copilot.kube.manifests import (
    base_manifest,
    kubelet_manifest,
    remediation_manifest,
    rights_table,
)
from copilot.roles.app import ROLES
from copilot.roles.gateway import openapi_json
from copilot.settings import Settings, describe
from copilot.store.migrations import SQLITE, TIDB, Family, schema_sql

ROOT = Path(__file__).parents[2]


def tracked(pattern: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [path for name in listed if (path := ROOT / name).is_file()]


def test_the_openapi_document_is_that_of_the_gateway() -> None:
    assert (ROOT / "ui/openapi.json").read_text() == openapi_json(), "run `make api`"


@pytest.mark.parametrize(("name", "family"), [("schema", TIDB), ("schema.sqlite", SQLITE)])
def test_the_printed_schema_is_current(name: str, family: Family) -> None:
    assert (ROOT / f"db/{name}.sql").read_text() == schema_sql(family), "run `make schema`"


def test_the_printed_runbooks_are_current() -> None:
    parsed = [
        parse_runbook(path.stem, path.read_text(), 0)
        for path in sorted((ROOT / "docs/runbooks").glob("*.md"))
    ]

    assert (ROOT / "db/seed_runbooks.sql").read_text() == seed_sql(parsed), "run `make schema`"


def test_every_setting_is_documented() -> None:
    documented = (ROOT / "docs/settings.md").read_text()

    assert documented == describe(), "run `make schema`"
    assert all(info.description for info in Settings.model_fields.values())


def test_the_printed_rights_are_current() -> None:
    printed = {
        "docs/rights.md": rights_table(),
        "deploy/base/rbac.yaml": base_manifest(),
        "deploy/components/kubelet-usage/rbac.yaml": kubelet_manifest(),
        "deploy/components/demo-rights/rbac.yaml": remediation_manifest(["demo"]),
    }

    for name, text in printed.items():
        assert (ROOT / name).read_text() == text, f"{name}: run `make schema`"


def test_every_kustomization_lists_what_is_beside_it() -> None:
    for kustomization in tracked("deploy/**/kustomization.yaml"):
        said = yaml.safe_load(kustomization.read_text())
        patches = [patch.get("path", "") for patch in said.get("patches", ())]
        listed = {name for name in [*said["resources"], *patches] if name.endswith(".yaml")}
        beside = {path.name for path in kustomization.parent.glob("*.yaml")}

        assert listed == beside - {kustomization.name, "secrets.example.yaml"}, kustomization


@pytest.mark.parametrize("name", ["base/configmap", "overlays/production/settings"])
def test_a_probe_and_a_terminal_in_the_pod_itself_are_answered(name: str) -> None:
    said = yaml.safe_load((ROOT / f"deploy/{name}.yaml").read_text())["data"]

    assert {"localhost", "127.0.0.1"} <= set(json.loads(said["COPILOT_ALLOWED_HOSTS"]))


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_service_account(role: str) -> None:
    base = yaml.safe_load_all((ROOT / "deploy/base/rbac.yaml").read_text())

    assert role in {one["metadata"]["name"] for one in base if one["kind"] == "ServiceAccount"}


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_is_listed_and_has_a_runbook(rule: Rule) -> None:
    runbooks = "\n".join(path.read_text() for path in (ROOT / "docs/runbooks").glob("*.md"))

    assert rule in RULES
    assert re.search(rf"^rules:.*\b{rule.value}\b", runbooks, re.MULTILINE), (
        f"no runbook names {rule}"
    )


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.UNKNOWN])
def test_every_cause_has_a_runbook(cause: Cause) -> None:
    runbooks = "\n".join(path.read_text() for path in (ROOT / "docs/runbooks").glob("*.md"))

    assert CAUSES
    assert re.search(rf"^causes:.*\b{cause.value}\b", runbooks, re.MULTILINE), (
        f"no runbook names {cause}"
    )


def test_every_cause_can_be_named_in_a_sentence() -> None:
    assert set(CAUSE_NAMES) == set(Cause)


def test_every_error_stands_in_the_tree_that_opens_the_module() -> None:
    tree = errors.__doc__ or ""
    classes = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.CopilotError)
    ]

    assert [name for name in classes if name not in tree] == []


def test_the_screens_know_the_same_moves_as_the_domain() -> None:
    table = json.loads((ROOT / "ui/lib/moves.json").read_text())

    assert {status: set(to) for status, to in table.items()} == {
        status.value: set(MOVES[status]) for status in MOVES
    }


def test_lock_files_name_no_registry() -> None:
    locks = [*tracked("requirements/*.lock"), ROOT / "ui/package-lock.json"]

    for lock in locks:
        found = re.search(r'(https?://[^"\s]+\.(tgz|whl|gz))|index-url', lock.read_text())
        assert found is None, f"{lock.name}: {found.group()}"


def test_nothing_tracked_names_a_path_of_one_machine() -> None:
    for path in tracked("*"):
        if path.suffix in {".py", ".md", ".ts", ".tsx", ".yaml", ".toml", ".sql", ".json"}:
            text = path.read_text(errors="ignore")
            assert not re.search(r"/(home|root|Users)/[a-z]", text), path


def test_every_python_package_says_what_it_promises() -> None:
    for package in (ROOT / "src/copilot").rglob("__init__.py"):
        assert package.read_text().lstrip().startswith('"""'), package
