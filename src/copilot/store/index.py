"""The index behind search: words of documents as postings, their meaning as vectors, kept current.

Plain tables, so that every database finds the same; see ADR 0018.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from copilot.domain.retrieval import Backlog, Corpus, Document, Near, Ranked, Vector
from copilot.domain.words import terms_of
from copilot.store.coding import clip
from copilot.store.corpora import HOMES, MODEL_CHARS, REASON_CHARS, Home, document
from copilot.store.database import Database, Row, Value, marks
from copilot.store.matrices import Matrices
from copilot.store.ranking import Ranking

_MOST_TF = 32_767
_MOST_MODELS = 100
_NOTED_US = 3_600_000_000
"""How far behind the time at which a model was last in use may be."""
_FORGET_AT_ONCE = 500
"""Vectors that go in one transaction."""
_REFUSED = (
    "EXISTS (SELECT 1 FROM refused_texts x WHERE x.corpus = ? AND x.doc_id = s.id "
    "AND x.model = ? AND x.text_hash = d.text_hash)"
)


class SqlIndex:
    """Meets `copilot.ports.Index`."""

    def __init__(self, database: Database, matrices: Matrices) -> None:
        self._db = database
        self._ranking = Ranking(database, matrices)

    async def rank(
        self, corpus: Corpus, text: str, *, limit: int, near: Near | None = None
    ) -> tuple[Ranked, ...]:
        """See the port."""
        return await self._ranking.rank(corpus, text, limit=limit, near=near)

    async def unread(self, corpus: Corpus, limit: int) -> tuple[Document, ...]:
        """See the port."""
        home = HOMES[corpus]
        rows = await self._db.fetch_all(
            f"{home.select} LEFT JOIN search_docs d ON d.corpus = ? AND d.doc_id = s.id "
            f"WHERE d.doc_id IS NULL OR d.stamp <> {home.stamp} LIMIT ?",
            (corpus, limit),
        )
        return tuple(document(home, row) for row in rows)

    async def keep_words(self, corpus: Corpus, documents: Sequence[Document]) -> None:
        """See the port."""
        ids = [one.doc_id for one in documents]
        await self._begin(corpus)  # what is read now, nobody else changes
        known = {
            int(row["doc_id"]): row
            for row in await self._db.fetch_all(
                "SELECT doc_id, len, text_hash FROM search_docs "
                f"WHERE corpus = ? AND doc_id IN ({marks(ids)})",
                (corpus, *ids),
            )
        }
        new = [
            one
            for one in documents
            if one.doc_id not in known or bytes(known[one.doc_id]["text_hash"]) != one.text_hash
        ]
        words = {one.doc_id: terms_of(one.text) for one in new}
        await self._count(
            corpus,
            n_docs=sum(doc not in known for doc in words),
            n_words=sum(len(w) - (known[d]["len"] if d in known else 0) for d, w in words.items()),
        )
        await self._forget_words(corpus, [doc for doc in words if doc in known])
        await self._db.executemany(
            "INSERT INTO search_terms (corpus, term, doc_id, tf) VALUES (?, ?, ?, ?)",
            [
                (corpus, term, doc, min(tf, _MOST_TF))
                for doc, found in words.items()
                for term, tf in sorted(Counter(found).items())
            ],
        )
        columns = ("corpus", "doc_id", "len", "text_hash", "stamp")
        lengths = {doc: int(row["len"]) for doc, row in known.items()}
        lengths |= {doc: len(found) for doc, found in words.items()}
        await self._db.executemany(
            self._db.dialect.upsert("search_docs", columns, columns[:2], replace=columns[2:]),
            [(corpus, d.doc_id, lengths[d.doc_id], d.text_hash, d.stamp) for d in documents],
        )

    async def gone(self, corpus: Corpus, limit: int) -> tuple[int, ...]:
        """See the port."""
        rows = await self._db.fetch_all(
            "SELECT d.doc_id FROM search_docs d WHERE d.corpus = ? AND NOT EXISTS "
            f"(SELECT 1 FROM {HOMES[corpus].source} WHERE s.id = d.doc_id) LIMIT ?",
            (corpus, limit),
        )
        return tuple(int(row["doc_id"]) for row in rows)

    async def forget(self, corpus: Corpus, documents: Sequence[int]) -> None:
        """See the port."""
        home, ids = HOMES[corpus], list(documents)
        await self._begin(corpus)
        row = await self._db.fetch_one(
            "SELECT COUNT(*) AS n, COALESCE(SUM(len), 0) AS words FROM search_docs "
            f"WHERE corpus = ? AND doc_id IN ({marks(ids)})",
            (corpus, *ids),
        )
        if row is None or not row["n"]:
            return
        await self._count(corpus, n_docs=-int(row["n"]), n_words=-int(row["words"]))
        await self._forget_words(corpus, ids)
        await self._db.execute(
            f"DELETE FROM search_docs WHERE corpus = ? AND doc_id IN ({marks(ids)})", (corpus, *ids)
        )
        await self._db.execute(
            f"DELETE FROM {home.vectors} WHERE {home.key} IN ({marks(ids)})", ids
        )
        await self._db.forget_candidates(home.vectors, ids)
        await self._db.execute(
            f"DELETE FROM refused_texts WHERE corpus = ? AND doc_id IN ({marks(ids)})",
            (corpus, *ids),
        )

    async def unembedded(self, corpus: Corpus, model: str, limit: int) -> tuple[Document, ...]:
        """See the port."""
        home = HOMES[corpus]
        rows = await self._db.fetch_all(
            f"{home.select} {_joined(home, 'INNER')} "
            f"WHERE d.stamp = {home.stamp} AND {_behind(home)} AND NOT {_REFUSED} LIMIT ?",
            (*_of_model(corpus, model), limit),
        )
        return tuple(document(home, row) for row in rows)

    async def refuse(self, corpus: Corpus, model: str, document: Document, reason: str) -> None:
        """See the port."""
        columns = ("corpus", "doc_id", "model", "text_hash", "reason")
        await self._db.execute(
            self._db.dialect.upsert("refused_texts", columns, columns[:3], replace=columns[3:]),
            (
                *(corpus, document.doc_id, clip(model, MODEL_CHARS), document.text_hash),
                clip(reason, REASON_CHARS),
            ),
        )

    async def keep_vectors(
        self, corpus: Corpus, model: str, made: Sequence[tuple[Document, Vector]]
    ) -> None:
        """See the port."""
        home = HOMES[corpus]
        rev = await self._begin(corpus)
        if made:
            await self._forget_of_other_length(home, model, len(made[0][1]))
        columns = (home.key, "model", "text_hash", "embedding", "rev")
        await self._db.executemany(
            self._db.dialect.upsert(home.vectors, columns, columns[:2], replace=columns[2:]),
            [
                (
                    one.doc_id,
                    clip(model, MODEL_CHARS),
                    one.text_hash,
                    self._db.dialect.vector_value(vector),
                    rev,
                )
                for one, vector in made
            ],
        )

    async def backlog(self, model: str | None) -> tuple[Backlog, ...]:
        """See the port."""
        return tuple([await self._backlog(corpus, model) for corpus in Corpus])

    async def _backlog(self, corpus: Corpus, model: str | None) -> Backlog:
        home = HOMES[corpus]
        unread = await self._db.fetch_one(
            f"SELECT COUNT(*) AS n, COUNT(CASE WHEN d.doc_id IS NULL OR d.stamp <> {home.stamp} "
            f"THEN 1 END) AS unread FROM {home.source} "
            "LEFT JOIN search_docs d ON d.corpus = ? AND d.doc_id = s.id",
            (corpus,),
        )
        behind = model and await self._db.fetch_one(
            f"SELECT COUNT(*) AS n, COUNT(CASE WHEN {_REFUSED} THEN 1 END) AS refused "
            f"FROM {home.source} {_joined(home, 'LEFT')} "
            f"WHERE d.doc_id IS NULL OR {_behind(home)}",
            _of_model(corpus, model),
        )
        refused = int(behind["refused"]) if behind else 0
        return Backlog(
            corpus=corpus,
            documents=int(unread["n"]) if unread else 0,
            words=int(unread["unread"]) if unread else 0,
            vectors=int(behind["n"]) - refused if behind else 0,
            refused=refused,
        )

    async def use(self, model: str, now_us: int) -> None:
        """See the port."""
        rows = await self._models()
        mine = [row for row in rows if row["model"] == clip(model, MODEL_CHARS)]
        if mine and mine[0]["used_us"] > now_us - _NOTED_US:
            return
        columns = ("model", "used_us")
        note = self._db.dialect.upsert("search_models", columns, columns[:1], greatest=columns[1:])
        await self._db.execute(note, (clip(model, MODEL_CHARS), now_us))
        known = {str(row["model"]) for row in rows}
        for home in HOMES.values():
            other = await self._next_model(home, "")
            while other:
                if other not in known:  # of before models were noted: in use until now
                    await self._db.execute(note, (other, now_us))
                other = await self._next_model(home, other)

    async def unused(self, corpus: Corpus, model: str, *, since_us: int) -> str:
        """See the port."""
        home = HOMES[corpus]
        for row in await self._models():
            other = str(row["model"])
            is_over = other != clip(model, MODEL_CHARS) and row["used_us"] < since_us
            if is_over and await self._db.fetch_one(
                f"SELECT 1 AS one FROM {home.vectors} WHERE model = ? LIMIT 1", (other,)
            ):
                return other
        return ""

    async def forget_vectors(self, corpus: Corpus, model: str) -> None:
        """See the port."""
        home = HOMES[corpus]
        oldest = await self._db.fetch_all(
            f"SELECT {home.key} AS doc_id FROM {home.vectors} WHERE model = ? ORDER BY rev LIMIT ?",
            (model, _FORGET_AT_ONCE),
        )
        await self._remove_vectors(home, model, oldest)

    async def _remove_vectors(self, home: Home, model: str, of: Sequence[Row]) -> None:
        ids = [int(row["doc_id"]) for row in of]
        await self._db.execute(
            f"DELETE FROM {home.vectors} WHERE model = ? AND {home.key} IN ({marks(ids)})",
            (model, *ids),
        )
        await self._db.forget_candidates(home.vectors, ids, model)

    async def _models(self) -> list[Row]:
        return await self._db.fetch_all(
            "SELECT model, used_us FROM search_models ORDER BY model LIMIT ?", (_MOST_MODELS,)
        )

    async def _next_model(self, home: Home, after: str) -> str:
        row = await self._db.fetch_one(
            f"SELECT MIN(model) AS model FROM {home.vectors} WHERE model > ?", (after,)
        )
        return str(row["model"] or "") if row else ""

    async def _forget_of_other_length(self, home: Home, model: str, n_bytes: int) -> None:
        """Under one name a server may serve another model: what it no longer compares with is made
        again, a batch for each batch."""
        name = clip(model, MODEL_CHARS)
        oldest = await self._db.fetch_one(
            f"SELECT embedding, rev FROM {home.vectors} WHERE model = ? ORDER BY rev LIMIT 1",
            (name,),
        )
        if oldest and len(self._db.dialect.vector_bytes(oldest["embedding"])) != n_bytes:
            batch = await self._db.fetch_all(
                f"SELECT {home.key} AS doc_id FROM {home.vectors} WHERE model = ? AND rev <= ? "
                "LIMIT ?",
                (name, oldest["rev"], _FORGET_AT_ONCE),
            )
            await self._remove_vectors(home, name, batch)

    async def _begin(self, corpus: Corpus) -> int:
        """Counts a write, and makes others wait that write to the same corpus: a reader that sees
        a `rev` then sees all up to it."""
        columns = ("corpus", "n_docs", "n_words", "rev")
        await self._db.execute(
            self._db.dialect.upsert("search_corpora", columns, columns[:1], add=columns[1:]),
            (corpus, 0, 0, 1),
        )
        row = await self._db.fetch_one("SELECT rev FROM search_corpora WHERE corpus = ?", (corpus,))
        return int(row["rev"]) if row else 0

    async def _count(self, corpus: Corpus, *, n_docs: int, n_words: int) -> None:
        await self._db.execute(
            "UPDATE search_corpora SET n_docs = n_docs + ?, n_words = n_words + ? WHERE corpus = ?",
            (n_docs, n_words, corpus),
        )

    async def _forget_words(self, corpus: Corpus, ids: Sequence[int]) -> None:
        await self._db.execute(
            f"DELETE FROM search_terms WHERE corpus = ? AND doc_id IN ({marks(ids)})",
            (corpus, *ids),
        )


def _joined(home: Home, side: str) -> str:
    """A document's entry of its words, and its vector of a model, which may be missing."""
    return (
        f"{side} JOIN search_docs d ON d.corpus = ? AND d.doc_id = s.id "
        f"LEFT JOIN {home.vectors} v ON v.{home.key} = s.id AND v.model = ?"
    )


def _of_model(corpus: Corpus, model: str) -> tuple[Value, ...]:
    """What `_joined` and `_REFUSED` ask for, in either order the same."""
    return (corpus, clip(model, MODEL_CHARS)) * 2


def _behind(home: Home) -> str:
    return f"(v.{home.key} IS NULL OR v.text_hash <> d.text_hash)"
