"""Which documents of a corpus answer a text: BM25 over the postings, and nearness of meaning.

The database only counts and hands over; all scores are made here and equal ones are ordered by
what the documents say, so that the order is the same on every database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from copilot.domain.retrieval import Corpus, Near, Ranked, fused
from copilot.domain.runbook import runbook_of
from copilot.domain.words import rarity, terms_of, weight
from copilot.store.coding import clip
from copilot.store.corpora import HOMES, MODEL_CHARS
from copilot.store.database import Database, marks
from copilot.store.matrices import Matrices

CANDIDATES = 50
"""Of each way, for the fusion."""
LEAST_COSINE = 0.25
"""Of what no word finds: something is always the nearest, and may have nothing to do with it."""
_FURTHER, _FURTHEST = 4, 10_000
"""Where most of the nearest are gone: so many times as many are looked at, and never more."""
_DIGITS = 5
"""Of a cosine: beyond, databases and processors differ."""
_SECTIONS = 8
"""Of a runbook, that a search must go through to find as many runbooks."""
_MOST_WORDS = 300
"""Of a query: the first different ones."""
_MOST_POSTINGS = 5_000
"""That are read for the rare words of a query; common ones are then looked up for what those
found. A word in more documents than this says little about any."""
_LOOK_AT = 200
"""Documents whose common words are looked up."""


@dataclass(slots=True)
class _Scores:
    """BM25 of the documents seen so far."""

    n_docs: int
    mean: float
    scores: Counter[int] = field(default_factory=Counter)
    lengths: dict[int, int] = field(default_factory=dict)
    hashes: dict[int, bytes] = field(default_factory=dict)

    def add(self, doc: int, tf: int, n_with: int) -> None:
        length = self.lengths[doc] / self.mean
        self.scores[doc] += rarity(n_with, self.n_docs) * weight(tf, length)  # type: ignore[assignment]  # a Counter of floats

    def best(self, limit: int) -> list[int]:
        order = sorted(self.scores, key=lambda doc: (-self.scores[doc], self.hashes[doc], doc))
        return order[:limit]


@dataclass(frozen=True, slots=True)
class _Close:
    """The cosines of the nearest documents; those that are in the index have a hash."""

    cosines: dict[int, float] = field(default_factory=dict)
    hashes: dict[int, bytes] = field(default_factory=dict)

    def best(self) -> list[int]:
        return sorted(self.hashes, key=lambda doc: (-self.cosines[doc], self.hashes[doc], doc))


class Ranking:
    """Over one snapshot."""

    def __init__(self, database: Database, matrices: Matrices) -> None:
        self._db = database
        self._matrices = matrices

    async def rank(
        self, corpus: Corpus, text: str, *, limit: int, near: Near | None = None
    ) -> tuple[Ranked, ...]:
        """The best `limit` documents; of a runbook only its best section. With `near` also by
        meaning. Nothing where no word occurs and nothing is near."""
        n = max(limit, CANDIDATES)
        wider = n * _SECTIONS if corpus is Corpus.RUNBOOK else n
        scores = await self._by_words(corpus, terms_of(text))
        close = await self._by_meaning(corpus, near, wider) if near else _Close()
        by_words = _first_of_each(corpus, scores.best(wider))
        by_meaning = _first_of_each(corpus, close.best())
        far = {place for place, doc in by_meaning.items() if close.cosines[doc] < LEAST_COSINE}
        hashes = close.hashes | scores.hashes
        found = fused(
            list(by_words)[:n],
            [place for place in by_meaning if place in by_words or place not in far][:n],
            {place: hashes[doc] for place, doc in (by_meaning | by_words).items()},
            was_meant=near is not None,
        )
        return tuple(_placed(one, by_words, by_meaning) for one in found[:limit])

    async def _by_meaning(self, corpus: Corpus, near: Near, limit: int) -> _Close:
        """The nearest that are in the index. What is gone may still be near, and many may be gone
        at once: then it is looked further."""
        while True:
            cosines = await self._nearest(corpus, near, limit)
            rows = await self._db.fetch_all(
                "SELECT doc_id, text_hash FROM search_docs "
                f"WHERE corpus = ? AND doc_id IN ({marks(list(cosines))})",
                (corpus, *cosines),
            )
            hashes = {int(row["doc_id"]): bytes(row["text_hash"]) for row in rows}
            is_all = len(cosines) < limit or limit >= _FURTHEST
            if is_all or 2 * len(hashes) >= len(cosines):
                return _Close(cosines, hashes)
            limit = min(limit * _FURTHER, _FURTHEST)

    async def _nearest(self, corpus: Corpus, near: Near, limit: int) -> dict[int, float]:
        """How near each is, by cosine."""
        home, model = HOMES[corpus], clip(near.model, MODEL_CHARS)
        if self._db.dialect.nearest(home.vectors, home.key) is None:
            found = await self._matrices.nearest(self._db, corpus, near, limit)
        else:
            some = await self._db.candidates(home.vectors, home.key, model, near.vector, limit)
            sql = self._db.dialect.nearest(home.vectors, home.key, some) or ""
            vector = self._db.dialect.vector_value(near.vector)
            asked = (vector, model, len(near.vector) // 4, *(some or ()), limit)
            rows = await self._db.fetch_all(sql, asked)
            found = {
                int(row["doc_id"]): 1.0 - float(row["distance"])
                for row in rows
                if row["distance"] is not None  # of a vector of nothing but zeros
            }
        return {doc: round(cosine, _DIGITS) for doc, cosine in found.items()}

    async def _by_words(self, corpus: Corpus, words: Sequence[str]) -> _Scores:
        query = list(dict.fromkeys(words))[:_MOST_WORDS]
        total = await self._db.fetch_one(
            "SELECT n_docs, n_words FROM search_corpora WHERE corpus = ?", (corpus,)
        )
        if total is None or not query or total["n_docs"] < 1:
            return _Scores(n_docs=0, mean=1.0)
        scores = _Scores(n_docs=total["n_docs"], mean=total["n_words"] / total["n_docs"] or 1.0)
        n_with = await self._frequencies(corpus, query)
        rare, common = _split(n_with)
        for row in await self._db.fetch_all(
            "SELECT t.term, t.doc_id, t.tf, d.len, d.text_hash FROM ("
            f"SELECT term, doc_id, tf FROM search_terms WHERE corpus = ? AND term IN ({marks(rare)}) "
            "ORDER BY tf DESC, doc_id LIMIT ?) t "
            "JOIN search_docs d ON d.corpus = ? AND d.doc_id = t.doc_id",
            (corpus, *rare, _MOST_POSTINGS, corpus),
        ):
            doc = int(row["doc_id"])
            scores.lengths[doc] = row["len"]
            scores.hashes[doc] = bytes(row["text_hash"])
            scores.add(doc, row["tf"], n_with[row["term"]])
        looked_at = scores.best(_LOOK_AT) if common else []
        for row in await self._db.fetch_all(
            "SELECT term, doc_id, tf FROM search_terms WHERE corpus = ? "
            f"AND term IN ({marks(common)}) AND doc_id IN ({marks(looked_at)})",
            (corpus, *common, *looked_at),
        ):
            scores.add(int(row["doc_id"]), row["tf"], n_with[row["term"]])
        return scores

    async def _frequencies(self, corpus: Corpus, words: Sequence[str]) -> dict[str, int]:
        """In how many documents each word stands that occurs at all."""
        rows = await self._db.fetch_all(
            "SELECT term, COUNT(*) AS n FROM search_terms "
            f"WHERE corpus = ? AND term IN ({marks(words)}) GROUP BY term",
            (corpus, *words),
        )
        return {row["term"]: int(row["n"]) for row in rows}


def _split(n_with: dict[str, int]) -> tuple[list[str], list[str]]:
    """The rare words, at least one, whose postings are read whole; and the others."""
    by_rarity = sorted(n_with, key=lambda word: (n_with[word], word))
    n_read = 0
    for place, word in enumerate(by_rarity):
        n_read += n_with[word]
        if place and n_read > _MOST_POSTINGS:
            return by_rarity[:place], by_rarity[place:]
    return by_rarity, []


def _first_of_each(corpus: Corpus, documents: Iterable[int]) -> dict[int, int]:
    """The documents by themselves; sections by their runbook, of each only the first."""
    if corpus is not Corpus.RUNBOOK:
        return {doc: doc for doc in documents}
    first: dict[int, int] = {}
    for doc in documents:
        first.setdefault(runbook_of(doc), doc)
    return first


def _placed(one: Ranked, by_words: Mapping[int, int], by_meaning: Mapping[int, int]) -> Ranked:
    """With the document that was found, by whichever way put it higher."""
    is_by_words = one.by_words and (not one.by_meaning or one.by_words <= one.by_meaning)
    return replace(one, doc_id=(by_words if is_by_words else by_meaning)[one.doc_id])
