"""Each role is given the secrets that its settings read, and no other role's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices, SecretStr

from copilot.roles.app import ROLES
from copilot.settings import Settings

ROOT = Path(__file__).parents[2]
BASE = ROOT / "deploy/base"

EVERY_ROLE = {
    "TIDB_HOST",
    "TIDB_PORT",
    "TIDB_USER",
    "TIDB_PASSWORD",
    "TIDB_DB",
    "TIDB_CA",
    "COPILOT_METRICS_TOKEN",
    "OTEL_EXPORTER_OTLP_HEADERS",
}
"""The store, and what a role tells of itself."""
GIVEN: dict[str, set[str]] = {
    "gateway": {
        "COPILOT_AGENT_TOKEN",
        "COPILOT_ACCESS_TOKEN",
        "COPILOT_OIDC_CLIENT_SECRET",
        "OPENAI_API_KEY",
        "COPILOT_EMBEDDING_API_KEY",
    },
    "ingestion": {"COPILOT_SENDER_TOKEN"},
    "watcher": set(),
    "agent-context": {"COPILOT_AGENT_TOKEN", "OPENAI_API_KEY", "COPILOT_EMBEDDING_API_KEY"},
    "agent-detective": {"COPILOT_AGENT_TOKEN", "OPENAI_API_KEY"},
    "agent-runbook": {"COPILOT_AGENT_TOKEN", "OPENAI_API_KEY", "COPILOT_EMBEDDING_API_KEY"},
    "agent-remediator": {"COPILOT_AGENT_TOKEN", "COPILOT_GIT_TOKEN"},
    "agent-reporter": {
        "COPILOT_AGENT_TOKEN",
        "COPILOT_SLACK_WEBHOOK_URL",
        "COPILOT_JIRA_TOKEN",
    },
}
"""Beyond that: what each role reads (`roles/app.py`, `wiring.py`)."""
IN_ONE_PIECE = {"COPILOT_STORE"}
"""The store's address as one secret, which the base takes in parts."""


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_given_its_own_secrets_and_no_more(role: str) -> None:
    assert given_by("every-role.yaml") | given_by(f"{role}.yaml") == EVERY_ROLE | GIVEN[role]


def test_every_secret_setting_is_some_roles() -> None:
    given = EVERY_ROLE.union(IN_ONE_PIECE, *GIVEN.values())

    assert [names for names in secret_settings() if not names & given] == []


def test_no_role_is_given_a_secret_as_a_whole() -> None:
    assert [path.name for path in BASE.glob("*.yaml") if "secretRef:" in path.read_text()] == []


def test_the_page_on_deploying_has_the_same_table() -> None:
    page = (ROOT / "docs/how-to/deploy.md").read_text()
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", page, re.MULTILINE))

    told = {key: set(re.findall(r"`([a-z-]+)`", who)) or {who.strip()} for key, who in rows.items()}

    wanted = {key: {r for r in ROLES if key in GIVEN[r]} for key in set().union(*GIVEN.values())}
    assert told == wanted | {key: {"every role"} for key in EVERY_ROLE}


def given_by(name: str) -> set[str]:
    """The keys of Secrets that the Deployment in a file asks for."""
    objects: list[Any] = list(yaml.safe_load_all((BASE / name).read_text()))
    (deployment,) = (one for one in objects if one["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    asked = {
        one["name"]: one["valueFrom"]["secretKeyRef"]["key"]
        for one in container.get("env", ())
        if "secretKeyRef" in one.get("valueFrom", {})
    }
    assert all(name == key for name, key in asked.items())
    return set(asked)


def secret_settings() -> list[set[str]]:
    """The names under which each of them is read."""
    return [
        {*map(str, info.validation_alias.choices)}
        if isinstance(info.validation_alias, AliasChoices)
        else {f"COPILOT_{name.upper()}"}
        for name, info in Settings.model_fields.items()
        if SecretStr in (info.annotation, *getattr(info.annotation, "__args__", ()))
    ]
