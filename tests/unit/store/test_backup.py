"""A backup is of one moment, and nothing half-made ever stands where a whole file is expected."""

from __future__ import annotations

import asyncio
import io
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import zstandard

from copilot.domain.errors import Conflict, CopilotError, Invalid, Unavailable
from copilot.store import archive as archives
from copilot.store import open_store
from copilot.store.archive import Manifest, read_manifest
from copilot.store.backup import back_up, restore
from copilot.store.migrations import migrations
from tests.builders_store import NOW_US
from tests.fakes import FixedClock

pytestmark = pytest.mark.timeout(60)

CLOCK = FixedClock(NOW_US)


def quietly(step: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def backed_up(store: Path, to: Path, *, replaces: bool = False) -> Manifest:
    return back_up(store, to, clock=CLOCK, program="1.2.3", replaces=replaces, on_step=quietly)


def restored(archive: Path, store: Path, *, replaces: bool = False) -> Manifest:
    return restore(archive, store, clock=CLOCK, replaces=replaces, on_step=quietly)


def a_store(path: Path, *, actors: tuple[str, ...] = ("ana",)) -> Path:
    """A store with an audit entry of each of these."""

    async def made() -> None:
        store = await open_store(path, clock=CLOCK)
        await store.migrate()
        async with store.transaction() as tx:
            for actor in actors:
                await tx.audit.append(
                    chain="incident-1", ts_us=NOW_US, actor=actor, action="a", object="", detail=""
                )
        await store.close()

    asyncio.run(made())
    return path


def actors_in(store: Path) -> list[str]:
    return [row[0] for row in asked(store, "SELECT actor FROM audit_log ORDER BY seq")]


def asked(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store)) as connection, connection:
        return connection.execute(sql).fetchall()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return a_store(tmp_path / "data/copilot.db")


def test_what_was_backed_up_comes_back(store: Path, tmp_path: Path) -> None:
    made = backed_up(store, tmp_path / "b.zst")

    assert restored(tmp_path / "b.zst", tmp_path / "new/copilot.db") == made
    assert actors_in(tmp_path / "new/copilot.db") == ["ana"]
    assert names_in(tmp_path / "new") == {"copilot.db"}
    assert (made.program, made.made_us, made.schema) == ("1.2.3", NOW_US, migrations()[-1].version)


def test_a_backup_opens_without_this_program(store: Path, tmp_path: Path) -> None:
    made = backed_up(store, tmp_path / "b.zst")
    packed = (tmp_path / "b.zst").read_bytes()

    length = int.from_bytes(packed[4:8], "little")
    whole = zstandard.ZstdDecompressor().decompress(packed[8 + length :])

    assert json.loads(packed[8 : 8 + length])["sha256"] == made.sha256
    assert whole.startswith(b"SQLite format 3")


def test_it_may_go_into_a_stream(store: Path, tmp_path: Path) -> None:
    stream = io.BytesIO()

    back_up(store, stream, clock=CLOCK, program="1", on_step=quietly)
    (tmp_path / "b.zst").write_bytes(stream.getvalue())

    restored(tmp_path / "b.zst", tmp_path / "new.db")
    assert actors_in(tmp_path / "new.db") == ["ana"]


def test_it_may_come_out_of_a_stream(store: Path, tmp_path: Path) -> None:
    backed_up(store, tmp_path / "b.zst")
    stream = io.BytesIO((tmp_path / "b.zst").read_bytes())

    restore(stream, tmp_path / "new.db", clock=CLOCK, on_step=quietly)

    assert actors_in(tmp_path / "new.db") == ["ana"]


def test_it_is_of_one_moment_while_others_write(store: Path, tmp_path: Path) -> None:
    """Each commit adds a row and counts it elsewhere in the file; one comes after every step."""
    asked(store, "CREATE TABLE counter AS SELECT 0 AS n")
    asked(store, "CREATE TABLE padding AS SELECT randomblob(30000000) AS body")
    asked(store, "CREATE TABLE ledger (body BLOB)")
    commits = 0

    def written(step: str, done: int, total: int) -> None:
        nonlocal commits
        with closing(sqlite3.connect(store)) as writer, writer:
            writer.execute("UPDATE counter SET n = n + 1")
            writer.execute("INSERT INTO ledger VALUES (randomblob(100000))")
        commits += step == "copying"

    back_up(store, tmp_path / "b.zst", clock=CLOCK, program="1", on_step=written)

    restored(tmp_path / "b.zst", tmp_path / "new.db")
    assert commits > 3, "nothing was written while it was copied"
    count = "SELECT (SELECT n FROM counter), (SELECT COUNT(*) FROM ledger)"
    assert asked(tmp_path / "new.db", count) == [(0, 0)]
    [(counted, listed)] = asked(store, count)
    assert counted == listed


def test_nothing_is_replaced_unless_that_is_said(store: Path, tmp_path: Path) -> None:
    archive, other = tmp_path / "b.zst", a_store(tmp_path / "other.db", actors=("bob",))
    backed_up(store, archive)
    before = archive.read_bytes()

    with pytest.raises(Conflict, match="--force"):
        backed_up(other, archive)
    with pytest.raises(Conflict, match="--force"):
        restored(archive, other)
    assert (archive.read_bytes(), actors_in(other)) == (before, ["bob"])

    restored(archive, other, replaces=True)
    assert actors_in(other) == ["ana"]


def test_a_store_is_never_replaced_by_its_own_backup(store: Path, tmp_path: Path) -> None:
    whole = store.read_bytes()
    link = tmp_path / "link.db"
    link.symlink_to(store)

    for to in (store, link):
        with pytest.raises(Conflict, match="is the store itself"):
            back_up(store, to, clock=CLOCK, program="1", replaces=True, on_step=quietly)

    assert store.read_bytes() == whole


def test_a_store_that_is_used_is_not_replaced(store: Path, tmp_path: Path) -> None:
    backed_up(store, tmp_path / "b.zst")

    with closing(sqlite3.connect(store)) as user:
        user.execute("SELECT COUNT(*) FROM jobs").fetchall()
        with pytest.raises(Conflict, match="stop it first"):
            restored(tmp_path / "b.zst", store, replaces=True)

    restored(tmp_path / "b.zst", store, replaces=True)


def test_what_a_crash_left_in_the_old_log_is_not_played_into_the_new(
    store: Path, tmp_path: Path
) -> None:
    backed_up(store, tmp_path / "b.zst")
    old = tmp_path / "old"
    old.mkdir()
    with closing(sqlite3.connect(store)) as writer, writer:
        writer.execute("UPDATE audit_log SET actor = 'from the log'")
        writer.commit()
        for name in ("copilot.db", "copilot.db-wal"):
            shutil.copy(store.with_name(name), old / name)
    assert (old / "copilot.db-wal").stat().st_size > 0

    restored(tmp_path / "b.zst", old / "copilot.db", replaces=True)

    assert names_in(old) == {"copilot.db"}
    assert actors_in(old / "copilot.db") == ["ana"]


def test_a_log_without_its_store_is_in_the_way(store: Path, tmp_path: Path) -> None:
    backed_up(store, tmp_path / "b.zst")
    (tmp_path / "new.db-wal").write_bytes(b"of another")

    with pytest.raises(Conflict, match="new.db-wal"):
        restored(tmp_path / "b.zst", tmp_path / "new.db")

    assert not (tmp_path / "new.db").exists()


def test_a_store_that_cannot_be_read_is_left_to_people(store: Path, tmp_path: Path) -> None:
    backed_up(store, tmp_path / "b.zst")
    store.write_bytes(b"not a database at all" * 1000)

    with pytest.raises(Conflict, match="move it away"):
        restored(tmp_path / "b.zst", store, replaces=True)


# --------------------------------------------------------------------------- damaged and foreign


def cut(packed: bytes) -> bytes:
    return packed[: len(packed) // 2]


def cut_at_its_beginning(packed: bytes) -> bytes:
    return packed[:60]


def flipped(packed: bytes) -> bytes:
    at = len(packed) - 200
    return packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :]


def of_something_else(packed: bytes) -> bytes:
    return zstandard.compress(b"hello")


def empty(packed: bytes) -> bytes:
    return b""


def repacked(**changes: object) -> Callable[[bytes], bytes]:
    def with_changes(packed: bytes) -> bytes:
        length = int.from_bytes(packed[4:8], "little")
        front = json.dumps(json.loads(packed[8 : 8 + length]) | changes).encode()
        return packed[:4] + len(front).to_bytes(4, "little") + front + packed[8 + length :]

    return with_changes


@pytest.mark.parametrize(
    ("damage", "error", "told"),
    [
        (cut, Invalid, "cut off"),
        (cut_at_its_beginning, Invalid, "damaged at its beginning"),
        (flipped, Invalid, "damaged|changed"),
        (of_something_else, Invalid, "no backup"),
        (empty, Invalid, "too short"),
        (repacked(sha256="0" * 64), Invalid, "hash"),
        (repacked(bytes=10), Invalid, "more than it says"),
        (repacked(rows={}), Conflict, "not whole"),
        (repacked(broken_chains=["incident-9"]), Conflict, "audit log"),
        (repacked(format=archives.FORMAT + 1, rows="new"), Conflict, "newer 1.2.3"),
        (repacked(schema=migrations()[-1].version + 1), Conflict, "newer program"),
    ],
)
def test_what_is_not_a_whole_backup_of_ours_is_refused_and_the_store_stays(
    store: Path,
    tmp_path: Path,
    damage: Callable[[bytes], bytes],
    error: type[CopilotError],
    told: str,
) -> None:
    archive, other = tmp_path / "b.zst", a_store(tmp_path / "data/other.db", actors=("bob",))
    backed_up(store, archive)
    archive.write_bytes(damage(archive.read_bytes()))

    with pytest.raises(error, match=told):
        restored(archive, other, replaces=True)

    assert actors_in(other) == ["bob"]
    assert names_in(tmp_path / "data") == {"copilot.db", "other.db"}


def test_a_broken_audit_log_is_backed_up_as_it_is_and_named(store: Path, tmp_path: Path) -> None:
    asked(store, "UPDATE audit_log SET actor = 'mallory'")

    made = backed_up(store, tmp_path / "b.zst")

    assert made.broken_chains == ("incident-1",)
    restored(tmp_path / "b.zst", tmp_path / "new.db")


def test_a_damaged_store_is_said_to_be_and_nothing_is_made_of_it(
    store: Path, tmp_path: Path
) -> None:
    asked(store, "CREATE TABLE padding AS SELECT randomblob(100000) AS body")
    whole = store.read_bytes()
    asked(store, "DROP TABLE padding")
    at = whole.index(b"incident-1") // 4096 * 4096
    store.write_bytes(whole[:at] + b"\xff" * 4096 + whole[at + 4096 :])

    with pytest.raises((Conflict, Unavailable), match="damaged|malformed"):
        backed_up(store, tmp_path / "b.zst")

    assert names_in(tmp_path) == {"data"}


# --------------------------------------------------------------------------- killed, full, at once

_KILLED = """
import os, signal, sys
from pathlib import Path
from copilot.store.backup import back_up, restore
from tests.fakes import FixedClock

def killed(step, done, total):
    if step == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

given, wanted = map(Path, sys.argv[2:])
clock = FixedClock(1)
if sys.argv[1] == "unpacking":
    restore(given, wanted, clock=clock, replaces=True, on_step=killed)
else:
    back_up(given, wanted, clock=clock, program="1", replaces=True, on_step=killed)
"""


def killed_at(step: str, given: Path, wanted: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED, step, str(given), str(wanted)],
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert ended.returncode == -9


@pytest.mark.parametrize("step", ["copying", "hashing", "packing"])
def test_a_backup_that_was_killed_leaves_the_one_before(
    store: Path, tmp_path: Path, step: str
) -> None:
    archive = tmp_path / "b.zst"
    backed_up(store, archive)
    before = archive.read_bytes()

    killed_at(step, store, archive)

    assert archive.read_bytes() == before
    assert names_in(tmp_path) == {"data", "b.zst", ".b.zst.draft"}
    backed_up(store, archive, replaces=True)
    assert names_in(tmp_path) == {"data", "b.zst"}


def test_a_restore_that_was_killed_leaves_the_store_as_it_was(store: Path, tmp_path: Path) -> None:
    archive, other = tmp_path / "b.zst", a_store(tmp_path / "data/other.db", actors=("bob",))
    backed_up(store, archive)

    killed_at("unpacking", archive, other)

    assert actors_in(other) == ["bob"]
    restored(archive, other, replaces=True)
    assert names_in(tmp_path / "data") == {"copilot.db", "other.db"}


@contextmanager
def no_file_beyond(n: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_so_and_leaves_nothing(store: Path, tmp_path: Path) -> None:
    archive = tmp_path / "b.zst"
    with no_file_beyond(8192), pytest.raises(Unavailable, match="the disk is full"):
        backed_up(store, archive)
    assert names_in(tmp_path) == {"data"}

    backed_up(store, archive)
    with no_file_beyond(8192), pytest.raises(Unavailable, match="the disk is full"):
        restored(archive, tmp_path / "data/new.db")
    assert names_in(tmp_path / "data") == {"copilot.db"}


def test_two_at_the_same_file_do_not_meet(store: Path, tmp_path: Path) -> None:
    archive, met = tmp_path / "b.zst", list[str]()

    def another(step: str, done: int, total: int) -> None:
        with pytest.raises(Conflict, match="another backup"):
            backed_up(store, archive)
        met.append(step)

    back_up(store, archive, clock=CLOCK, program="1", on_step=another)

    assert {*met} == {"copying", "hashing", "packing"}
    with archive.open("rb") as packed:
        assert read_manifest(packed).rows["audit_log"] == 1
