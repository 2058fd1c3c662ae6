"""What a store promises to several processes, and to one that is killed."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from copilot.domain.errors import Conflict
from copilot.domain.event import Batch
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import ProposalId
from copilot.store import SqlStore
from copilot.store.migrations import migrations
from tests.builders_store import (
    NOW_US,
    SECOND_US,
    SERVER,
    a_batch,
    a_new_incident,
    a_proposal,
    a_store,
    an_approval,
    opened,
)
from tests.fakes import FixedClock

ROOT = Path(__file__).parents[2]
PER_BATCH = 7
EACH = 30


async def a_process(work: str, folder: Path, *given: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contract.test_store_processes", work, str(folder), *given),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )


async def said(process: asyncio.subprocess.Process) -> list[str]:
    """All the lines it printed, once it has ended well."""
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().split()


async def said_by_two(work: str, folder: Path) -> list[str]:
    processes = [await a_process(work, folder, name) for name in ("a", "b")]
    return [line for process in processes for line in await said(process)]


# --------------------------------------------------------------------------- a kill


@pytest.mark.parametrize("round_", range(3))
async def test_a_kill_loses_no_acknowledged_batch_and_doubles_none(
    tmp_path: Path, round_: int
) -> None:
    acknowledged = await killed_while_adding(tmp_path, n_batches=random.randint(5, 60))

    async with a_store("sqlite-file", tmp_path) as store:
        async with store.transaction() as tx:  # the sender repeats what was not acknowledged
            for n in range(acknowledged + 3):
                await tx.telemetry.add(the_batch(n))
        counts = Counter(await all_bodies(store))

    wanted = {f"{n}/{i}" for n in range(acknowledged + 3) for i in range(PER_BATCH)}
    assert wanted <= counts.keys()
    assert set(counts.values()) == {1}


async def test_what_was_acknowledged_before_a_kill_is_there_without_any_repeat(
    tmp_path: Path,
) -> None:
    acknowledged = await killed_while_adding(tmp_path, n_batches=20)

    async with a_store("sqlite-file", tmp_path) as store:
        bodies = await all_bodies(store)
        async with store.view() as look:
            counts = await look.telemetry.counts()

    wanted = [f"{n}/{i}" for n in range(acknowledged) for i in range(PER_BATCH)]
    assert bodies[: len(wanted)] == wanted
    assert counts.lines == len(bodies)
    assert len(bodies) % PER_BATCH == 0


async def killed_while_adding(folder: Path, *, n_batches: int) -> int:
    """How many batches it had acknowledged."""
    process = await a_process("add", folder)
    assert process.stdout
    for _ in range(n_batches):
        await process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    rest = (await process.stdout.read()).split()
    await process.wait()
    return n_batches + len(rest)


async def all_bodies(store: SqlStore) -> list[str]:
    async with store.view() as look:
        lines = await look.telemetry.lines_of(
            namespace="demo",
            pods=["oom-demo-abc"],
            since_us=0,
            until_us=NOW_US * 2,
            limit=1_000_000,
        )
    return [line.body for line in lines]


def the_batch(n: int) -> Batch:
    return a_batch(
        *(f"{n}/{i}" for i in range(PER_BATCH)),
        key=n.to_bytes(16, "big"),
        ts_us=NOW_US + n * SECOND_US,
    )


# --------------------------------------------------------------------------- two at once


async def test_two_processes_never_take_the_same_job(tmp_path: Path) -> None:
    async with a_store("sqlite-file", tmp_path) as store, store.transaction() as tx:
        for n in range(EACH):
            await tx.jobs.put("leg2", f"job-{n}", run_us=NOW_US)

    taken = await said_by_two("jobs", tmp_path)

    assert sorted(taken) == sorted(f"job-{n}" for n in range(EACH))


async def test_of_two_processes_one_wins_each_claim(tmp_path: Path) -> None:
    async with a_store("sqlite-file", tmp_path) as store, store.transaction() as tx:
        for n in range(EACH):
            target = ObjectRef(kind="Deployment", namespace="demo", name=f"d{n}")
            proposal = await tx.remediation.add(a_proposal(target=target, digest=f"{n:064}"))
            await tx.remediation.decide(an_approval(proposal))

    won = await said_by_two("claims", tmp_path)

    assert sorted(won, key=int) == [str(n + 1) for n in range(EACH)]


async def test_of_two_processes_one_opens_the_incident(tmp_path: Path) -> None:
    async with a_store("sqlite-file", tmp_path) as store:
        opened = await said_by_two("incidents", tmp_path)
        async with store.view() as look:
            incidents = await look.incidents.opened("lab")

    assert sorted(opened) == sorted(f"k{n}" for n in range(EACH))
    assert len(incidents) == EACH


async def test_two_processes_write_one_gapless_feed_and_one_sound_audit_chain(
    tmp_path: Path,
) -> None:
    async with a_store("sqlite-file", tmp_path) as store:
        await said_by_two("feed", tmp_path)
        async with store.view() as look:
            feed = await look.feed.since("lab", 0, 1000)

            assert [entry.seq for entry in feed] == list(range(1, 2 * EACH + 1))
            assert len(await look.audit.rows(limit=1000)) == 2 * EACH
            assert await look.audit.broken() == ()


@pytest.mark.skipif(bool(SERVER), reason="on a server, tests/server/test_schema.py shows it")
async def test_processes_that_start_together_migrate_once(tmp_path: Path) -> None:
    names = await said_by_two("migrate", tmp_path)

    assert names == [migration.name for migration in migrations()]


# --------------------------------------------------------------------------- in the other process


async def main(work: str, folder: str, *given: str) -> None:
    store = await opened(Path(folder) / "store.db", clock=FixedClock(NOW_US))
    migrated = await store.migrate()
    if work == "migrate":
        say(*migrated)
    elif work == "add":
        await add_for_ever(store)
    else:
        await {"jobs": take_jobs, "claims": claim, "incidents": open_all, "feed": tell}[work](
            store, given[0]
        )
    await store.close()


def say(*words: object) -> None:
    sys.stdout.write("".join(f"{word}\n" for word in words))
    sys.stdout.flush()


async def add_for_ever(store: SqlStore) -> None:
    for n in range(1_000_000):
        async with store.transaction() as tx:
            await tx.telemetry.add(the_batch(n))
        say(n)


async def take_jobs(store: SqlStore, owner: str) -> None:
    while True:
        async with store.transaction() as tx:
            job = await tx.jobs.take("leg2", owner=owner, now_us=NOW_US, lease_us=SECOND_US)
        if job is None:
            return
        say(job.payload)


async def claim(store: SqlStore, owner: str) -> None:
    for n in range(1, EACH + 1):
        try:
            async with store.transaction() as tx:
                await tx.remediation.claim(
                    ProposalId(n), owner=owner, now_us=NOW_US, lease_us=SECOND_US
                )
        except Conflict:
            continue
        say(n)


async def open_all(store: SqlStore, owner: str) -> None:
    for n in range(EACH):
        try:
            async with store.transaction() as tx:
                await tx.incidents.open(a_new_incident(f"k{n}"))
        except Conflict:
            continue
        say(f"k{n}")


async def tell(store: SqlStore, owner: str) -> None:
    for n in range(EACH):
        async with store.transaction() as tx:
            await tx.feed.append(cluster="lab", ts_us=n, kind="test", incident_id=None)
            await tx.audit.append(
                chain="c", ts_us=n, actor=owner, action="a", object="o", detail="d"
            )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
