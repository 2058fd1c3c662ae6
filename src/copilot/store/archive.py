"""The file that a backup is: what it holds, in a zstd frame that readers skip, then the store.

`zstd -d` makes the SQLite file of it without this program. What stands in front is read before
anything is unpacked, and covers the rest by size and hash: a file that was cut off, or changed, is
refused.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import BinaryIO, Final

import msgspec
import zstandard

from copilot.domain.errors import Conflict, Invalid

FORMAT: Final = 1
_SKIPPED: Final = 0x184D2A5C
"""One of the sixteen numbers that begin a frame for others than the decompressor."""
_HEAD: Final = struct.Struct("<II")
_MOST_BYTES: Final = 1 << 20
_STEP_BYTES: Final = 1 << 20
_LEVEL: Final = 3

OnStep = Callable[[int, int], None]
"""Told how much is done, and of how much."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in front; `bytes` and `sha256` are those of the unpacked store."""

    format: int
    program: str
    schema: int
    made_us: int
    bytes: int
    sha256: str
    rows: dict[str, int]
    broken_chains: tuple[str, ...]


def write_archive(manifest: Manifest, store: BinaryIO, to: BinaryIO, on_step: OnStep) -> None:
    """`store` from where it stands; `to` is not closed."""
    front = msgspec.json.encode(manifest)
    to.write(_HEAD.pack(_SKIPPED, len(front)) + front)
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    done = 0
    with compressor.stream_writer(to, size=manifest.bytes, closefd=False) as packing:
        while part := store.read(_STEP_BYTES):
            packing.write(part)
            done += len(part)
            on_step(done, manifest.bytes)


def read_manifest(archive: BinaryIO) -> Manifest:
    """What it holds; the archive then stands at the store.

    Raises:
        Invalid: this is no backup.
        Conflict: a newer program made it.
    """
    head = archive.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise Invalid("this is no backup: it is too short")
    magic, length = _HEAD.unpack(head)
    if magic != _SKIPPED or length > _MOST_BYTES:
        raise Invalid("this is no backup: it does not begin as `incident-copilot backup` writes it")
    front = archive.read(length)
    try:
        made_by = msgspec.json.decode(front, type=_MadeBy)
        if made_by.format > FORMAT:
            raise Conflict(
                f"the backup was made by the newer {made_by.program}, in a form that this program "
                "does not know; restore it with that one"
            )
        return msgspec.json.decode(front, type=Manifest)
    except msgspec.MsgspecError as error:
        raise Invalid(f"this is no backup, or it is damaged at its beginning: {error}") from error


def unpack(archive: BinaryIO, manifest: Manifest, to: BinaryIO, on_step: OnStep) -> None:
    """The store, exactly as it was.

    Raises:
        Invalid: it was cut off or changed.
    """
    digest, done = hashlib.sha256(), 0
    try:
        with zstandard.ZstdDecompressor().stream_reader(archive, closefd=False) as unpacking:
            while part := unpacking.read(_STEP_BYTES):
                done += len(part)
                if done > manifest.bytes:
                    raise Invalid("the backup is damaged: it holds more than it says")
                digest.update(part)
                to.write(part)
                on_step(done, manifest.bytes)
    except zstandard.ZstdError as error:
        raise Invalid(f"the backup is damaged: {error}") from error
    if done < manifest.bytes:
        raise Invalid(f"the backup was cut off: {done} of {manifest.bytes} bytes of the store")
    if digest.hexdigest() != manifest.sha256:
        raise Invalid("the backup was changed: the hash of the store is another")


def sha256_of(store: BinaryIO, on_step: OnStep, total: int) -> str:
    """From where it stands to its end."""
    digest, done = hashlib.sha256(), 0
    while part := store.read(_STEP_BYTES):
        digest.update(part)
        done += len(part)
        on_step(done, total)
    return digest.hexdigest()


class _MadeBy(msgspec.Struct, frozen=True):
    """What every form has."""

    format: int
    program: str
