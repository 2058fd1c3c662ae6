"""A language model that keeps account of what it is asked."""

from __future__ import annotations

import time
from dataclasses import dataclass

from copilot.domain.errors import Unavailable
from copilot.ports import LanguageModel, Reply


@dataclass(slots=True, kw_only=True)
class ModelUse:
    """What was asked of a model since the process started."""

    answers: int = 0
    failures: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    cost_usd: float = 0.0
    """By the prices that are set."""


class MeteredModel:
    """Meets `ports.LanguageModel` by asking another; prices in US dollars for a million tokens."""

    def __init__(self, model: LanguageModel, *, price_in: float, price_out: float) -> None:
        self._model = model
        self._prices = (price_in, price_out)
        self.name = model.name
        self.use = ModelUse()

    async def next(self, *, system: str, prompt: str, schema: dict[str, object]) -> Reply:
        """See the port. An answer that was of no use costs, too."""
        began = time.perf_counter()
        try:
            reply = await self._model.next(system=system, prompt=prompt, schema=schema)
        except Unavailable as failure:
            self.use.failures += 1
            self._add(failure.detail.get("tokens_in"), failure.detail.get("tokens_out"))
            raise
        else:
            self.use.answers += 1
            self._add(reply.tokens_in, reply.tokens_out)
            return reply
        finally:
            self.use.seconds += time.perf_counter() - began

    def _add(self, tokens_in: object, tokens_out: object) -> None:
        n_in = tokens_in if isinstance(tokens_in, int) else 0
        n_out = tokens_out if isinstance(tokens_out, int) else 0
        self.use.tokens_in += n_in
        self.use.tokens_out += n_out
        self.use.cost_usd += (n_in * self._prices[0] + n_out * self._prices[1]) / 1_000_000
