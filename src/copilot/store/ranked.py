"""What is ranked by how well it fits: incidents, runbooks, and lines that say it in other words.

Two rankings are fused by reciprocal rank: what holds every word, in an order of its own, and what
the index finds by any of the words and by meaning. Filters, phrases and excluded words hold for
both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from copilot.domain.event import LineAddress, level_of
from copilot.domain.retrieval import FUSION_K, Corpus, Near
from copilot.domain.runbook import MOST_SECTIONS
from copilot.domain.search import Hit, HitKind, Query
from copilot.store.database import Database, Row, Value, marks
from copilot.store.families import Families
from copilot.store.hits import hit_of
from copilot.store.needles import Needles
from copilot.store.ranking import Ranking

MOST = 3
"""Of a kind, before what happened; all that fit where no other kind is asked for."""
LOOK_FOR = 10
"""Documents that the index is asked for, at least: some are filtered out."""
MOST_SIMILAR = 3
LOOK_AT = 1_000
"""Incidents that are looked at for words, the newest."""
_BUCKET_US = 20_000_000
"""Before a template was last seen: its last count lies in there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query in all the forms that ranking needs."""

    query: Query
    needles: Needles
    near: Near | None

    @property
    def most(self) -> int:
        return self.query.limit if len(self.query.kinds) == 1 else MOST


class RankedHits:
    """Over one snapshot."""

    def __init__(self, database: Database, ranking: Ranking) -> None:
        self._db = database
        self._ranking = ranking

    async def all(self, asked: Asked) -> list[Hit]:
        """Of every kind that was asked for, best first. A level leaves out what has none."""
        if asked.query.min_severity:
            return []
        hits: list[Hit] = []
        if HitKind.INCIDENT in asked.query.kinds:
            hits += await self.incidents(asked)
        if HitKind.RUNBOOK in asked.query.kinds:
            hits += await self.runbooks(asked)
        if HitKind.LOG in asked.query.kinds:
            hits += await self.similar(asked)
        return sorted(hits, key=lambda hit: -hit.score)

    async def incidents(self, asked: Asked) -> list[Hit]:
        """The newest that hold all words, and those the index ranks first."""
        query, needles = asked.query, asked.needles
        columns = "SELECT id, title, summary, resolution, created_us, namespace, app FROM incidents"
        scope = (
            "updated_us >= ? AND created_us <= ? "
            "AND (? = '' OR namespace = ?) AND (? = '' OR app = ?)"
        )
        params: tuple[Value, ...] = (
            *(query.since_us, query.until_us, query.namespace, query.namespace),
            *(query.app, query.app),
        )
        newest = await self._db.fetch_all(
            f"{columns} WHERE {scope} ORDER BY created_us DESC LIMIT ?", (*params, LOOK_AT)
        )
        ranked = await self._rank(Corpus.INCIDENT, asked)
        others = await self._db.fetch_all(
            f"{columns} WHERE id IN ({marks(ranked)}) AND {scope}", (*ranked, *params)
        )
        rows = {int(row["id"]): row for row in (*newest, *others)}
        text = {key: _text_of_incident(row) for key, row in rows.items()}
        literal = [int(row["id"]) for row in newest if needles.fit(text[int(row["id"])])]
        allowed = [key for key in ranked if key in rows and needles.allow(text[key])]
        return [
            replace(
                hit_of(
                    HitKind.INCIDENT,
                    str(key),
                    rows[key],
                    "created_us",
                    needles.snippet(rows[key]["summary"] or rows[key]["title"]),
                ),
                score=score,
            )
            for key, score in _fused(literal, allowed)[: asked.most]
        ]

    async def runbooks(self, asked: Asked) -> list[Hit]:
        """Those that name what is looked for in their title or tags before the others."""
        needles = asked.needles
        if not needles.wanted:
            return []
        rows = {
            int(row["id"]): row
            for row in await self._db.fetch_all(
                "SELECT id, slug, service AS app, '' AS namespace, title, body, tags, updated_us "
                "FROM runbooks ORDER BY slug LIMIT ?",
                (LOOK_AT,),
            )
        }
        heads = {key: f"{r['title']} {r['tags']} {r['slug']} {r['app']}" for key, r in rows.items()}
        fit = [key for key, row in rows.items() if needles.fit(f"{heads[key]} {row['body']}")]
        literal = sorted(fit, key=lambda key: not needles.fit(heads[key]))
        sections = await self._rank(Corpus.RUNBOOK, asked)
        ranked = list(dict.fromkeys(doc // MOST_SECTIONS for doc in sections))
        allowed = [
            key
            for key in ranked
            if key in rows and needles.allow(f"{heads[key]} {rows[key]['body']}")
        ]
        return [
            replace(
                hit_of(
                    HitKind.RUNBOOK,
                    rows[key]["slug"],
                    rows[key],
                    "updated_us",
                    needles.snippet(rows[key]["body"]),
                ),
                score=score,
            )
            for key, score in _fused(literal, allowed)[: asked.most]
        ]

    async def similar(self, asked: Asked) -> list[Hit]:
        """The last line of templates that mean the same and hold none of the words."""
        if asked.near is None or not asked.query.text:
            return []
        found = await self._ranking.rank(
            Corpus.TEMPLATE, asked.query.text, limit=LOOK_FOR, near=asked.near
        )
        hits: list[Hit] = []
        for one in found:
            if not one.by_words and len(hits) < MOST_SIMILAR:
                hits += await self._last_line(asked, one.doc_id, one.score)
        return hits

    async def _last_line(self, asked: Asked, template_id: int, score: float) -> list[Hit]:
        query = asked.query
        members = await Families(self._db).members_of(template_id)
        row = await self._db.fetch_one(
            "SELECT t.pattern AS title, t.severity, t.last_us, c.segment_id, c.line, "
            "s.namespace, s.app FROM templates t "
            "JOIN template_counts c ON c.template_id = t.id "
            "AND c.bucket_us > t.last_us - ? AND c.bucket_us <= t.last_us "
            f"JOIN streams s ON s.id = c.stream_id WHERE t.id IN ({marks(members)}) "
            "AND t.last_us >= ? AND t.last_us <= ? AND (? = '' OR s.namespace = ?) "
            "AND (? = '' OR s.app = ?) ORDER BY c.bucket_us DESC LIMIT 1",
            (
                *(_BUCKET_US, *members, query.since_us, query.until_us),
                *(query.namespace, query.namespace, query.app, query.app),
            ),
        )
        if row is None or not asked.needles.allow(row["title"]):
            return []
        address = str(LineAddress(segment=row["segment_id"], line=row["line"]))
        hit = hit_of(HitKind.LOG, address, row, "last_us", "")
        return [replace(hit, level=level_of(row["severity"]), score=score)]

    async def _rank(self, corpus: Corpus, asked: Asked) -> list[int]:
        if not asked.query.text:
            return []
        limit = max(asked.most, LOOK_FOR)
        found = await self._ranking.rank(corpus, asked.query.text, limit=limit, near=asked.near)
        return [one.doc_id for one in found]


def _fused(literal: Sequence[int], ranked: Sequence[int]) -> list[tuple[int, float]]:
    """Both rankings as one, best first; scores reach from 0 to 1."""
    scores = dict.fromkeys((*literal, *ranked), 0.0)
    for ranking in (literal, ranked):
        for place, key in enumerate(ranking, start=1):
            scores[key] += (FUSION_K + 1) / (FUSION_K + place) / 2
    return sorted(scores.items(), key=lambda one: -one[1])


def _text_of_incident(row: Row) -> str:
    parts = (f"INC-{row['id']}", row["title"], row["summary"], row["resolution"] or "")
    return " ".join((*parts, row["namespace"], row["app"]))
