"""The embedded store into one file, while it is written to, and back.

What is to become a file is made in a folder beside it and proven there; taking its place is the
last thing that is done, and one rename. A run that was killed leaves at most that folder, which the
next one clears.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, Final

from copilot.domain.errors import Conflict, Unavailable
from copilot.ports import Clock
from copilot.store.archive import (
    FORMAT,
    Manifest,
    OnStep,
    read_manifest,
    sha256_of,
    unpack,
    write_archive,
)
from copilot.store.migrations import migrations
from copilot.store.sqlite import open_store

Progress = Callable[[str, int, int], None]
"""Told the step, how much of it is done, and of how much."""

_PAGES: Final = 2_048
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL: Final = "the disk is full"


def back_up(
    store: Path,
    to: Path | BinaryIO,
    *,
    clock: Clock,
    program: str,
    replaces: bool = False,
    on_step: Progress,
) -> Manifest:
    """One consistent state of `store`, whoever writes to it meanwhile, proven to be whole.

    It is drafted beside what it becomes, and beside the store where it goes into a stream.

    Raises:
        Conflict: `to` is there and `replaces` is not said, or is the store itself, or the copy is
            not whole.
        Unavailable: it cannot be written; the disk may be full.
    """
    if isinstance(to, Path) and to.exists() and store.exists() and to.samefile(store):
        raise Conflict(f"{to} is the store itself; back it up into another file")
    if isinstance(to, Path) and to.exists() and not replaces:
        raise Conflict(f"{to} is there already; replace it with --force")
    beside = to if isinstance(to, Path) else store
    with _telling(beside), _drafting(beside) as folder:
        draft = folder / "store.db"
        _refuse_if_short(folder, store.stat().st_size)
        rows, schema = _copy(store, draft, _named(on_step, "copying"))
        _prove(draft, rows)
        broken = asyncio.run(_broken_chains(draft, clock))
        with draft.open("rb") as whole:
            size = draft.stat().st_size
            manifest = Manifest(
                format=FORMAT,
                program=program,
                schema=schema,
                made_us=clock.now_us(),
                bytes=size,
                sha256=sha256_of(whole, _named(on_step, "hashing"), size),
                rows=rows,
                broken_chains=broken,
            )
            whole.seek(0)
            if not isinstance(to, Path):
                write_archive(manifest, whole, to, _named(on_step, "packing"))
                to.flush()
                return manifest
            packed = folder / "packed"
            with packed.open("xb") as archive:
                write_archive(manifest, whole, archive, _named(on_step, "packing"))
                _synced(archive)
        _take_place(packed, to)
    return manifest


def restore(
    archive: Path | BinaryIO,
    store: Path,
    *,
    clock: Clock,
    replaces: bool = False,
    on_step: Progress,
) -> Manifest:
    """The store of a backup, with the schema of this program.

    What is there stays as it is until the new one is proven.

    Raises:
        Invalid: it is no backup, or damaged.
        Conflict: a newer program made it; a store is there and `replaces` is not said, or a
            co-pilot uses it.
        Unavailable: it cannot be read or written; the disk may be full.
    """
    with _telling(archive), _reading(archive) as packed:
        manifest = read_manifest(packed)
        _refuse_newer(manifest)
        if store.exists() and not replaces:
            raise Conflict(f"{store} is there already; replace it with --force")
        with _telling(store), _drafting(store) as folder:
            draft = folder / "store.db"
            _refuse_if_short(folder, manifest.bytes)
            with draft.open("xb") as whole:
                unpack(packed, manifest, whole, _named(on_step, "unpacking"))
            _prove(draft, manifest.rows)
            broken = asyncio.run(_broken_chains(draft, clock, migrates=True))
            if broken != manifest.broken_chains:
                raise Conflict(f"the audit log does not hold together: {', '.join(broken)}")
            with draft.open("rb+") as whole:
                _synced(whole)
            with _nobody_using(store):
                _take_place(draft, store)
    return manifest


# --------------------------------------------------------------------------- the copy


def _copy(store: Path, draft: Path, on_step: OnStep) -> tuple[dict[str, int], int]:
    """How many rows each table has, and the schema's version.

    One read transaction is open all the while: every page is of the same moment, however long the
    copy takes, and no writer waits for it.
    """
    with closing(_opened(store)) as reading, closing(sqlite3.connect(draft)) as writing:
        reading.execute("PRAGMA query_only = ON")
        reading.execute("BEGIN")
        rows = _rows(reading)
        if not rows.get("schema_migrations"):
            raise Conflict(f"{store} holds no store yet")
        schema = reading.execute("SELECT MAX(version) FROM schema_migrations").fetchone()[0]
        writing.execute("PRAGMA synchronous = OFF")  # a draft; what becomes of it is synced
        reading.backup(
            writing, pages=_PAGES, progress=lambda _, left, total: on_step(total - left, total)
        )
    return rows, int(schema)


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=5, isolation_level=None)


def _rows(connection: sqlite3.Connection) -> dict[str, int]:
    listed = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
        "AND name NOT LIKE 'sqlite%' ORDER BY name"
    )
    return {
        name: int(connection.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0])
        for (name,) in listed.fetchall()
    }


# --------------------------------------------------------------------------- what proves it


def _prove(draft: Path, rows: dict[str, int]) -> None:
    """Raises: Conflict where a page, a row or an index is missing."""
    with closing(_opened(draft)) as connection:
        said = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
        if said != ["ok"]:
            raise Conflict(f"the store is damaged: {said[0]}")
        if (found := _rows(connection)) != rows:
            wrong = next(t for t in rows | found if rows.get(t) != found.get(t))
            raise Conflict(f"the copy is not whole: {wrong} has {found.get(wrong, 0)} rows")


async def _broken_chains(draft: Path, clock: Clock, *, migrates: bool = False) -> tuple[str, ...]:
    store = await open_store(draft, clock=clock)
    try:
        async with store.view() as view:
            broken = await view.audit.broken()
        if migrates:
            await store.migrate()
        return broken
    finally:
        await store.close()


def _refuse_newer(manifest: Manifest) -> None:
    newest = migrations()[-1].version
    if manifest.schema > newest:
        raise Conflict(
            f"the backup was made by {manifest.program} and has schema {manifest.schema}; this "
            f"program knows {newest}: restore it with the newer program that made it"
        )


# --------------------------------------------------------------------------- files


@contextmanager
def _drafting(beside: Path) -> Iterator[Path]:
    """A folder of our own for what is to become this file.

    Raises:
        Conflict: another run is at it.
    """
    folder = beside.with_name(f".{beside.name}.draft")
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    held = os.open(folder, os.O_RDONLY)
    try:
        _take(held, beside)
        try:
            for left in folder.iterdir():
                left.unlink()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(held)


def _take(held: int, beside: Path) -> None:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(f"another backup or restore is at {beside}") from None


@contextmanager
def _nobody_using(store: Path) -> Iterator[None]:
    """Held alone, with nothing of it outside its file.

    Raises:
        Conflict: a co-pilot uses it, or it cannot be read.
    """
    beside = [store.with_name(f"{store.name}-{kind}") for kind in ("wal", "shm", "journal")]
    if not store.exists():
        if left := [path.name for path in beside if path.exists()]:
            raise Conflict(f"{', '.join(left)} of another store lie in {store.parent}; move them")
        yield
        return
    with closing(_opened(store)) as connection:
        try:
            # Leaving WAL takes everybody else to be gone, and brings what the WAL holds back in.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise Conflict(f"a co-pilot uses {store} ({error}); stop it first") from error
        except sqlite3.DatabaseError as error:
            raise Conflict(
                f"{store} cannot be read ({error}); move it away, with the -wal and -shm beside it"
            ) from error
        yield


def _take_place(draft: Path, of: Path) -> None:
    draft.replace(of)
    folder = os.open(of.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _synced(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _refuse_if_short(folder: Path, size: int) -> None:
    if (free := shutil.disk_usage(folder).free) < size:
        raise Unavailable(
            f"not enough space in {folder.parent}: {_mib(size)} are needed, {_mib(free)} are free"
        )


def _reading(archive: Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    """A stream stays its owner's to close."""
    return archive.open("rb") if isinstance(archive, Path) else nullcontext(archive)


@contextmanager
def _telling(about: Path | BinaryIO) -> Iterator[None]:
    """What the system or SQLite says, as an expected error."""
    try:
        yield
    except OSError as error:
        what = _FULL if error.errno in _NO_SPACE else error.strerror or str(error)
        where = error.filename or _name_of(about)
        raise Unavailable(f"{where}: {what}; nothing was changed") from error
    except sqlite3.Error as error:
        code = error.sqlite_errorcode & 0xFF  # the rest of it says how, which the text does not
        full = {sqlite3.SQLITE_FULL: _FULL, sqlite3.SQLITE_IOERR: f"{_FULL}, or broken"}.get(code)
        said = f"{full} ({error})" if full else str(error)
        raise Unavailable(f"{_name_of(about)}: {said}; nothing was changed") from error


def _name_of(about: Path | BinaryIO) -> str:
    return str(about) if isinstance(about, Path) else "the standard input"


def _named(on_step: Progress, step: str) -> OnStep:
    return lambda done, total: on_step(step, done, total)


def _mib(n: int) -> str:
    return f"{n / (1 << 20):,.1f} MiB"
