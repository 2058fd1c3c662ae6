"""`schema`: printed as SQL, or applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from copilot.cli.options import Data, settings_from
from copilot.cli.process import run

if TYPE_CHECKING:
    from copilot.settings import Settings

app = typer.Typer(help="Print the store's schema as SQL, or apply it.")


@app.callback(invoke_without_command=True)
def schema(
    context: typer.Context,
    sqlite: Annotated[bool, typer.Option("--sqlite", help="SQLite's, not TiDB's.")] = False,
) -> None:
    """Print the store's schema as SQL: for TiDB and MariaDB, by any client."""
    if context.invoked_subcommand is None:
        from copilot.store.migrations import SQLITE, TIDB, schema_sql

        typer.echo(schema_sql(SQLITE if sqlite else TIDB), nl=False)


@app.command()
def apply(data: Data = None) -> None:
    """Bring the schema of the store that is set up to date; again, it changes nothing."""
    run(_apply(settings_from(data=data)))


async def _apply(settings: Settings) -> None:
    from copilot.wiring import SystemClock, opened_store

    store = await opened_store(settings, SystemClock())
    try:
        applied = await store.migrate()
        able = await store.capabilities()
    finally:
        await store.close()
    typer.echo(f"{able.kind} {able.version}: {', '.join(applied) or 'the schema is up to date'}")
