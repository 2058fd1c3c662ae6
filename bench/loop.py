"""How long from a container's kill to the open incident, the verdict and the verified fix.

`make bench-loop` runs the product with its demo cluster and breaks it three times; every figure is
wall time since `terminated.finishedAt`, which the API server gives in whole seconds, so that they
are up to a second too long. The approval follows at once: no person's time is in them. Exits with 1
where a median is over its budget.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.e2e.copilot_process import (
    approve,
    break_it,
    open_incident,
    proposed,
    resolved,
    room,
    up_with_demo,
    wait_for,
)

RUNS = 3


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds since the kill."""

    opened: float
    verdict: float
    verified: float


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a row is called, and the seconds it may take."""

    name: str
    seconds: float | None


BUDGETS = {
    "opened": Budget(name="kill -> open incident", seconds=None),
    "verdict": Budget(name="kill -> verdict, dry-run diff", seconds=5),
    "verified": Budget(name="kill -> verified fix", seconds=60),
}


def main() -> int:
    """Measure, print, and say whether the budgets hold."""
    console = Console()
    runs: list[Times] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        up_with_demo(Path(folder)) as copilot,
        copilot.client() as client,
    ):
        for number in range(1, RUNS + 1):
            console.print(f"run {number} of {RUNS} ...")
            runs.append(one_run(client))
    table, is_fine = report(runs)
    console.print(table)
    return 0 if is_fine else 1


def one_run(client: httpx.Client) -> Times:
    """Break the demo workload, approve what is proposed, wait for the proof."""
    before = client.get("/api/incidents").raise_for_status().json()["rows"]
    after = before[0]["incident"]["id"] if before else 0
    break_it(client)
    incident_id = wait_for(lambda: open_incident(client, after), "an incident")["id"]
    proposal = wait_for(lambda: a_verdict(client, incident_id), "a verdict")
    seen_us = time.time_ns() // 1000
    approve(client, proposal).raise_for_status()
    ended = wait_for(lambda: resolved(client, incident_id), "a verified fix", 240)["incident"]
    kill_us = ended["first_signal_us"]
    return Times(
        opened=(ended["opened_us"] - kill_us) / 1e6,
        verdict=(seen_us - kill_us) / 1e6,
        verified=(ended["resolved_us"] - kill_us) / 1e6,
    )


def a_verdict(client: httpx.Client, incident_id: int) -> dict[str, Any] | None:
    """The proposal that waits, once a supported hypothesis and its evidence are there."""
    seen = room(client, incident_id)
    is_explained = any(h["verdict"] == "supported" and h["supporting"] for h in seen["hypotheses"])
    found = proposed(client, incident_id) if is_explained else None
    return found if found and found["dry_run_accepted"] and found["diff"] else None


def report(runs: list[Times]) -> tuple[Table, bool]:
    """The table, and whether every median is within its budget."""
    table = Table("what", "min", "median", "max", "budget", "")
    is_fine = True
    for each in fields(Times):
        seconds = [getattr(run, each.name) for run in runs]
        budget, median = BUDGETS[each.name], statistics.median(seconds)
        is_over = budget.seconds is not None and median > budget.seconds
        is_fine = is_fine and not is_over
        told = "" if budget.seconds is None else ("over" if is_over else "within")
        limit = "" if budget.seconds is None else f"{budget.seconds:.0f} s"
        shown = (f"{value:.1f} s" for value in (min(seconds), median, max(seconds)))
        table.add_row(budget.name, *shown, limit, told)
    return table, is_fine


if __name__ == "__main__":
    sys.exit(main())
