"""Values as SQL literals, and statements made of them. Pure.

The wire's text protocol takes whole statements, so values are written into them here, in one place
and for one `sql_mode` (ours: backslashes escape).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from copilot.domain.errors import Invalid
from copilot.store.coding import utf8
from copilot.store.database import Value

MOST_ROWS = 500
MOST_BYTES = 1024 * 1024
"""Of one INSERT; a row that is larger goes by itself."""
_ROWS = re.compile(r"^(INSERT .*? VALUES )(\((?:\?, )*\?\))(.*)$", re.DOTALL)
_BIGINT = 2**63


def statement(sql: str, params: Sequence[Value]) -> bytes:
    """The statement with each `?` replaced.

    Raises:
        Invalid: a number is out of range.
        ValueError: there are more or fewer values than places (a bug).
    """
    pieces = _pieces(sql)
    if len(pieces) != len(params) + 1:
        raise ValueError(f"{len(params)} values for {len(pieces) - 1} places: {sql}")
    parts = [pieces[0]]
    for value, piece in zip(params, pieces[1:], strict=True):
        parts += (literal(value), piece)
    return b"".join(parts)


def statements(sql: str, rows: Sequence[Sequence[Value]]) -> Iterator[bytes]:
    """As few statements as there may be: an INSERT takes many rows at once."""
    parts = _ROWS.match(sql)
    if parts is None:
        yield from (statement(sql, row) for row in rows)
        return
    head, values, tail = parts.groups()
    made: list[bytes] = []
    size = 0
    for row in rows:
        one = statement(values, row)
        if made and (len(made) == MOST_ROWS or size + len(one) > MOST_BYTES):
            yield head.encode() + b", ".join(made) + tail.encode()
            made, size = [], 0
        made.append(one)
        size += len(one)
    if made:
        yield head.encode() + b", ".join(made) + tail.encode()


def literal(value: Value) -> bytes:
    """One value. A lone surrogate, which no database can hold, becomes `?`.

    Raises:
        Invalid: a number is out of range.
    """
    if value is None:
        return b"NULL"
    if isinstance(value, str):
        return b"'" + _escaped(utf8(value)) + b"'"
    if isinstance(value, bytes):
        return b"_binary'" + _escaped(value) + b"'"
    if isinstance(value, int):
        if not -_BIGINT <= value < _BIGINT:
            raise Invalid(f"a number is out of the store's range: {value}")
        return b"%d" % value
    if not math.isfinite(value):
        raise Invalid(f"a number is out of the store's range: {value}")
    return repr(value).encode() if "e" in repr(value) else repr(value).encode() + b"e0"


def _escaped(data: bytes) -> bytes:
    for special, written in _SPECIAL:
        if special in data:
            data = data.replace(special, written)
    return data


_SPECIAL = ((b"\\", b"\\\\"), (b"'", b"\\'"), (b"\0", b"\\0"))
"""The backslash comes first, or it would double those of the others."""


@lru_cache(maxsize=1024)
def _pieces(sql: str) -> tuple[bytes, ...]:
    return tuple(piece.encode() for piece in sql.split("?"))
