"""A co-pilot as its user runs it, and what it says about an incident, over its HTTP API."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

START_S = 60
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One incident as the API shows it at one time."""

    id: int
    title: str
    at: str
    """`Kind/name` of its workload."""
    opened: float
    """Unix time."""
    status: str
    rules: tuple[str, ...]
    hypotheses: tuple[dict[str, Any], ...]
    proposals: tuple[dict[str, Any], ...]
    gaps: tuple[str, ...]
    found: float | None
    """Unix time of the first finding in the timeline."""

    @property
    def first(self) -> dict[str, Any] | None:
        return self.hypotheses[0] if self.hypotheses else None

    @property
    def proposal(self) -> dict[str, Any] | None:
        """The first that waits for a person; it has passed the cluster's dry run."""
        waiting = (one for one in self.proposals if one["status"] == "proposed")
        return next((one for one in waiting if one["dry_run_accepted"]), None)


class Copilot:
    """One process on a data folder of its own."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, data: Path) -> None:
        self._process = process
        tokens = json.loads((data / "tokens.json").read_text())
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {tokens['access']}"},
            timeout=30,
            trust_env=False,
        )
        self._rows: list[dict[str, Any]] = []

    @classmethod
    async def start(cls, data: Path, kubeconfig: str | None, context: str | None) -> Copilot:
        """Started and looking at the cluster.

        Raises:
            RuntimeError: it did not start; its log is in the data folder.
        """
        data.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "copilot", "up", "--no-open", "--port", "0"]
        command += ["--data", str(data), "--cluster", "lab"]
        command += ["--kubeconfig", kubeconfig] if kubeconfig else []
        command += ["--context", context] if context else []
        # Ours and nothing of the developer's.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("COPILOT_", "OPENAI_"))}
        log = data / "copilot.log"
        process = await asyncio.to_thread(_started, command, kept, log)
        for _ in range(START_S * 5):
            address = _ADDRESS.search(log.read_text(errors="replace"))
            if address and (data / "tokens.json").exists():
                copilot = cls(process, address[0], data)
                await copilot._synced()
                return copilot
            if process.poll() is not None:
                break
            await asyncio.sleep(0.2)
        process.kill()
        raise RuntimeError(f"the co-pilot did not start; see {log}")

    async def _synced(self) -> None:
        for _ in range(START_S):
            if (await self._get("/api/status"))["is_synced"]:
                return
            await asyncio.sleep(1)

    async def stop(self) -> None:
        await self._client.aclose()
        self._process.send_signal(signal.SIGINT)
        try:
            await asyncio.to_thread(self._process.wait, 10)
        except subprocess.TimeoutExpired:
            self._process.kill()

    async def look(self) -> None:
        """Read the newest incidents, for everybody who asks after theirs."""
        self._rows = (await self._get("/api/incidents?limit=200"))["rows"]

    def of(self, namespace: str) -> list[int]:
        """Ids of the incidents there, or at a node named after it; oldest first."""
        return sorted(
            row["incident"]["id"] for row in self._rows if _is_at(row["incident"], namespace)
        )

    async def read(self, incident: int) -> Seen:
        room = await self._get(f"/api/incidents/{incident}")
        about, timeline = room["incident"], room["timeline"]
        found = [entry["ts_us"] / 1e6 for entry in timeline if entry["kind"] == "finding"]
        return Seen(
            id=incident,
            title=about["title"],
            at=f"{about['workload']['kind']}/{about['workload']['name']}",
            opened=about["opened_us"] / 1e6,
            status=about["status"],
            rules=tuple(sorted({alert["rule"] for alert in room["alerts"]})),
            hypotheses=tuple(room["hypotheses"]),
            proposals=tuple(room["proposals"]),
            gaps=tuple(str(gap) for gap in room["gaps"]),
            found=min(found, default=None),
        )

    async def approve(self, proposal: dict[str, Any]) -> str:
        """A person's yes to exactly this; empty, or why it was refused."""
        path = f"/api/proposals/{proposal['id']}/approve"
        answer = await self._client.post(path, json={"digest": proposal["digest"]})
        return "" if answer.status_code < 300 else answer.text[:200]

    async def _get(self, path: str) -> Any:
        return (await self._client.get(path)).raise_for_status().json()


def _started(command: list[str], env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)


def _is_at(incident: dict[str, Any], namespace: str) -> bool:
    name = incident["workload"]["name"]
    return bool(incident["namespace"] == namespace or name.endswith(f"-{namespace}"))
