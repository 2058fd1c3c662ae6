"""What was learned and what is known: memories, runbooks, and the index that finds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from copilot.domain.hypothesis import Cause
from copilot.domain.incident import IncidentId
from copilot.domain.memory import Memory, MemoryId
from copilot.domain.retrieval import Backlog, Corpus, Document, Near, Ranked, Vector
from copilot.domain.runbook import Runbook


class Memories(Protocol):
    async def add(self, memory: Memory) -> Memory: ...

    async def find(
        self, *, cluster: str, namespace: str, app: str, cause: Cause | None, now_us: int
    ) -> tuple[Memory, ...]:
        """Unexpired ones of this app first, then of this cause elsewhere; newest first, 20."""
        ...

    async def of_incidents(
        self, incidents: Sequence[IncidentId], *, now_us: int
    ) -> tuple[Memory, ...]:
        """Unexpired ones of these incidents, by incident."""
        ...

    async def forget(self, memory_id: MemoryId) -> None: ...


class Runbooks(Protocol):
    async def sync(self, runbooks: Sequence[Runbook]) -> int:
        """Make the stored ones of the same `source` equal these; how many changed."""
        ...

    async def get(self, slug: str) -> Runbook:
        """Raises: NotFound."""
        ...

    async def all(self) -> tuple[Runbook, ...]: ...


class Index(Protocol):
    """What search finds by words and by meaning. It is behind its documents and catches up:
    `search.indexing` reads what is missing and keeps what was made of it; again is harmless."""

    async def rank(
        self, corpus: Corpus, text: str, *, limit: int, near: Near | None = None
    ) -> tuple[Ranked, ...]:
        """The best, by words and, where `near` says what the text means, by meaning too; of a
        runbook only its best section. Any word may match. The same order on every database."""
        ...

    async def unread(self, corpus: Corpus, limit: int) -> tuple[Document, ...]:
        """Documents whose words are not, or no longer, in the index."""
        ...

    async def keep_words(self, corpus: Corpus, documents: Sequence[Document]) -> None: ...

    async def gone(self, corpus: Corpus, limit: int) -> tuple[int, ...]:
        """Documents in the index that are gone where they came from."""
        ...

    async def forget(self, corpus: Corpus, documents: Sequence[int]) -> None:
        """Their words and their vectors of every model."""
        ...

    async def unembedded(self, corpus: Corpus, model: str, limit: int) -> tuple[Document, ...]:
        """Documents whose words are in the index, and without a vector of the model for them, but
        for those that it refuses."""
        ...

    async def refuse(self, corpus: Corpus, model: str, document: Document, reason: str) -> None:
        """The model is not asked about this text again."""
        ...

    async def keep_vectors(
        self, corpus: Corpus, model: str, made: Sequence[tuple[Document, Vector]]
    ) -> None:
        """Beside those of other models; some of this one that are of another length go."""
        ...

    async def use(self, model: str, now_us: int) -> None:
        """Note that the model is in use."""
        ...

    async def unused(self, corpus: Corpus, model: str, *, since_us: int) -> str:
        """Another model that has vectors and that nobody has used since; empty for none."""
        ...

    async def forget_vectors(self, corpus: Corpus, model: str) -> None:
        """Some of them, the oldest first."""
        ...

    async def meant(self, corpus: Corpus, doc_id: int, model: str) -> Near | None:
        """What a document means to the model, to find others by; None where it has not read it."""
        ...

    async def backlog(self, model: str | None) -> tuple[Backlog, ...]:
        """How far each corpus is behind; without a model no vectors are missing."""
        ...
