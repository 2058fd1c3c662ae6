"""What the two tiers of the store cost beside a plain file, through the same HTTP route.

`make bench-store` starts the ingestion route of the product in a process of its own for each sink,
sends the same bodies (Fluent Bit's JSON, 1,000 lines each, times that go on) over eight connections,
and prints lines a second and what of it a plain file makes of them in the same minute:

    raw         decoded, lines appended to a file, fdatasync; nothing masked, nothing findable
    blocks      the product: masked, templates, counts, blocks, detection; lines of level info
    tiers       the same where 3 % of the lines are warnings, which get a row and full text
    rows        one indexed row a line, no full text
    full-text   one row a line with full text
    mariadb     as tiers, on a MariaDB server beside it that syncs every commit, where one is installed

Every sink answers only what is on disk. Then 1 M and 10 M lines are searched. Exits with 1 where a
budget does not hold. `--small` is for looking only: fewer lines, no budget.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.loglines import COMMON, Requests, Writer, id_of

if TYPE_CHECKING:  # what runs is imported where it runs: each process takes only what it needs
    from random import Random

    from copilot.domain.event import Batch
    from copilot.domain.search import Query
    from copilot.ingest.doors import Door
    from copilot.ports import Clock, StoredBatch
    from copilot.roles.together import ReceiveAll
    from copilot.store import SqlStore
    from copilot.store.telemetry import SqlTelemetry

LINES = 1000
"""A body."""
CONNECTIONS = 8
WARN_SHARE = 0.03
DATABASE = "copilot_bench"
ROUNDS = 3
"""Of every sink, in turn; the best round of each counts, as other work on the machine only slows."""
RATIO = 0.5
_WIDTH = 110
"""Of tables, so that no figure is cut where the output is a file."""


# --------------------------------------------------------------------------- the server


async def serve(sink: str, folder: Path, port: int) -> None:
    """The ingestion route over one sink, for ever."""
    import uvicorn
    from starlette.applications import Starlette

    from copilot.roles import ingestion
    from copilot.roles.memory import look_less_for_cycles, reuse_large_buffers
    from copilot.roles.together import Together
    from copilot.wiring import SystemClock

    if not os.environ.get("BENCH_PLAIN_MALLOC"):
        reuse_large_buffers()
        look_less_for_cycles()  # in every sink: it is of the process, not of the store
    clock = SystemClock()
    receive_all = await _sink(sink, folder, clock)
    if sink == "raw":
        ingestion.decode = _decoded_only  # type: ignore[attr-defined]  # the same route, without columns
    routes = ingestion.ingestion_routes(
        Together(receive_all).receive,
        authenticate=_anybody,
        clock=clock,
        default_cluster="bench",
    )
    config = uvicorn.Config(
        Starlette(routes=routes), port=port, log_level="error", access_log=False, lifespan="off"
    )
    await uvicorn.Server(config).serve()


async def _anybody(request: object) -> str:
    return "bench"


async def _sink(sink: str, folder: Path, clock: Clock) -> ReceiveAll:
    from copilot.detect.rules import RULES
    from copilot.flow import Flow
    from copilot.journal import Journal
    from copilot.store import open_store

    if sink == "raw":
        return _RawFile(folder / "lines.log").receive_all
    if url := os.environ.get("BENCH_STORE"):
        from copilot.store import mysql

        store = await mysql.open_store(mysql.parse_address(url), clock=clock)
    else:
        store = await open_store(folder / "copilot.db", clock=clock)
    await store.migrate()
    if sink in ("rows", "full-text"):
        return await _rows(store, has_text=sink == "full-text")
    flow = Flow(
        store=store,
        agents=None,  # type: ignore[arg-type]  # leg 1 asks none
        clock=clock,
        journal=Journal(cluster="bench"),
        rules=RULES,
    )
    return flow.receive_all


class _RawFile:
    """Lines end to end in a file; written and synced before anybody is answered."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    async def receive_all(self, batches: Sequence[Batch]) -> list[StoredBatch]:
        from copilot.ports import StoredBatch

        await asyncio.to_thread(self._write, batches)
        return [
            StoredBatch(is_repeat=False, n_stored=batch.n_records, first_line=None)
            for batch in batches
        ]

    def _write(self, batches: Sequence[Batch]) -> None:
        lines = [body for batch in batches for body in batch.lines.body]
        self._file.write("\n".join([*lines, ""]).encode())
        os.fdatasync(self._file.fileno())


def _decoded_only(
    door: Door,
    body: bytes,
    headers: Mapping[str, str],
    *,
    sender: str,
    received_us: int,
    default_cluster: str = "",
) -> Batch:
    """What `copilot.ingest.doors.decode` gives, without looking at any line."""
    from copilot.domain.event import Batch, Lines
    from copilot.ingest.doors import key_of
    from copilot.ingest.normalise import BatchBuilder
    from copilot.ingest.sources.fluentbit import decode_json

    builder = BatchBuilder(
        source="fluentbit",
        key=key_of(door, body, sender),
        cluster="bench",
        received_us=received_us,
    )
    decode_json(body, builder)
    return Batch(
        key=builder.key,
        source=builder.source,
        cluster=builder.cluster,
        received_us=builder.received_us,
        lines=Lines(ts_us=builder.ts_us, stream=builder.stream, body=builder.body),
    )


async def _rows(store: SqlStore, *, has_text: bool) -> ReceiveAll:
    """A row a line in `raw_events`, with the indexes of the row tier."""
    from copilot.domain.event import LineAddress
    from copilot.ports import StoredBatch
    from copilot.store.columns import Columns

    if not has_text:
        async with store.transaction() as tx:
            for trigger in ("ai", "ad", "au"):
                await tx.telemetry._db.execute(f"DROP TRIGGER raw_events_{trigger}")

    async def receive_all(batches: Sequence[Batch]) -> list[StoredBatch]:
        async with store.transaction() as tx:
            telemetry = tx.telemetry
            for batch in batches:
                columns = Columns([batch])
                streams = await telemetry._streams.keep(
                    columns.newest(), columns.newest(), now_us=batch.received_us
                )
                templates, _ = await telemetry._streams.keep_templates(
                    columns.spans(), now_us=batch.received_us
                )
                block = columns.block(streams, templates)
                await telemetry._events.add_lines(
                    batch,
                    range(len(block)),
                    block.stream.tolist(),
                    block.template.tolist(),
                    LineAddress(segment=0, line=0),
                )
        return [
            StoredBatch(is_repeat=False, n_stored=b.n_records, first_line=None) for b in batches
        ]

    return receive_all


# --------------------------------------------------------------------------- the sender


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round showed."""

    sink: str
    lines: int
    wall_s: float
    cpu_s: float
    """Of the server, and of its database."""
    ack_p50_ms: float
    ack_p99_ms: float
    size: int
    """Bytes on disk."""
    memory: int
    """Bytes of the server's memory at the end."""

    @property
    def per_s(self) -> float:
        return self.lines / self.wall_s

    @property
    def per_cpu_s(self) -> float:
        return self.lines / self.cpu_s


def a_round(sink: str, bodies: Sequence[bytes]) -> Round:
    """Sends all bodies to a fresh server of this sink."""
    with tempfile.TemporaryDirectory(
        prefix="bench-store-", dir=os.environ.get("BENCH_DIR")
    ) as name:
        folder = Path(name)
        port = _free_port()
        with _database(sink, folder) as (url, database):
            server = subprocess.Popen(
                [sys.executable, __file__, "--serve", sink, "--folder", name, "--port", str(port)],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "BENCH_STORE": url,
                },
            )
            pids = [server.pid, *database]
            try:
                _wait_for(port, server)
                warm = len(bodies) // 8
                _send(port, bodies[:warm])
                before = sum(map(_cpu_s, pids))
                start = time.perf_counter()
                waits = sorted(_send(port, bodies[warm:]))
                wall_s = time.perf_counter() - start
                cpu_s = sum(map(_cpu_s, pids)) - before
                memory = _resident(server.pid)
            finally:
                server.terminate()
                server.wait(20)
        return Round(
            sink=sink,
            lines=(len(bodies) - warm) * LINES,
            wall_s=wall_s,
            cpu_s=cpu_s,
            ack_p50_ms=waits[len(waits) // 2] * 1000,
            ack_p99_ms=waits[int(len(waits) * 0.99)] * 1000,
            size=sum(file.stat().st_size for file in _files(folder)),
            memory=memory,
        )


@contextmanager
def _database(sink: str, folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Where the store is, and the processes of a database server; nothing for a file."""
    if sink != "mariadb":
        yield "", []
        return
    from tests.mariadb import MariaDb
    from tests.servers import created
    from tools.test_store import url_of

    database = MariaDb.made(folder / "server")
    database.start()
    try:
        address = database.address(DATABASE)
        asyncio.run(created(address))
        assert database._process
        yield url_of(address, "mariadb"), [database._process.pid]
    finally:
        database.stop()


def _files(folder: Path) -> list[Path]:
    """Those that hold what was stored; of a server its tables."""
    tables = folder / "server" / "data" / DATABASE
    return list((tables if tables.is_dir() else folder).iterdir())


def _send(port: int, bodies: Sequence[bytes]) -> list[float]:
    """How long each answer took, in seconds."""
    waits: list[float] = []
    parts = [bodies[i::CONNECTIONS] for i in range(CONNECTIONS)]
    threads = [threading.Thread(target=_send_part, args=(port, part, waits)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(waits) != len(bodies):
        raise RuntimeError("not every body was accepted")
    return waits


def _send_part(port: int, bodies: Sequence[bytes], waits: list[float]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for body in bodies:
            head = (
                "POST /ingest HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            start = time.perf_counter()
            connection.sendall(head.encode())
            connection.sendall(body)
            answer = b""
            while b'"repeat":false' not in answer:
                part = connection.recv(65536)
                if not part or b"HTTP/1.1 200" not in answer + part:
                    raise RuntimeError(f"refused: {answer + part!r}")
                answer += part
            waits.append(time.perf_counter() - start)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise RuntimeError("the server ended")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server does not come up")


# --------------------------------------------------------------------------- the report

SINKS = {"raw": 1.0, "blocks": 1.0, "tiers": 0.5, "rows": 0.25, "full-text": 0.1, "mariadb": 0.25}
"""Each with the share of the bodies it gets: the slow ones need not see all."""


def ingest(console: Console, n_bodies: int, rounds: int, sinks: Sequence[str]) -> bool:
    """Measure and print; whether the budget holds."""
    now_us = time.time_ns() // 1000
    plain = Requests(Writer(), start_us=now_us - 60_000_000, size=LINES)
    mixed = Requests(Writer(2, warn_share=WARN_SHARE), start_us=now_us - 60_000_000, size=LINES)
    bodies = {"tiers": [mixed.body() for _ in range(int(n_bodies * SINKS["tiers"]))]}
    bodies["mariadb"] = bodies["tiers"]
    if "mariadb" in sinks and not shutil.which("mariadbd"):
        console.print("MariaDB is NOT measured: it is not installed (make mariadb)")
        sinks = [sink for sink in sinks if sink != "mariadb"]
    bodies |= {"raw": [plain.body() for _ in range(n_bodies)]}
    best: dict[str, Round] = {}
    for number in range(1, rounds + 1):
        for sink in sinks:
            chosen = bodies.get(sink, bodies["raw"])[: int(n_bodies * SINKS[sink])]
            one = a_round(sink, chosen)
            console.print(f"round {number}: {sink:10} {one.per_s:10,.0f} lines/s", style="dim")
            if sink not in best or one.per_s > best[sink].per_s:
                best[sink] = one
    table = Table(title=f"HTTP to acknowledgement, best of {rounds}", title_justify="left")
    for heading in (
        "sink",
        "lines/s",
        "of raw",
        "lines/cpu-s",
        "of raw",
        "ack p50",
        "p99",
        "B/line",
        "memory",
    ):
        table.add_column(heading, justify="left" if heading == "sink" else "right")
    raw = best["raw"]
    for one in best.values():
        n_all = one.lines / (1 - 1 / 8)
        table.add_row(
            one.sink,
            f"{one.per_s:,.0f}",
            f"{one.per_s / raw.per_s:.2f}",
            f"{one.per_cpu_s:,.0f}",
            f"{one.per_cpu_s / raw.per_cpu_s:.2f}",
            f"{one.ack_p50_ms:.0f} ms",
            f"{one.ack_p99_ms:.0f} ms",
            f"{one.size / n_all:.0f}",
            f"{one.memory / 2**20:.0f} MiB",
        )
    console.print(table)
    if "blocks" not in best or (ratio := best["blocks"].per_s / raw.per_s) >= RATIO:
        return True
    console.print(f"over budget: blocks are {ratio:.2f} of raw, wanted {RATIO}")
    return False


# --------------------------------------------------------------------------- search

FILL = 5_000
"""Lines a batch while filling."""
STEP_US = 100
OPEN_LINES = 100_000
"""Not sealed yet when the searches begin."""
TRIES = 60


@dataclass(frozen=True, kw_only=True)
class Search:
    """One question, asked `TRIES` times with other words."""

    name: str
    budget_ms: float


SEARCHES = {
    "id_packed": Search(name="a unique id, in packed segments", budget_ms=50),
    "id_open": Search(name="a unique id, in the open segment", budget_ms=300),
    "id_nowhere": Search(name="an id that is nowhere", budget_ms=300),
    "common": Search(name="newest 50 lines with a common word", budget_ms=80),
    "rows": Search(name="warnings with a word, one namespace (rows)", budget_ms=150),
    "lines": Search(name="lines of one pod, one second (stream and time)", budget_ms=150),
    "templates": Search(name="templates active in a quarter of a minute", budget_ms=150),
}


async def growth(console: Console, sizes: Sequence[int]) -> bool:
    """Fill a store, search it at each size, print; whether the budgets hold at the last."""
    from copilot.store import open_store
    from copilot.wiring import SystemClock

    with tempfile.TemporaryDirectory(
        prefix="bench-store-", dir=os.environ.get("BENCH_DIR")
    ) as name:
        store = await open_store(Path(name) / "copilot.db", clock=SystemClock())
        await store.migrate()
        filler = _Filler(store, max(sizes))
        columns = []
        for size in sizes:
            start = time.process_time()
            await filler.fill(size - OPEN_LINES)
            fill_s = time.process_time() - start
            await filler.seal()
            start = time.process_time()
            while await store.pack():
                pass
            pack_s = time.process_time() - start
            await filler.fill(size)
            measured = await _searched(store, filler)
            columns.append((size, fill_s, pack_s, measured, await _sizes(store, size)))
            console.print(f"{size:,} lines", style="dim")
        await store.close()
    table = Table(
        title="Growth (searches in ms: p50 / p95 / p50 of CPU time)", title_justify="left"
    )
    table.add_column("")
    for size, *_ in columns:
        table.add_column(f"{size:,} lines", justify="right")
    table.add_column("budget", justify="right")
    for key, search in SEARCHES.items():
        cells = [
            f"{m[key][0]:.1f} / {m[key][1]:.1f} / {m[key][2]:.1f}" for _, _, _, m, _ in columns
        ]
        table.add_row(search.name, *cells, f"{search.budget_ms:.0f}")
    for part in columns[0][4]:
        cells = [f"{sizes_[part]:.1f}" for *_, sizes_ in columns]
        table.add_row(
            f"bytes a line: {part}", *cells, f"{TIER_BYTES}" if part == BLOCK_TIER else ""
        )
    table.add_row("us of CPU a line: packing", *[f"{c[2] / c[0] * 1e6:.2f}" for c in columns], "")
    console.print(table)
    *_, (_, _, _, measured, parts) = columns
    over = [s.name for key, s in SEARCHES.items() if measured[key][1] > s.budget_ms]
    if parts[BLOCK_TIER] > TIER_BYTES:
        over.append(f"bytes a line: {BLOCK_TIER}")
    for name in over:
        console.print(f"over budget: {name}")
    return not over


BLOCK_TIER = "block tier (blocks, headers, filters)"
TIER_BYTES = 42


class _Filler:
    """Lines straight into the store, as ingestion would have decoded them."""

    def __init__(self, store: SqlStore, total: int) -> None:
        self.store = store
        self.writer = Writer(3, warn_share=WARN_SHARE)
        self.now_us = time.time_ns() // 1000 - total * STEP_US - 60_000_000
        self._first_us = self.now_us

    async def fill(self, until: int) -> None:
        """So many lines in all."""
        from copilot.domain.event import Stream
        from copilot.ingest.normalise import BatchBuilder

        while self.writer.n < until:
            batch = BatchBuilder(
                source="bench",
                key=self.writer.n.to_bytes(16, "big"),
                cluster="bench",
                received_us=self.now_us + FILL * STEP_US,
            )
            for run in range(FILL // 25):
                pod = (self.writer.n // 25) % 40
                index = batch.stream_index(
                    Stream(
                        cluster="bench",
                        namespace=f"ns{pod % 2}",
                        app=f"app{pod % 8}",
                        pod=f"p{pod}",
                    )
                )
                batch.stream += [index] * 25
                batch.body += self.writer.lines(25, pod)
            batch.severity = [0] * FILL
            batch.ts_us = list(range(self.now_us, self.now_us + FILL * STEP_US, STEP_US))
            self.now_us += FILL * STEP_US
            async with self.store.transaction() as tx:
                await tx.telemetry.add(batch.build())
        await self.store.settle()

    async def seal(self) -> None:
        """As if it were a quarter of an hour later."""
        async with self.store.transaction() as tx:
            await tx.telemetry._db.execute(
                "UPDATE log_segments SET sealed_us = 1 WHERE sealed_us IS NULL"
            )

    def us_of(self, number: int) -> int:
        """When a line was written."""
        return self._first_us + number * STEP_US


async def _searched(store: SqlStore, filler: _Filler) -> dict[str, tuple[float, float, float]]:
    """Median, 95th percentile, and median of the CPU time, in milliseconds."""
    import random

    pick = random.Random(5)
    n = filler.writer.n
    found: dict[str, tuple[float, float, float]] = {}
    for key in SEARCHES:
        waits, works = [], []
        for _ in range(TRIES):
            number = pick.randrange(1, n - OPEN_LINES)
            if key == "id_open":
                number = pick.randrange(n - OPEN_LINES + 1, n)
            start, start_cpu = time.perf_counter(), time.process_time()
            async with store.view() as look:
                n_hits = await _asked(look.telemetry, key, number, filler, pick)
            waits.append((time.perf_counter() - start) * 1000)
            works.append((time.process_time() - start_cpu) * 1000)
            if (n_hits == 0) != (key == "id_nowhere"):
                raise RuntimeError(f"{key}: {n_hits} hits for line {number}")
        waits.sort()
        found[key] = waits[TRIES // 2], waits[int(TRIES * 0.95)], sorted(works)[TRIES // 2]
    return found


async def _asked(
    telemetry: SqlTelemetry, key: str, number: int, filler: _Filler, pick: Random
) -> int:
    from copilot.domain.search import HitKind, Query

    def query(word: str, **given: Any) -> Query:
        values: dict[str, Any] = {
            "words": (word,),
            "phrases": (),
            "excluded": (),
            "kinds": frozenset(HitKind),
            "namespace": "",
            "app": "",
            "min_severity": 0,
            "since_us": 0,
            "until_us": 0,
            "limit": 50,
        }
        return Query(**(values | given))

    if key in ("id_packed", "id_open"):
        return len((await telemetry.search(query(id_of(number)))).hits)
    if key == "id_nowhere":
        return len((await telemetry.search(query(id_of(-number)))).hits)
    if key == "common":
        word = COMMON[number % len(COMMON)]
        return len((await telemetry.search(query(word))).hits)
    if key == "rows":
        word = COMMON[number % len(COMMON)]
        asked = query(word, namespace="ns1", min_severity=13)
        return len((await telemetry.search(asked)).hits)
    at_us = filler.us_of(number)
    if key == "lines":
        pod = ((number - 1) // 25) % 40
        lines = await telemetry.lines_of(
            namespace=f"ns{pod % 2}",
            pods=[f"p{pod}"],
            since_us=at_us - 500_000,
            until_us=at_us + 500_000,
            limit=200,
        )
        return len(lines)
    activity = await telemetry.activity(min_severity=0, window_us=15_000_000, now_us=at_us)
    return len(activity)


async def _sizes(store: SqlStore, n: int) -> dict[str, float]:
    """Bytes a line on disk, by part."""
    parts = {
        BLOCK_TIER: ("log_blocks", "log_segments", "log_tokens"),
        "of these filters": ("log_tokens",),
        "counts of templates": ("template_counts",),
        "row tier (3 % of the lines)": ("raw_events",),
    }
    async with store.view() as look:
        rows = await look.telemetry._db.fetch_all(
            "SELECT name, SUM(pgsize) AS size FROM dbstat GROUP BY name"
        )
    return {
        part: sum(row["size"] for row in rows if row["name"].startswith(names)) / n
        for part, names in parts.items()
    }


def main() -> int:
    """Measure, print, and say whether the budgets hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", default="")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--small", action="store_true", help="no budgets")
    parser.add_argument("--bodies", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--sinks", default=",".join(SINKS))
    parser.add_argument("--sizes", default="1000000,10000000")
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.serve, given.folder, given.port))
        return 0
    console = Console(width=_WIDTH)
    is_fine = True
    if given.sinks:
        is_fine = ingest(console, given.bodies, given.rounds, given.sinks.split(","))
    if given.sizes:
        sizes = [int(size) for size in given.sizes.split(",")]
        is_fine &= asyncio.run(growth(console, sizes))
    return 0 if is_fine or given.small else 1


if __name__ == "__main__":
    sys.exit(main())
