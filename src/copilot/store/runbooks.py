"""Runbooks: written procedures, kept equal to where they come from."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from copilot.domain.errors import NotFound
from copilot.domain.runbook import Runbook, Section, section_id, sections_of
from copilot.store.coding import clip, digest16, from_json, to_json
from copilot.store.database import Database, Row, marks

_COLUMNS = ("slug", "service", "title", "body", "tags", "source", "updated_us")


class SqlRunbooks:
    """Meets `copilot.ports.Runbooks`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def sync(self, runbooks: Sequence[Runbook]) -> int:
        """See the port. A slug is one runbook, whatever its source; ids that come in are ignored."""
        stored = {runbook.slug: runbook for runbook in await self.all()}
        wanted = {runbook.slug: runbook for runbook in runbooks}
        sources = {runbook.source for runbook in runbooks}
        gone = [s for s, r in stored.items() if r.source in sources and s not in wanted]
        changed = [r for s, r in wanted.items() if s not in stored or _differ(r, stored[s])]
        await self._db.execute(f"DELETE FROM runbooks WHERE slug IN ({marks(gone)})", gone)
        await self._db.executemany(
            self._db.dialect.upsert("runbooks", _COLUMNS, ("slug",), replace=_COLUMNS[1:]),
            [
                (r.slug, r.service, r.title, r.body, to_json(r.tags), r.source, r.updated_us)
                for r in changed
            ],
        )
        await self._keep_sections()
        return len(gone) + len(changed)

    async def get(self, slug: str) -> Runbook:
        """Raises: NotFound."""
        row = await self._db.fetch_one("SELECT * FROM runbooks WHERE slug = ?", (slug,))
        if row is None:
            raise NotFound(f"there is no runbook {slug!r}")
        return _runbook(row)

    async def all(self) -> tuple[Runbook, ...]:
        """By slug."""
        rows = await self._db.fetch_all("SELECT * FROM runbooks ORDER BY slug")
        return tuple(_runbook(row) for row in rows)

    async def _keep_sections(self) -> None:
        """Makes the sections those of the runbooks, also of ones that were loaded as SQL."""
        wanted = {
            section_id(runbook.id, section.seq): (runbook, section)
            for runbook in await self.all()
            for section in sections_of(runbook.body)
        }
        stamps = {doc: _stamp(runbook, section) for doc, (runbook, section) in wanted.items()}
        rows = await self._db.fetch_all("SELECT id, stamp FROM runbook_chunks")
        stored = {int(row["id"]): int(row["stamp"]) for row in rows}
        gone = [doc for doc in stored if doc not in wanted]
        await self._db.executemany("DELETE FROM runbook_chunks WHERE id = ?", [(d,) for d in gone])
        columns = ("id", "runbook_id", "seq", "heading", "text", "stamp")
        await self._db.executemany(
            self._db.dialect.upsert("runbook_chunks", columns, ("id",), replace=columns[1:]),
            [
                (doc, r.id, s.seq, clip(s.heading, 255), s.text, stamps[doc])
                for doc, (r, s) in wanted.items()
                if stored.get(doc) != stamps[doc]
            ],
        )


def _stamp(runbook: Runbook, section: Section) -> int:
    """Another number for another text, small enough for every client."""
    parts = (runbook.title, *runbook.tags, section.heading, section.text)
    return int.from_bytes(digest16(*parts)[:6], "little")


def _differ(one: Runbook, other: Runbook) -> bool:
    return _content(one) != _content(other)


def _content(runbook: Runbook) -> tuple[object, ...]:
    return (runbook.service, runbook.title, runbook.body, runbook.tags, runbook.source)


def _runbook(row: Row) -> Runbook:
    values = dict(row) | {"tags": from_json(row["tags"], tuple[str, ...])}
    return msgspec.convert(values, Runbook)
