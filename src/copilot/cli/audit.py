"""`audit`: who did what, and whether anybody changed the record of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from copilot.cli.options import Data, settings_from
from copilot.cli.process import fail, run
from copilot.cli.store import existing_store

if TYPE_CHECKING:
    from copilot.settings import Settings

app = typer.Typer(help="Show the audit log, or find what was changed in it.", no_args_is_help=True)

Chain = Annotated[str, typer.Option(help="Only this one, such as incident-7.")]

_CHAINS, _ROWS = 200, 1_000


@app.command("list")
def newest(
    chain: Chain = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Entries.")] = 50,
    data: Data = None,
) -> None:
    """Show what was done, newest first."""
    run(_list(settings_from(data=data), chain, limit))


@app.command()
def export(chain: Chain = "", data: Data = None) -> None:
    """Print every entry as a line of JSON, chain by chain, oldest first."""
    run(_export(settings_from(data=data), chain))


@app.command()
def verify(data: Data = None) -> None:
    """Compute every hash anew; ends with 1 where an entry was changed, added or taken away.

    Names the first entry of a chain that does not hold. Whoever can write to the database can also
    compute hashes: keep an export elsewhere to compare with.
    """
    run(_verify(settings_from(data=data)))


async def _list(settings: Settings, chain: str, limit: int) -> None:
    from rich.console import Console

    from copilot.roles.reports import audit_line

    store = await existing_store(settings)
    try:
        async with store.view() as view:
            rows = await view.audit.rows(chain=chain, limit=limit)
    finally:
        await store.close()
    console = Console(highlight=False)
    for row in rows:
        console.print(audit_line(row), soft_wrap=True)


async def _export(settings: Settings, chain: str) -> None:
    import msgspec

    store = await existing_store(settings)
    after = (chain, 0)
    try:
        async with store.view() as view:
            while rows := await view.audit.entries(after=after, limit=_ROWS):
                for row in rows:
                    if chain and row.chain != chain:
                        return
                    typer.echo(msgspec.json.encode(row))
                after = (rows[-1].chain, rows[-1].seq)
    finally:
        await store.close()


async def _verify(settings: Settings) -> None:
    store = await existing_store(settings)
    n_chains = n = n_broken = 0
    after = ""
    try:
        async with store.view() as view:
            while checked := await view.audit.check(after=after, limit=_CHAINS):
                for one in checked:
                    n_chains, n = n_chains + 1, n + one.n
                    if one.fault:
                        n_broken += 1
                        typer.echo(f"{one.chain}: entry {one.broken_at}: {one.fault}")
                after = checked[-1].chain
    finally:
        await store.close()
    if n_broken:
        fail(f"{n_broken} of {n_chains} chains of the audit log do not hold")
    typer.echo(f"the audit log holds: {n:,} entries in {n_chains:,} chains")
