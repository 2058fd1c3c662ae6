"""The index brought up to date with what it is of: words first, then meaning.

It reads off the store what is missing, so a crash costs at most the batch in hand, and doing it
again changes nothing. Nothing is embedded inside a transaction.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from copilot.domain.errors import Invalid, Unavailable
from copilot.domain.retrieval import Corpus, Document
from copilot.domain.words import masked
from copilot.ports import Clock, Embedder, Session, Store

log = structlog.get_logger(__name__)

ORDER = (Corpus.RUNBOOK, Corpus.INCIDENT, Corpus.TEMPLATE)
"""The few before the many."""
_COMMAND = re.compile(r"`[^`\n]{25,}`")
_READ_AT_ONCE = 200
_EMBED_AT_ONCE = 512
_MOST_ROUNDS = 10_000
UNUSED_US = 86_400_000_000
"""A model that nobody has used for so long is one that nobody goes back to; two processes with
different models take nothing from each other."""
_HARMLESS = "ok"
_EMBED_US = 10_000_000
"""Of one pass; the rest is for the next, which begins with the words of what is new."""


async def catch_up(store: Store, embedder: Embedder, clock: Clock) -> int:
    """How many documents were brought up to date.

    A pass ends after a while, not only when nothing is left.

    Raises:
        Unavailable: the embedder is; the words are up to date by then.
    """
    n_read = sum([await _until_nothing(_read, store, corpus) for corpus in ORDER])
    n_gone = sum([await _until_nothing(_forget, store, corpus) for corpus in ORDER])
    n_embedded = 0
    if embedder.name:
        now_us = clock.now_us()
        await store.run(lambda tx: tx.index.use(embedder.name, now_us))
        embedding = _Embedding(store, embedder, clock, now_us + _EMBED_US)
        n_embedded = sum([await embedding.of(corpus) for corpus in ORDER])
        await store.index_vectors(embedder.name)
        for corpus in ORDER:
            await _until_nothing(
                lambda store, corpus: _forget_other_models(store, corpus, embedder.name, now_us),
                store,
                corpus,
            )
    if n_read + n_gone + n_embedded:
        log.debug("index.caught_up", read=n_read, gone=n_gone, embedded=n_embedded)
    return n_read + n_gone + n_embedded


async def _until_nothing(
    step: Callable[[Store, Corpus], Awaitable[int]], store: Store, corpus: Corpus
) -> int:
    total = 0
    for _ in range(_MOST_ROUNDS):
        n = await step(store, corpus)
        total += n
        if n == 0:
            break
    return total


async def _read(store: Store, corpus: Corpus) -> int:
    async with store.view() as view:
        documents = await view.index.unread(corpus, _READ_AT_ONCE)
    if documents:
        await store.run(lambda tx: tx.index.keep_words(corpus, documents))
    return len(documents)


async def _forget(store: Store, corpus: Corpus) -> int:
    async with store.view() as view:
        if not await view.index.gone(corpus, 1):
            return 0

    async def forget(tx: Session) -> int:
        gone = await tx.index.gone(corpus, _READ_AT_ONCE)
        await tx.index.forget(corpus, gone)
        return len(gone)

    return await store.run(forget)


@dataclass(slots=True)
class _Embedding:
    """One pass of one model: batch by batch, resting as long as each took, so that what comes in
    from the cluster goes first."""

    store: Store
    embedder: Embedder
    clock: Clock
    until_us: int
    is_well: bool = False
    """It has taken something in this pass: what it refuses is a matter of the text."""

    async def of(self, corpus: Corpus) -> int:
        """How many documents got a vector, or are set aside."""
        name, total = self.embedder.name, 0
        while True:
            async with self.store.view() as view:
                documents = await view.index.unembedded(corpus, name, _EMBED_AT_ONCE)
            if not documents:
                return total
            for start in range(0, len(documents), self.embedder.batch):
                started_us = self.clock.now_us()
                if started_us > self.until_us:
                    return total
                part = documents[start : start + self.embedder.batch]
                await self._batch(corpus, part)
                took_us = max(0, self.clock.now_us() - started_us)
                await self.clock.sleep(took_us / 1_000_000)
                total += len(part)

    async def _batch(self, corpus: Corpus, documents: Sequence[Document]) -> None:
        """A batch that is refused is halved until it is known which text it is about."""
        name = self.embedder.name
        try:
            vectors = await self.embedder.embed([_said(corpus, one.text) for one in documents])
        except Invalid as error:
            if len(documents) > 1:
                middle = len(documents) // 2
                await self._batch(corpus, documents[:middle])
                await self._batch(corpus, documents[middle:])
                return
            await self._refuse_unless_it_refuses_all(corpus, documents[0], str(error))
            return
        self.is_well = True
        made = list(zip(documents, vectors, strict=True))
        await self.store.run(lambda tx: tx.index.keep_vectors(corpus, name, made))

    async def _refuse_unless_it_refuses_all(
        self, corpus: Corpus, document: Document, reason: str
    ) -> None:
        """Raises: Unavailable where it takes no text at all, so that none is set aside for that."""
        if not self.is_well:
            try:
                await self.embedder.embed([_HARMLESS])
            except Invalid as error:
                raise Unavailable(
                    f"{error}; it refuses every text: is it set up rightly?"
                ) from None
            self.is_well = True
        name = self.embedder.name
        log.warning("index.text_refused", corpus=corpus, document=document.doc_id, error=reason)
        await self.store.run(lambda tx: tx.index.refuse(corpus, name, document, reason))


async def _forget_other_models(store: Store, corpus: Corpus, model: str, now_us: int) -> int:
    """Vectors that no process compares with any more, once the present model's are complete."""
    async with store.view() as view:
        if await view.index.unembedded(corpus, model, 1):
            return 0
        other = await view.index.unused(corpus, model, since_us=now_us - UNUSED_US)
    if not other:
        return 0
    await store.run(lambda tx: tx.index.forget_vectors(corpus, other))
    return 1


def _said(corpus: Corpus, text: str) -> str:
    """What of it is language: a runbook's commands are alike and tell nothing of what it is for."""
    return masked(_COMMAND.sub("", text) if corpus is Corpus.RUNBOOK else text)
