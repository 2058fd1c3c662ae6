"""`backup` and `restore`: the embedded store in one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copilot.cli.options import Data, settings_from
from copilot.cli.process import expecting_errors, fail
from copilot.cli.progress import bars

if TYPE_CHECKING:
    from copilot.settings import Settings
    from copilot.store.archive import Manifest


def backup(
    file: Annotated[
        Path,
        typer.Argument(help="Where to; a folder gets a name by date, - is the standard output."),
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    data: Data = None,
) -> None:
    """Write the embedded store into one file, while the co-pilot goes on working.

    The copy is of one moment and is checked before it takes its place: every page, every count,
    the audit log. It holds everything but tokens.json. Beside what it becomes it takes as much free
    disk as the store has.
    """
    from copilot import __version__
    from copilot.store.backup import back_up
    from copilot.wiring import SystemClock

    store, clock = _embedded(settings_from(data=data)), SystemClock()
    if not store.exists():
        fail(f"there is no store {store}; name its folder with --data")
    if file.is_dir():
        file /= f"copilot-{_when(clock.now_us(), '%Y%m%dT%H%M%SZ')}.zst"
    to = typer.get_binary_stream("stdout") if str(file) == "-" else file
    with expecting_errors(), bars() as on_step:
        done = back_up(store, to, clock=clock, program=__version__, replaces=force, on_step=on_step)
    typer.echo(f"{_described(done)}: {file}", err=True)
    if done.broken_chains:
        fail(f"backed up as it is, but the audit log is broken: {', '.join(done.broken_chains)}")


def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` wrote; - is the standard input.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the store that is there, for good.")
    ] = False,
    data: Data = None,
) -> None:
    """Make the embedded store of a backup; stop the co-pilot first.

    Version, size and hash are checked before anything is written, pages, counts and the audit log
    before it takes its place; until then a store that is there stays as it is. Its schema is
    brought up to date. Tokens stay those of the data folder.
    """
    from copilot.store.backup import restore as restored
    from copilot.wiring import SystemClock

    store = _embedded(settings_from(data=data))
    archive = typer.get_binary_stream("stdin") if str(file) == "-" else file
    with expecting_errors(), bars() as on_step:
        done = restored(archive, store, clock=SystemClock(), replaces=force, on_step=on_step)
    typer.echo(f"{_described(done)}: restored into {store}")


def _embedded(settings: Settings) -> Path:
    from copilot.wiring import embedded_file

    file = embedded_file(settings)
    if file is None:
        fail(
            "the store is a server: back it up with its own tools, or copy it into a file with "
            "`incident-copilot migrate` (docs/how-to/back-up-and-restore.md)"
        )
    return file


def _described(done: Manifest) -> str:
    made, n = _when(done.made_us, "%Y-%m-%d %H:%M:%S"), sum(done.rows.values())
    size = done.bytes / (1 << 20)
    return f"the store of {made} UTC, {n:,} rows, {size:,.1f} MiB, schema {done.schema}"


def _when(us: int, form: str) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime(form)
