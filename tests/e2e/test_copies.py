"""Backup and restore as an operator does them: beside a co-pilot that runs, and in its place."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.copilot_process import (
    COMMAND,
    break_it,
    environment,
    open_incident,
    up_with_demo,
    wait_for,
)
from tests.e2e.test_command_line import error_of, run

pytestmark = pytest.mark.timeout(180)


def test_a_running_copilot_is_backed_up_and_comes_back_elsewhere(tmp_path: Path) -> None:
    archive = tmp_path / "archive.zst"
    with up_with_demo(tmp_path) as copilot, copilot.client() as client:
        break_it(client)
        incident = wait_for(lambda: open_incident(client), "an incident", 60)
        backed_up = run(tmp_path, "backup", str(archive))
        in_use = run(tmp_path, "restore", str(archive), "--force")

    assert backed_up.returncode == 0, backed_up.stderr
    assert in_use.returncode == 1
    assert "stop it first" in in_use.stderr

    new = str(tmp_path / "new")
    assert "restored into" in run(tmp_path, "restore", str(archive), "--data", new).stdout
    assert "holds: " in run(tmp_path, "audit", "verify", "--data", new).stdout
    entries = map(json.loads, run(tmp_path, "audit", "export", "--data", new).stdout.splitlines())
    opened = [e for e in entries if e["action"] == "incident.opened"]
    assert f"incident-{incident['id']}" in {entry["chain"] for entry in opened}
    assert "incident.opened" in run(tmp_path, "audit", "list", "--data", new).stdout


def test_a_backup_goes_out_of_one_pod_and_into_another_by_a_pipe(tmp_path: Path) -> None:
    run(tmp_path, "token", "create", "--sender", "fluent-bit")
    here, there = (environment(tmp_path / name) for name in ("data", "new"))

    with subprocess.Popen([*COMMAND, "backup", "-"], env=here, stdout=subprocess.PIPE) as backup:
        subprocess.run([*COMMAND, "restore", "-"], env=there, stdin=backup.stdout, check=True)

    assert backup.returncode == 0
    listed = run(tmp_path, "audit", "list", "--data", str(tmp_path / "new")).stdout
    assert "token.created" in listed


def test_a_store_on_a_server_is_left_to_its_own_tools(tmp_path: Path) -> None:
    line = error_of(run(tmp_path, "backup", "b.zst", COPILOT_STORE="tidb://a:b@host/x"))

    assert "incident-copilot migrate" in line
