"""An embedder whose vectors are counted out of a text's words: alike where words are."""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections.abc import Sequence

from copilot.domain.errors import Invalid, Unavailable
from copilot.domain.retrieval import Vector
from copilot.ports import EmbedderUse

DIMENSIONS = 32


def numbers_of(text: str) -> list[float]:
    """Of no length in particular, and never all zero."""
    numbers = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()) or ["-"]:
        digest = hashlib.sha256(word.encode("utf-8", "replace")).digest()
        numbers[digest[0] % DIMENSIONS] += 1.0
    return numbers


class FakeEmbedder:
    """Meets `ports.Embedder`; fails as often as `failing` says, and refuses what holds `refused`."""

    about = "a fake"
    dimensions = DIMENSIONS
    batch = 4

    def __init__(self, name: str = "fake", *, failing: int = 0, refused: str | None = None) -> None:
        self.name = name
        self.failing = failing
        self.refused = refused
        self.asked: list[str] = []

    @property
    def use(self) -> EmbedderUse:
        words = sum(len(text.split()) for text in self.asked)
        return EmbedderUse(texts=len(self.asked), tokens=words, cost_usd=0.0, failures=0)

    async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
        if texts and self.failing:
            self.failing -= 1
            raise Unavailable("the fake is down")
        if self.refused is not None and any(self.refused in text for text in texts):
            raise Invalid("the fake refuses it")
        self.asked += texts
        return tuple(_unit(numbers_of(text)) for text in texts)

    async def close(self) -> None:
        """Nothing to close."""


def _unit(numbers: list[float]) -> Vector:
    length = math.hypot(*numbers)
    return Vector(struct.pack(f"<{len(numbers)}f", *(x / length for x in numbers)))
