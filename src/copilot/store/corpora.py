"""The corpora as tables: where their documents come from, and where words and vectors lie.

What is behind is read off the rows themselves (a document without an entry, or with an older
stamp), so there is no list of work that could be lost or that somebody could forget to write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from copilot.domain.retrieval import Corpus, Document
from copilot.store.coding import digest16, from_json
from copilot.store.database import Row

MOST_CHARS = 16_000
"""Of a document; the rest says nothing new."""

MODEL_CHARS = 64
"""Of a model's name, as wide as its column."""
REASON_CHARS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The tables of a corpus. Its documents are the rows of `table` (called `s`, with a column
    `id`), their text is in `columns` of it and of what is joined."""

    table: str
    stamp: str
    columns: str
    text: Callable[[Row], str]
    joined: str = ""
    vectors: str
    key: str
    """The column of `vectors` that holds the document's id."""

    @property
    def select(self) -> str:
        return f"SELECT s.id AS doc_id, {self.stamp} AS stamp, {self.columns} FROM {self.source}"

    @property
    def source(self) -> str:
        return f"{self.table} s {self.joined}"


def document(home: Home, row: Row) -> Document:
    """The document in a row that has `doc_id`, `stamp` and the home's columns."""
    text = home.text(row)[:MOST_CHARS]
    return Document(
        doc_id=int(row["doc_id"]), text=text, text_hash=digest16(text), stamp=int(row["stamp"])
    )


HOMES: dict[Corpus, Home] = {
    Corpus.TEMPLATE: Home(
        table="templates",
        joined="JOIN template_families f ON f.template_id = s.id AND f.family_id = s.id",
        stamp="COALESCE(LENGTH(f.pattern), 0)",  # a family is one document, and its pattern widens
        columns="COALESCE(f.pattern, s.pattern) AS pattern",
        text=lambda row: str(row["pattern"]),
        vectors="events_embeddings",
        key="template_id",
    ),
    Corpus.RUNBOOK: Home(
        table="runbook_chunks",
        joined="JOIN runbooks r ON r.id = s.runbook_id",
        stamp="s.stamp",
        columns="r.title, r.tags, s.heading, s.text",
        text=lambda row: _section(row["title"], row["tags"], row["heading"], row["text"]),
        vectors="runbook_vec",
        key="chunk_id",
    ),
    Corpus.INCIDENT: Home(
        table="incidents",
        stamp="s.rev",
        columns="s.title, s.summary, s.resolution, s.namespace, s.app",
        text=lambda row: "\n".join(
            filter(None, (row["title"], row["summary"], row["resolution"], _place(row)))
        ),
        vectors="incident_vec",
        key="incident_id",
    ),
}


def _section(title: str, tags: str, heading: str, text: str) -> str:
    """What it is part of comes first; a model may not read to the end."""
    topics = " ".join(tag for tag in from_json(tags, tuple[str, ...]) if ":" not in tag)
    return f"{title} ({topics})\n{heading}\n{text}"


def _place(row: Row) -> str:
    return f"{row['namespace']}/{row['app']}" if row["app"] else str(row["namespace"])
