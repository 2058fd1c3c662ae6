"""MariaDB's own dump, as docs/how-to/back-up-and-restore.md says it: of one moment, and whole."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from copilot.store import SqlStore
from copilot.store.mysql import Address, open_store
from tests.builders_store import NOW_US, a_batch, a_new_incident
from tests.fakes import FixedClock
from tests.server.conftest import IS_TIDB
from tests.servers import created, dropped

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(IS_TIDB, reason="TiDB is backed up with BR or dumpling, which are not here"),
]

HOW_TO = Path(__file__).parents[2] / "docs/how-to/back-up-and-restore.md"


def documented(program: str) -> str:
    """The command of the how-to that begins with this program."""
    [command] = re.findall(rf"^{program} (?:.*\\\n)*.*$", HOW_TO.read_text(), re.MULTILINE)
    return str(command)


def ran(command: str, address: Address, folder: Path) -> None:
    """As a person does it, with the variables that the how-to names."""
    names = {
        "TIDB_HOST": address.host,
        "TIDB_PORT": str(address.port),
        "TIDB_USER": address.user,
        "TIDB_CA": str(address.authority),
        "TIDB_DB": address.database,
        "MYSQL_PWD": address.password,
    }
    command = re.sub(r"^(mariadb(?:-dump)?) ", r"\1 --no-defaults ", command)
    subprocess.run(
        ["bash", "-euc", command], cwd=folder, env=os.environ | names, check=True, timeout=60
    )


async def wrote(store: SqlStore, n: int) -> None:
    async with store.transaction() as tx:
        await tx.audit.append(
            chain="all", ts_us=NOW_US + n, actor="ana", action="a", object=str(n), detail=""
        )
        await tx.telemetry.add(a_batch(f"line {n}"))
        await tx.incidents.open(a_new_incident(f"Deployment/demo/{n}"))


async def test_a_dump_beside_a_writer_loads_into_an_empty_database_and_holds(
    address: Address, tmp_path: Path
) -> None:
    store = await open_store(address, clock=FixedClock(NOW_US))
    await store.migrate()
    await wrote(store, 0)

    dumping = asyncio.create_task(
        asyncio.to_thread(ran, documented("mariadb-dump"), address, tmp_path)
    )
    n = 0
    while not dumping.done():
        n += 1
        await wrote(store, n)
    await dumping
    await store.close()
    elsewhere = replace(address, database=f"copilot_test_{secrets.token_hex(4)}")
    await created(elsewhere)
    await asyncio.to_thread(ran, documented("mariadb"), elsewhere, tmp_path)

    copy = await open_store(elsewhere, clock=FixedClock(NOW_US))
    assert await copy.migrate() == ()
    async with copy.view() as look:
        [chain] = await look.audit.check(limit=10)
    await copy.close()
    await dropped(elsewhere)
    assert chain.fault == ""
    assert 1 <= chain.n <= n + 1
