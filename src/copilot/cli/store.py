"""`retention` and `migrate`: what is kept, and where."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from copilot.cli.options import Data, settings_from
from copilot.cli.process import fail, run
from copilot.cli.progress import bars

if TYPE_CHECKING:
    from copilot.settings import Settings
    from copilot.store import SqlStore


def retention(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would go; changes nothing.")
    ] = False,
    compact: Annotated[
        bool,
        typer.Option(
            "--compact",
            help="Then write the SQLite file anew without its free space: takes as much free disk "
            "as the file has, and whoever writes waits.",
        ),
    ] = False,
    data: Data = None,
) -> None:
    """Retire now what is older or more than is kept (COPILOT_RETENTION_*), as a running co-pilot
    does every hour by itself."""
    if dry_run and compact:
        fail("--dry-run changes nothing, so there is nothing to --compact")
    run(_retention(settings_from(data=data), is_dry=dry_run, compacts=compact))


def migrate(
    source: Annotated[
        str,
        typer.Option("--from", help="sqlite:PATH, or a server as in COPILOT_STORE."),
    ] = "sqlite:",
    target: Annotated[
        str,
        typer.Option(
            "--to", help="The same; without it the store that COPILOT_STORE or TIDB_HOST names."
        ),
    ] = "",
    data: Data = None,
) -> None:
    """Copy a whole store into an empty one, of whatever kind: SQLite, TiDB, MariaDB, MySQL.

    Stop the co-pilot that uses the source first. Ids and addresses stay as they are. A copy that
    was cut off goes on where it was; at the end every table is read back and compared. A password
    is better given in COPILOT_STORE or TIDB_PASSWORD than in --to, where others may see it.
    """
    run(_migrate(settings_from(data=data), source, target))


async def _retention(settings: Settings, *, is_dry: bool, compacts: bool) -> None:
    from rich.console import Console

    from copilot.roles.reports import retention_table
    from copilot.wiring import retention_of

    policy = retention_of(settings)
    store = await existing_store(settings)
    try:
        await store.migrate()
        found = await store.retire(policy, is_dry=is_dry)
        Console().print(retention_table(policy, found, is_dry=is_dry))
        if compacts:
            typer.echo(f"the store is {await store.compact() / (1 << 20):,.1f} MiB smaller")
    finally:
        await store.close()


async def _migrate(settings: Settings, source: str, target: str) -> None:
    import asyncio

    from pydantic import SecretStr
    from rich.console import Console

    from copilot.roles.reports import copied_table
    from copilot.wiring import SystemClock, opened_store

    # TIDB_HOST names the target: a source is said whole.
    given = settings.model_copy(update={"store": SecretStr(source), "tidb_host": ""})
    wanted = settings.model_copy(update={"store": SecretStr(target)} if target else {})
    if wanted.store == given.store and not wanted.tidb_host:
        fail("from where to where? Name the target with --to, COPILOT_STORE or TIDB_HOST")
    async with AsyncExitStack() as stack:
        reading = await existing_store(given)
        stack.push_async_callback(reading.close)
        writing = await opened_store(wanted, SystemClock())
        stack.push_async_callback(writing.close)
        with bars() as step:
            try:
                copied = await writing.take_all(
                    reading, name=_without_password(source), on_step=step
                )
            except asyncio.CancelledError:
                fail("cut off; the same command goes on where it was")
    Console().print(copied_table(copied))


def _without_password(url: str) -> str:
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1@", url)


async def existing_store(settings: Settings) -> SqlStore:
    """The store that the settings name; a file that is not there is not made."""
    from copilot.wiring import SystemClock, embedded_file, opened_store

    if (file := embedded_file(settings)) and not file.exists():
        fail(f"there is no store {file}; name its folder with --data")
    return await opened_store(settings, SystemClock())
