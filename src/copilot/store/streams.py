"""Streams and templates: the few rows that many lines point to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from copilot.domain.event import Batch, Stream, Template
from copilot.store.coding import clip, digest16
from copilot.store.database import Database, Row, Value, marks

_FIELDS = Stream.__struct_fields__
_WIDTHS = {"cluster": 64, "namespace": 63, "app": 128, "pod": 253, "container": 63, "node": 253}
_MANY = 500
"""Keys a look-up takes at once."""


class Streams:
    """Ids of streams and templates, made where they are new."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def keep(
        self, seen: dict[Stream, int], newest_line: dict[Stream, int]
    ) -> dict[Stream, int]:
        """The id of each stream in `seen` (stream to time); `newest_line` is the time of the
        newest line of those that brought any."""
        idents = {stream: _ident(stream) for stream in seen}
        columns = ("ident", *_FIELDS, "last_seen_us", "last_line_us")
        await self._db.executemany(
            self._db.dialect.upsert(
                "streams", columns, ("ident",), greatest=("last_seen_us", "last_line_us")
            ),
            [
                (idents[stream], *_clipped(stream), ts_us, newest_line.get(stream, 0))
                for stream, ts_us in seen.items()
            ],
        )
        ids = await self._ids("streams", "ident", list(idents.values()))
        return {stream: ids[ident] for stream, ident in idents.items()}

    async def keep_templates(
        self, spans: dict[Template, tuple[int, int]]
    ) -> tuple[dict[Template, int], frozenset[Template]]:
        """The id of each template (given with the first and last time seen), and which are new."""
        prints = [template.fingerprint for template in spans]
        known = await self._ids("templates", "fingerprint", prints)
        columns = ("fingerprint", "severity", "pattern", "first_us", "last_us")
        await self._db.executemany(
            self._db.dialect.upsert(
                "templates",
                columns,
                ("fingerprint",),
                least=("first_us",),
                greatest=("last_us", "severity"),
            ),
            [
                (template.fingerprint, template.severity, clip(template.pattern, 8_000), *span)
                for template, span in spans.items()
            ],
        )
        new = [print_ for print_ in prints if print_ not in known]
        ids = known | await self._ids("templates", "fingerprint", new)
        return (
            {template: ids[template.fingerprint] for template in spans},
            frozenset(t for t in spans if t.fingerprint not in known),
        )

    async def of_container(self, stream_id: int) -> frozenset[int]:
        """All streams of the same container, whoever read it (label sets differ by sender)."""
        rows = await self._db.fetch_all(
            "SELECT o.id FROM streams s JOIN streams o ON o.namespace = s.namespace "
            "AND o.pod = s.pod AND o.container = s.container AND o.cluster = s.cluster "
            "WHERE s.id = ? AND s.pod <> ''",
            (stream_id,),
        )
        return frozenset(int(row["id"]) for row in rows) | {stream_id}

    async def of_pods(self, namespace: str, pods: Sequence[str]) -> frozenset[int]:
        """Ids of all streams of these pods."""
        rows = await self._db.fetch_all(
            f"SELECT id FROM streams WHERE namespace = ? AND pod IN ({marks(pods)})",
            (namespace, *pods),
        )
        return frozenset(int(row["id"]) for row in rows)

    async def of_place(self, namespace: str, app: str) -> frozenset[int]:
        """Ids of all streams of a namespace, an app, or both; an empty name matches any."""
        rows = await self._db.fetch_all(
            "SELECT id FROM streams WHERE (? = '' OR namespace = ?) AND (? = '' OR app = ?)",
            (namespace, namespace, app, app),
        )
        return frozenset(int(row["id"]) for row in rows)

    async def named(self, ids: Iterable[int]) -> dict[int, Stream]:
        """The streams of these ids."""
        wanted, found = list(set(ids)), {}
        for start in range(0, len(wanted), _MANY):
            part = wanted[start : start + _MANY]
            for row in await self._db.fetch_all(
                f"SELECT * FROM streams WHERE id IN ({marks(part)})", part
            ):
                found[int(row["id"])] = stream_of(row)
        return found

    async def last_line_us(self, namespace: str, pod: str, container: str) -> int:
        """Time of the newest line of a container, 0 for none."""
        row = await self._db.fetch_one(
            "SELECT MAX(last_line_us) AS newest FROM streams "
            "WHERE namespace = ? AND pod = ? AND container = ?",
            (namespace, pod, container),
        )
        return int(row["newest"] or 0) if row else 0

    async def _ids(self, table: str, key: str, keys: list[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for start in range(0, len(keys), _MANY):
            part = keys[start : start + _MANY]
            for row in await self._db.fetch_all(
                f"SELECT id, {key} AS k FROM {table} WHERE {key} IN ({marks(part)})", part
            ):
                found[bytes(row["k"])] = int(row["id"])
        return found


def stream_of(row: Row) -> Stream:
    """The stream in a row that has its columns."""
    return Stream(**{name: row[name] for name in _FIELDS})


def newest_lines(batch: Batch) -> dict[Stream, int]:
    """Time of the newest line of each stream that brought any."""
    newest: dict[int, int] = {}
    for index, ts_us in zip(batch.lines.stream, batch.lines.ts_us, strict=True):
        if ts_us > newest.get(index, -1):
            newest[index] = ts_us
    return {batch.streams[index]: ts_us for index, ts_us in newest.items()}


def template_spans(batch: Batch) -> dict[Template, tuple[int, int]]:
    """First and last time of each template among the lines."""
    spans: dict[int, tuple[int, int]] = {}
    for index, ts_us in zip(batch.lines.template, batch.lines.ts_us, strict=True):
        first, last = spans.get(index, (ts_us, ts_us))
        spans[index] = (min(first, ts_us), max(last, ts_us))
    return {batch.templates[index]: span for index, span in spans.items()}


def _ident(stream: Stream) -> bytes:
    return digest16(*msgspec.structs.astuple(stream))


def _clipped(stream: Stream) -> list[Value]:
    return [clip(getattr(stream, name), _WIDTHS[name]) for name in _FIELDS]
