"""What a question means, for who looks for it: quickly, or not at all."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import structlog

from copilot.domain.errors import Invalid, Unavailable
from copilot.domain.retrieval import Near
from copilot.domain.words import masked
from copilot.ports import Embedder

log = structlog.get_logger(__name__)

PATIENCE_S = 3.0
"""A search by words now is worth more than one by meaning later."""
MOST_CHARS = 2_000
"""Of a question; no model reads on for long."""
_REMEMBERED = 256


class Meaning:
    """Questions asked lately are remembered: pages of a search ask the same again."""

    def __init__(self, embedder: Embedder, *, patience_s: float = PATIENCE_S) -> None:
        self._embedder = embedder
        self._patience_s = patience_s
        self._known: OrderedDict[str, Near] = OrderedDict()

    async def of(self, text: str) -> Near | None:
        """None where there is no embedder, no text, or no answer in time; then words must do."""
        asked = masked(text)[:MOST_CHARS].strip()
        if not self._embedder.name or not asked:
            return None
        if near := self._known.get(asked):
            self._known.move_to_end(asked)
            return near
        try:
            async with asyncio.timeout(self._patience_s):
                (vector,) = await self._embedder.embed([asked])
        except (Invalid, Unavailable, TimeoutError) as error:
            log.warning("search.by_words_only", error=str(error) or "the embedder took too long")
            return None
        near = Near(model=self._embedder.name, vector=vector)
        self._known[asked] = near
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return near
