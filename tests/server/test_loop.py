"""The whole loop on a server: an out-of-memory kill becomes a verified fix, in one process and in
one a role."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.builders_store import SERVER
from tests.e2e.copilot_process import (
    Copilot,
    a_process_a_role,
    approve,
    audited,
    break_it,
    open_incident,
    proposed,
    resolved,
    up_with_demo,
    wait_for,
)

pytestmark = pytest.mark.timeout(240)


def one_process(folder: Path) -> AbstractContextManager[Copilot]:
    return up_with_demo(folder, COPILOT_STORE=SERVER)


def one_a_role(folder: Path) -> AbstractContextManager[Copilot]:
    return a_process_a_role(folder, COPILOT_STORE=SERVER)


@pytest.mark.parametrize("start", [one_process, one_a_role])
def test_a_kill_becomes_a_verified_fix(
    tmp_path: Path, start: Callable[[Path], AbstractContextManager[Copilot]]
) -> None:
    with start(tmp_path) as copilot, copilot.client() as client:
        break_it(client)
        incident = wait_for(lambda: open_incident(client), "an incident", 60)
        proposal = wait_for(lambda: proposed(client, incident["id"]), "a proposal", 60)
        approve(client, proposal).raise_for_status()
        seen = wait_for(lambda: resolved(client, incident["id"]), "the end", 120)
        done = audited(client, incident["id"])
        health = client.get("/readyz", params={"verbose": "1"}).raise_for_status().json()
        broken = client.get("/api/audit").raise_for_status().json()["broken"]

    assert [p["status"] for p in seen["proposals"] if p["id"] == proposal["id"]] == ["verified"]
    assert done.count("action.verified") == 1
    assert health["store"]["kind"] in ("TiDB", "MariaDB")
    assert broken == []
