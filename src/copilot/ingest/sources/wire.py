"""Protobuf's wire format, as far as it takes to find whole records in a damaged OTLP request.

All OTLP requests have the same frame: field 1 of the request is a resource group; in it field 1 is
the resource and field 2 a scope group; in that field 2 is a record.
"""

from __future__ import annotations

from collections.abc import Iterator

_RESOURCE_GROUP, _RESOURCE, _SCOPE_GROUP, _RECORD = 1, 1, 2, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def framed_records(body: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """(resource, record, is whole) of each record; the last may be what a cut left of one."""
    for number, group, is_whole in _fields(body):
        if number == _RESOURCE_GROUP:
            yield from _records_of_resource(group)
        elif not is_whole:
            yield b"", group, False


def _records_of_resource(group: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    resource = b""
    for number, content, is_whole in _fields(group):
        if number == _SCOPE_GROUP:
            for leaf, record, is_record_whole in _fields(content):
                if leaf == _RECORD or not is_record_whole:
                    yield resource, record, is_record_whole and leaf == _RECORD
        elif not is_whole:
            yield b"", content, False
        elif number == _RESOURCE:
            resource = content


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """(number, content, is whole) of each length-delimited field; the last may be cut off.

    Ends at the first thing that is not protobuf, which comes as field 0.
    """
    position = 0
    while position < len(message):
        tag = _varint(message, position)
        if tag is None:
            yield 0, message[position:], False
            return
        key, after = tag
        end = _end_of(message, key & 7, after)
        if end is None:
            yield 0, message[position:], False
            return
        if key & 7 == _BYTES:
            start = end[0]
            yield key >> 3, message[start : end[1]], end[1] <= len(message)
        position = end[1]


def _end_of(message: bytes, kind: int, position: int) -> tuple[int, int] | None:
    """Where a field's content begins and ends; None where the kind is unknown."""
    if kind == _FIXED64:
        return position, position + 8
    if kind == _FIXED32:
        return position, position + 4
    size = _varint(message, position)
    if size is None or kind not in (_VARINT, _BYTES):
        return None
    value, after = size
    return (after, after) if kind == _VARINT else (after, after + value)


def _varint(message: bytes, position: int) -> tuple[int, int] | None:
    value = shift = 0
    while position < len(message) and shift < 64:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    return None
