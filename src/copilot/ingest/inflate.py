"""Compressed bodies, inflated within a bound."""

from __future__ import annotations

import io
import zlib

import zstandard

from copilot.domain.errors import BadInput, TooLarge, UnknownFormat

MAX_BODY_BYTES = 32 * 1024 * 1024
"""As sent. Fluent Bit's chunks are about 2 MB, OpenTelemetry's batches less."""
MAX_INFLATED_BYTES = 48 * 1024 * 1024

_CHUNK = 64 * 1024
_MAX_MEMBERS = 1000


def inflate(body: bytes, encoding: str) -> tuple[bytes, str]:
    """The body as it was before compression, and what is wrong with it (empty for nothing).

    A body that is cut off or damaged gives what came before that.

    Raises:
        TooLarge: over `MAX_BODY_BYTES`, or `MAX_INFLATED_BYTES` when inflated.
        UnknownFormat: an encoding other than gzip, deflate and zstd.
        BadInput: not even the beginning can be inflated.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"the body is over {MAX_BODY_BYTES:,} bytes")
    match encoding.strip().lower():
        case "" | "identity":
            return body, ""
        case "gzip" | "x-gzip":
            inflated, fault = _inflate_zlib(body, wbits=31)
        case "deflate":
            inflated, fault = _inflate_zlib(body, wbits=15)
        case "zstd":
            inflated, fault = _inflate_zstd(body)
        case other:
            raise UnknownFormat(f"Content-Encoding {other[:40]!r}; send gzip, deflate or zstd")
    if fault and not inflated:
        raise BadInput(f"the body says {encoding} but cannot be inflated: {fault}")
    return inflated, fault


def _inflate_zlib(body: bytes, wbits: int) -> tuple[bytes, str]:
    """Incrementally, and across the members that a gzip body may consist of."""
    parts: list[bytes] = []
    size = n_members = 0
    source = io.BytesIO(body)
    engine, pending = zlib.decompressobj(wbits), b""
    while pending or (pending := source.read(_CHUNK)):
        try:
            part = engine.decompress(pending, _CHUNK * 16)
        except zlib.error as error:
            return b"".join(parts), str(error)
        size += len(part)
        _check(size)
        parts.append(part)
        pending = engine.unconsumed_tail
        if engine.eof:
            pending = engine.unused_data or source.read(_CHUNK)
            n_members += 1
            if not pending:
                return b"".join(parts), ""
            if n_members >= _MAX_MEMBERS:
                return b"".join(parts), f"more than {_MAX_MEMBERS} gzip members"
            engine = zlib.decompressobj(wbits)
    parts.append(engine.flush())
    return b"".join(parts), "the compressed data ends early"


def _inflate_zstd(body: bytes) -> tuple[bytes, str]:
    parts: list[bytes] = []
    size = 0
    engine = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    with engine.stream_reader(body, read_across_frames=True) as reader:
        while True:
            try:
                part = reader.read(_CHUNK * 16)
            except zstandard.ZstdError as error:
                return b"".join(parts), str(error)
            if not part:
                return b"".join(parts), ""
            size += len(part)
            _check(size)
            parts.append(part)


def _check(size: int) -> None:
    if size > MAX_INFLATED_BYTES:
        raise TooLarge(f"the body is over {MAX_INFLATED_BYTES:,} bytes when inflated")
