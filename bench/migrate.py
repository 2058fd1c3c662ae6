#!/usr/bin/env python3
"""A store of a million events and a hundred incidents moves house; it is killed once on the way.

    bench/migrate.py [--events 1000000] [--to sqlite:PATH | tidb://...]

Makes the source, copies it with `incident-copilot migrate`, kills that with SIGKILL at about 40 % of
the rows, runs it again, and prints what it told and how long it took. Without --to: into another
SQLite file. With `--to mariadb`: into a MariaDB made for the run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pydantic import SecretStr

from copilot.domain.errors import CopilotError
from copilot.domain.event import Stream
from copilot.settings import Settings
from copilot.store import SqlStore, open_store
from copilot.wiring import SystemClock, opened_store
from tests.builders_history import a_history
from tests.builders_store import NOW_US, SECOND_US, a_batch
from tests.fakes import FixedClock
from tests.mariadb import MariaDb
from tests.servers import created
from tools.test_store import url_of

PER_BATCH = 1_000
PODS = 200
INCIDENTS = 100
CUT_AT = 0.4


async def make(path: Path, n_events: int) -> int:
    """A store with so many rows of events, as log lines of their severity are; how many lines."""
    store = await open_store(path, clock=FixedClock(NOW_US))
    await store.migrate()
    await a_history(store, pods=INCIDENTS, each=10)
    for number in range(0, n_events, PER_BATCH):
        pod = number // PER_BATCH % PODS
        lines = [
            f"request {number + i:07d} to payments failed after {i * 37 % 991} ms: connection reset"
            for i in range(PER_BATCH)
        ]
        stream = Stream(cluster="lab", namespace=f"ns-{pod % 9}", app="shop", pod=f"shop-{pod}")
        at_us = NOW_US - (n_events - number) // PER_BATCH * 600 * SECOND_US
        batch = a_batch(*lines, ts_us=at_us, severity=17, stream=stream, key=os.urandom(16))
        async with store.transaction() as tx:
            await tx.telemetry.add(batch)
    async with store.view() as look:
        counts = await look.telemetry.counts()
    await store.close()
    return counts.events


def migrating(source: Path, target: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "copilot", "migrate", "--from", f"sqlite:{source}"]
    environment = {**os.environ, "COPILOT_STORE": target, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(command, env=environment, cwd=ROOT)


async def copied_rows(target: str) -> int:
    """How far it is, by what the target says."""
    store: SqlStore | None = None
    try:
        store = await opened_store(Settings(store=SecretStr(target)), SystemClock())
        async with store._engine.view() as look:
            row = await look.fetch_one("SELECT COALESCE(SUM(n), 0) AS n FROM copies")
        return int(row["n"]) if row else 0
    except CopilotError:  # there is no schema yet
        return 0
    finally:
        if store is not None:
            await store.close()


@contextmanager
def target_of(given: str, folder: Path) -> Iterator[str]:
    if given != "mariadb":
        yield given or f"sqlite:{folder / 'target.db'}"
        return
    server = MariaDb.made(folder / "mariadb")
    server.start()
    try:
        address = server.address("copilot_bench")
        asyncio.run(created(address))
        yield url_of(address, "mariadb")
    finally:
        server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--to", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="copilot-migrate-") as name:
        folder = Path(name)
        source = folder / "source.db"
        started = time.monotonic()
        n_events = asyncio.run(make(source, given.events))
        size = source.stat().st_size / (1 << 20)
        took_s = time.monotonic() - started
        print(
            f"source: {n_events:,} events, {INCIDENTS} incidents, {size:,.0f} MiB, {took_s:.0f} s"
        )
        with target_of(given.to, folder) as target:
            started = time.monotonic()
            first = migrating(source, target)
            while (n := asyncio.run(copied_rows(target))) < CUT_AT * n_events:
                if first.poll() is not None:
                    print("it ended before it could be killed", file=sys.stderr)
                    return 1
                time.sleep(0.2)
            first.send_signal(signal.SIGKILL)
            first.wait()
            print(f"killed at {n:,} rows, after {time.monotonic() - started:.0f} s")
            again = time.monotonic()
            code = migrating(source, target).wait()
            now = time.monotonic()
            print(f"resumed and verified in {now - again:.0f} s (exit {code})")
            whole_s = now - started
            print(f"all in all {whole_s:.0f} s, {n_events / whole_s:,.0f} events/s")
            return code


if __name__ == "__main__":
    sys.exit(main())
