"""Streams and templates: the few rows that many lines point to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from copilot.domain.event import Stream, Template
from copilot.store.coding import clip, digest16
from copilot.store.database import Database, Row, Value, marks

T = TypeVar("T")

_FIELDS = Stream.__struct_fields__
_WIDTHS = {"cluster": 64, "namespace": 63, "app": 128, "pod": 253, "container": 63, "node": 253}
_MANY = 500
"""Keys a look-up takes at once."""


TRUSTED_US = 3_600_000_000
"""An id is asked for again where it was not used for so long: by then it may be retired."""
LATELY_US = 24 * 3_600_000_000
"""And where, by the clocks of its lines, it was last seen longer ago: it may be retired any moment,
though its lines come in now. Nothing that was seen later is retired, whatever is kept."""
TOUCH_US = 10_000_000
"""How far behind the time at which a template was last seen may be: it is not written with every
batch."""
MAX_KNOWN = 100_000


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A row that this process has seen committed: when it was asked about, what times it has."""

    id: int
    asked_us: int
    first_us: int = 0
    last_us: int = 0

    def covers(self, first_us: int, last_us: int) -> bool:
        return self.first_us <= first_us and last_us <= self.last_us + TOUCH_US


@dataclass(slots=True)
class Known:
    """Ids that need not be asked for."""

    streams: dict[Stream, KnownRow] = field(default_factory=dict)
    templates: dict[bytes, KnownRow] = field(default_factory=dict)
    tidied_us: dict[str, int] = field(default_factory=dict)
    """When the keys of a source's old batches were last forgotten."""

    def take(self, fresh: Known) -> None:
        """Adds what a transaction that has committed learned."""
        if len(self.streams) + len(self.templates) > MAX_KNOWN:
            self.streams.clear()
            self.templates.clear()
        self.streams |= fresh.streams
        self.templates |= fresh.templates
        self.tidied_us |= fresh.tidied_us


class Streams:
    """Ids of streams and templates, made where they are new.

    `known` are those of committed transactions; what this one learns goes to `fresh`.
    """

    def __init__(
        self, database: Database, known: Known | None = None, fresh: Known | None = None
    ) -> None:
        self._db = database
        self._known = known or Known()
        self._fresh = fresh or Known()

    async def keep(
        self, seen: Mapping[Stream, int], newest_line: Mapping[Stream, int], *, now_us: int
    ) -> dict[Stream, int]:
        """The id of each stream in `seen` (stream to time); `newest_line` is the time of the
        newest line of those that brought any."""
        columns = ("ident", *_FIELDS, "last_seen_us", "last_line_us")
        idents = {stream: _ident(stream) for stream in seen}
        await self._db.executemany(
            self._db.dialect.upsert(
                "streams", columns, ("ident",), greatest=("last_seen_us", "last_line_us")
            ),
            [
                (idents[stream], *_clipped(stream), ts_us, newest_line.get(stream, 0))
                for stream, ts_us in seen.items()
            ],
        )
        ids = {s: row.id for s, row in _trusted(self._known.streams, seen, now_us).items()}
        unknown = {idents[stream]: stream for stream in seen if stream not in ids}
        for ident, found in (await self._ids("streams", "ident", list(unknown))).items():
            ids[unknown[ident]] = found
        self._fresh.streams.update(
            {stream: KnownRow(ids[stream], now_us, last_us=now_us) for stream in seen}
        )
        return ids

    async def keep_templates(
        self, spans: Mapping[Template, tuple[int, int]], *, now_us: int
    ) -> tuple[dict[Template, int], frozenset[Template]]:
        """The id of each template (given with the first and last time seen), and which are new."""
        rows = _trusted(self._known.templates, (t.fingerprint for t in spans), now_us)
        known = {print_: row.id for print_, row in rows.items()}
        due = {
            template: span
            for template, span in spans.items()
            if template.fingerprint not in rows or not rows[template.fingerprint].covers(*span)
        }
        asked = [t.fingerprint for t in due if t.fingerprint not in known]
        there = await self._ids("templates", "fingerprint", asked)
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
                for template, span in due.items()
            ],
        )
        new = [print_ for print_ in asked if print_ not in there]
        # Asked again: one that was there may have been retired before it was written.
        ids = known | await self._ids("templates", "fingerprint", asked)
        for template, (first_us, last_us) in due.items():
            before = rows.get(template.fingerprint, KnownRow(0, 0, first_us, last_us))
            self._fresh.templates[template.fingerprint] = KnownRow(
                ids[template.fingerprint],
                now_us,
                min(before.first_us, first_us),
                max(before.last_us, last_us),
            )
        return (
            {template: ids[template.fingerprint] for template in spans},
            frozenset(template for template in spans if template.fingerprint in set(new)),
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


def _trusted(known: Mapping[T, KnownRow], wanted: Iterable[T], now_us: int) -> dict[T, KnownRow]:
    found = ((one, known.get(one)) for one in wanted)
    return {
        one: row
        for one, row in found
        if row is not None
        and row.asked_us >= now_us - TRUSTED_US
        and row.last_us >= now_us - LATELY_US
    }


def _ident(stream: Stream) -> bytes:
    return digest16(*msgspec.structs.astuple(stream))


def _clipped(stream: Stream) -> list[Value]:
    return [clip(getattr(stream, name), _WIDTHS[name]) for name in _FIELDS]
