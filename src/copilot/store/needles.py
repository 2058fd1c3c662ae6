"""What a search looks for in texts, and the part of a text that shows it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from copilot.domain.search import Query
from copilot.store.coding import utf8

_SNIPPET = 240
_LEAD = 60
"""Characters of a snippet before what was found."""


@dataclass(frozen=True, slots=True)
class Needles:
    """What to look for, in lower case."""

    words: tuple[str, ...]
    phrases: tuple[str, ...]
    excluded: tuple[str, ...]

    @classmethod
    def of(cls, query: Query) -> Needles:
        """Those of a query."""
        texts = (query.words, query.phrases, query.excluded)
        return cls(*(tuple(text.lower() for text in part if text) for part in texts))

    @property
    def wanted(self) -> tuple[str, ...]:
        return (*self.words, *self.phrases)

    @property
    def has_words(self) -> bool:
        """There is something a full-text index can find."""
        return any(c.isalnum() for text in self.wanted for c in text)

    @property
    def as_bytes(self) -> tuple[list[bytes], list[bytes]]:
        """Wanted and excluded, as blocks look for them."""
        return [utf8(word) for word in self.wanted], [utf8(word) for word in self.excluded]

    def fit(self, text: str) -> bool:
        """All is there, and nothing that is excluded."""
        low = text.lower()
        return all(word in low for word in self.words) and self.allow(low)

    def allow(self, text: str) -> bool:
        """What ranking may not decide: phrases are there, and nothing that is excluded."""
        low = text.lower()
        return all(p in low for p in self.phrases) and not any(x in low for x in self.excluded)

    def snippet(self, text: str) -> str:
        """The part of the text around the first thing found."""
        low = text.lower()
        found = [at for at in (low.find(word) for word in self.wanted) if at >= 0]
        start = max(0, min(found, default=0) - _LEAD)
        part = text[start : start + _SNIPPET]
        return ("…" if start else "") + part + ("…" if start + _SNIPPET < len(text) else "")
