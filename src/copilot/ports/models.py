"""The language model and the embedder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from copilot.domain.retrieval import Vector


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A model's answer: JSON that fits the schema it was given (checked by the adapter)."""

    json: str
    tokens_in: int
    tokens_out: int


class LanguageModel(Protocol):
    """One turn with a model: schema-constrained JSON out."""

    @property
    def name(self) -> str: ...

    async def next(self, *, system: str, prompt: str, schema: dict[str, object]) -> Reply:
        """One repair try on invalid JSON inside.

        Raises:
            Unavailable: no answer in time, or no valid one.
        """
        ...


class EmbedderUse(msgspec.Struct, frozen=True, kw_only=True):
    """What an embedder did since the process started."""

    texts: int
    tokens: int
    cost_usd: float
    """By the price that is set; 0 for a model of our own."""
    failures: int
    """Answers that did not come or were of no use, repeated ones too."""


class Embedder(Protocol):
    """What texts mean, as vectors. Only templates, sections of runbooks, incidents and questions
    are given to it, never log lines."""

    @property
    def name(self) -> str:
        """The model, under which its vectors are kept; empty where there is none."""
        ...

    @property
    def about(self) -> str:
        """For people: which model, or why there is none."""
        ...

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has; 0 where that is not known yet."""
        ...

    @property
    def batch(self) -> int:
        """How many texts it likes to be given at once."""
        ...

    @property
    def use(self) -> EmbedderUse: ...

    async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
        """One vector a text, in order; a long text is cut where the model ends.

        Raises:
            Unavailable: there is no model, no answer in time, or none of use.
            Invalid: it refuses what it was given, as it would the next time.
        """
        ...

    async def close(self) -> None: ...
