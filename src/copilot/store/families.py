"""Families of templates, kept beside the templates: lines and counts never change theirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar

from copilot.domain.errors import Clash
from copilot.domain.event import Template
from copilot.domain.families import Member, common_pattern, united
from copilot.store.coding import clip
from copilot.store.database import Database, marks

T = TypeVar("T")

PATTERN = 8_000
"""Characters of a pattern that are stored."""
_MANY = 100
"""Keys a look-up takes at once."""
_MOST_SIBLINGS = 5_000
"""Rows a look-up gives at most. Where so many templates differ in one word, enough of them are
among any so many."""


class Families:
    """Says which family a template belongs to; decides it for new ones."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def place(self, new: Mapping[int, tuple[Template, int]]) -> frozenset[int]:
        """Give new templates (by id, with the time first seen) their families.

        Those of them like which nothing was seen before. What two processes place at the same
        moment may stay apart until the next of its kind comes.

        Raises:
            Clash: a family that these belong to was retired meanwhile.
        """
        if not new:
            return frozenset()
        members = [
            Member(
                template_id=template_id,
                family_id=template_id,
                severity=template.severity,
                pattern=clip(template.pattern, PATTERN),
                first_us=first_us,
            )
            for template_id, (template, first_us) in sorted(new.items(), key=lambda one: one[0])
        ]
        siblings = await self._siblings(members)
        joined = united([*siblings, *members])  # those that are there before those that come
        family_of = {m.template_id: joined.get(m.family_id, m.family_id) for m in members}
        await self._hold({*family_of.values(), *joined.values()} - new.keys())
        columns = ("template_id", "family_id", "first_key", "last_key")
        await self._db.executemany(
            self._db.dialect.insert_new("template_families", columns),
            [(m.template_id, family_of[m.template_id], *(m.keys or (None, None))) for m in members],
        )
        moved = {old: held for old, held in joined.items() if old not in new}
        await self._db.executemany(
            "UPDATE template_families SET family_id = ? WHERE family_id = ?",
            [(held, old) for old, held in moved.items()],
        )
        if joined:
            await self._describe(joined)
        taken_over = set(moved.values())
        return frozenset(
            template_id
            for template_id, family_id in family_of.items()
            if family_id == template_id and family_id not in taken_over
        )

    async def members_of(self, template_id: int) -> list[int]:
        """Every template of the family that a template belongs to, itself at least."""
        rows = await self._db.fetch_all(
            "SELECT o.template_id FROM template_families f "
            "JOIN template_families o ON o.family_id = f.family_id WHERE f.template_id = ? LIMIT ?",
            (template_id, _MANY),
        )
        return [int(row["template_id"]) for row in rows] or [template_id]

    async def _siblings(self, members: Sequence[Member]) -> list[Member]:
        """Stored templates that share a key with one of these."""
        new = {member.template_id for member in members}
        keys = [member.keys for member in members if member.keys]
        found: dict[int, Member] = {}
        for column, wanted in (
            ("first_key", sorted({first for first, _ in keys})),
            ("last_key", sorted({last for _, last in keys})),
        ):
            for part in _parts(wanted):
                rows = await self._db.fetch_all(
                    "SELECT t.id, f.family_id, t.severity, t.pattern, t.first_us "
                    "FROM template_families f JOIN templates t ON t.id = f.template_id "
                    "JOIN templates h ON h.id = f.family_id "
                    f"WHERE f.{column} IN ({marks(part)}) LIMIT ?",
                    (*part, _MOST_SIBLINGS),
                )
                for row in rows:
                    if row["id"] not in new:
                        found[row["id"]] = Member(
                            template_id=row["id"],
                            family_id=row["family_id"],
                            severity=row["severity"],
                            pattern=row["pattern"],
                            first_us=row["first_us"],
                        )
        return [found[template_id] for template_id in sorted(found)]

    async def _hold(self, families: AbstractSet[int]) -> None:
        """See that they are there, and stay until this transaction ends. Raises: Clash."""
        for part in _parts(sorted(families)):
            rows = await self._db.fetch_all(
                f"SELECT id FROM templates WHERE id IN ({marks(part)}){self._db.dialect.locking}",
                part,
            )
            if len(rows) < len(part):
                raise Clash("a family of templates was retired while it was joined")

    async def _describe(self, joined: Mapping[int, int]) -> None:
        """Bring the patterns of families that took in others up to date."""
        together: dict[int, list[str]] = defaultdict(list)
        ids = sorted({*joined, *joined.values()})
        for part in _parts(ids):
            rows = await self._db.fetch_all(
                "SELECT t.id, COALESCE(f.pattern, t.pattern) AS pattern FROM templates t "
                f"JOIN template_families f ON f.template_id = t.id WHERE t.id IN ({marks(part)})",
                part,
            )
            for row in rows:
                together[joined.get(row["id"], row["id"])].append(row["pattern"])
        await self._db.executemany(
            "UPDATE template_families SET pattern = ? WHERE template_id = ?",
            [(common_pattern(patterns), family_id) for family_id, patterns in together.items()],
        )


def _parts(values: list[T]) -> Iterator[list[T]]:
    return (values[start : start + _MANY] for start in range(0, len(values), _MANY))
