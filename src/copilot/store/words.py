"""Words of the row tier: one tokenizer and one order of results, whatever database finds the rows.

A database supplies candidates (full text on SQLite, postings elsewhere) and may supply a few too
many; what fits, and how well, is decided here. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from copilot.domain.words import weight

MOST_LETTERS = 64
"""Of a word in the postings; a longer one is found by its beginning and told apart here."""
_WORD = re.compile(r"[^\W_]+")

Columns = Sequence[str]
"""What is searched of a row: its text, reason and object. A phrase lies within one of them."""


@dataclass(frozen=True, slots=True)
class Needle:
    """Words that follow each other; the last one may be only a beginning."""

    words: tuple[str, ...]
    is_beginning: bool = False

    def times(self, text: Sequence[str]) -> int:
        """How often it is among the words of a text."""
        n, last = len(self.words), self.words[-1]
        if n == 1:
            if self.is_beginning:
                return sum(word.startswith(last) for word in text)
            return text.count(last)
        return sum(
            tuple(text[at : at + n - 1]) == self.words[:-1]
            and (
                text[at + n - 1].startswith(last) if self.is_beginning else text[at + n - 1] == last
            )
            for at in range(len(text) - n + 1)
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query asks of a row: every needle of the first, none of the second."""

    needles: tuple[Needle, ...]
    unwanted: tuple[Needle, ...]

    def scores(self, rows: Sequence[Columns]) -> list[float | None]:
        """How well each row fits (greater is better), None for not at all. A row's length counts
        against the average of those given."""
        read = [[words_in(column) for column in columns] for columns in rows]
        lengths = [sum(map(len, columns)) for columns in read]
        average = (sum(lengths) / len(lengths) if lengths else 0) or 1.0
        return [
            self._score(columns, length / average)
            for columns, length in zip(read, lengths, strict=True)
        ]

    def _score(self, columns: Sequence[Sequence[str]], length: float) -> float | None:
        if any(_times(needle, columns) for needle in self.unwanted):
            return None
        score = 0.0
        for needle in self.needles:
            times = _times(needle, columns)
            if not times:
                return None
            score += weight(times, length)  # all must be there: how rare each is changes nothing
        return score


def wanted(words: Iterable[str], phrases: Iterable[str], excluded: Iterable[str]) -> Wanted:
    """Words are also found as beginnings; what holds no letter and no digit asks for nothing."""
    needles = [Needle(tuple(found), is_beginning=True) for found in map(words_in, words) if found]
    needles += [Needle(tuple(found)) for found in map(words_in, phrases) if found]
    unwanted = [Needle(tuple(found)) for found in map(words_in, excluded) if found]
    return Wanted(tuple(needles), tuple(unwanted))


def words_in(text: str) -> list[str]:
    """Runs of letters and digits in lower case without diacritics: `OOM-Démo` is `oom`, `demo`."""
    if not text.isascii():
        apart = unicodedata.normalize("NFD", text)
        bare = "".join(letter for letter in apart if unicodedata.category(letter) != "Mn")
        text = unicodedata.normalize("NFC", bare)
    return _WORD.findall(text.lower())


def terms_of(columns: Columns) -> frozenset[str]:
    """The words by which postings find a row."""
    return frozenset(word[:MOST_LETTERS] for column in columns for word in words_in(column))


def _times(needle: Needle, columns: Sequence[Sequence[str]]) -> int:
    return sum(needle.times(text) for text in columns)
