"""The index brought up to date with what it is of: words first, then meaning.

It reads off the store what is missing, so a crash costs at most the batch in hand, and doing it
again changes nothing. Nothing is embedded inside a transaction.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import structlog

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
    until_us = clock.now_us() + _EMBED_US
    n_embedded = 0
    if embedder.name:
        for corpus in ORDER:
            n_embedded += await _embed(store, corpus, embedder, clock, until_us)
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


async def _embed(
    store: Store, corpus: Corpus, embedder: Embedder, clock: Clock, until_us: int
) -> int:
    """Batch by batch, resting as long as each took: what comes in from the cluster goes first."""
    total = 0
    while True:
        async with store.view() as view:
            documents = await view.index.unembedded(corpus, embedder.name, _EMBED_AT_ONCE)
        if not documents:
            return total
        for start in range(0, len(documents), embedder.batch):
            if clock.now_us() > until_us:
                return total
            part = documents[start : start + embedder.batch]
            took_us = await _embed_batch(store, corpus, part, embedder, clock)
            await clock.sleep(took_us / 1_000_000)
            total += len(part)


async def _embed_batch(
    store: Store,
    corpus: Corpus,
    documents: tuple[Document, ...],
    embedder: Embedder,
    clock: Clock,
) -> int:
    """How long the embedder took, in microseconds."""
    started_us = clock.now_us()
    vectors = await embedder.embed([_said(corpus, one.text) for one in documents])
    took_us = clock.now_us() - started_us
    made = list(zip(documents, vectors, strict=True))
    await store.run(lambda tx: tx.index.keep_vectors(corpus, embedder.name, made))
    return max(0, took_us)


def _said(corpus: Corpus, text: str) -> str:
    """What of it is language: a runbook's commands are alike and tell nothing of what it is for."""
    return masked(_COMMAND.sub("", text) if corpus is Corpus.RUNBOOK else text)
