"""No embedder: search is by words alone, and says so."""

from __future__ import annotations

from collections.abc import Sequence

from copilot.domain.errors import Unavailable
from copilot.domain.retrieval import Vector
from copilot.ports import EmbedderUse


class NoEmbedder:
    """Meets `ports.Embedder`; `about` says why there is none."""

    name = ""
    dimensions = 0
    batch = 1
    use = EmbedderUse(texts=0, tokens=0, cost_usd=0.0, failures=0)

    def __init__(self, about: str) -> None:
        self.about = about

    async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
        if not texts:
            return ()
        raise Unavailable(f"nothing is embedded: {self.about}")

    async def close(self) -> None:
        """Nothing to close."""
