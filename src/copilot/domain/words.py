"""How our texts become words, and how well a text answers a few words.

Operations has its own words: `OOMKilled` is also *oom* and *killed*, `exit code 137` is one thing,
`java.lang.OutOfMemoryError` and `/etc/app/config.yaml` are found whole and by their parts.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

LONGEST = 64
"""Longer words are left out (their parts are kept): they are data, nobody types them."""

_WHOLE = re.compile(r"[^\W_](?:[\w./:@-]*[^\W_])?")
_PART = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+|\d+")
_EXIT = re.compile(
    r"\bexit(?:ed)?(?:[ _-]?code|[ _-]?status| with(?: code| status)?)?[ :=]*(\d{1,3})\b",
    re.IGNORECASE,
)

_ID = re.compile(r"(?<![\w.:/-])(?=[\w.:/-]{12})(?:[^\W0-9]|[.:/-])*+\d[\w.:/-]*+")
"""Twelve characters or more, with a digit among them."""

_FILLERS = (
    "a an and are as at be been being but by can could did do does done for from had has have he her "
    "his how i if in into is it its may might must nor of on or our she should so than that the "
    "their them then there they this those to too us was we were what when where which who why will "
    "with would you your"
)
_EVERYWHERE = frozenset(_FILLERS.split())
"""English words that say nothing; `no`, `not`, `up` and `down` say much."""

_K1 = 1.2
_B = 0.75


def words_of(text: str) -> list[str]:
    """Lower-case words in order: each compound whole, then its parts; `exit_137` for exit codes."""
    words: list[str] = []
    for match in _WHOLE.finditer(text):
        words.extend(_with_parts(match.group()))
    words.extend(f"exit_{match.group(1)}" for match in _EXIT.finditer(text))
    return words


def terms_of(text: str) -> list[str]:
    """The words by which a text is indexed and found: without those that are in every sentence, and
    without the plural's `s`."""
    return [_singular(word) for word in words_of(text) if word not in _EVERYWHERE]


def masked(text: str) -> str:
    """The text with ids, hashes, addresses and times as `*`: they say nothing to a model of
    language and cost it the most. Short ones stay: `137`, `64Mi`, `v1.24`, `http2`."""
    return _ID.sub("*", text)


def relevance(query: Sequence[str], documents: Sequence[Sequence[str]]) -> list[float]:
    """BM25 of each document (its words) for the query's words, 0 where none occurs.

    A word that the query repeats counts once. https://en.wikipedia.org/wiki/Okapi_BM25
    """
    counts = [Counter(words) for words in documents]
    mean = sum(len(words) for words in documents) / max(1, len(documents)) or 1.0
    scores = [0.0] * len(documents)
    for word in dict.fromkeys(query):
        rare = rarity(sum(word in count for count in counts), len(documents))
        for i, count in enumerate(counts):
            if n := count[word]:
                scores[i] += rare * weight(n, len(documents[i]) / mean)
    return scores


def rarity(n_with: int, n_documents: int) -> float:
    """What a word says that stands in `n_with` of the documents."""
    return math.log(1 + (max(n_documents, n_with) - n_with + 0.5) / (n_with + 0.5))


def weight(n: int, length: float) -> float:
    """What a word counts that stands `n` times in a document; its length is 1 for a usual one."""
    return n * (_K1 + 1) / (n + _K1 * (1 - _B + _B * length))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] != "s" else word


def _with_parts(whole: str) -> list[str]:
    found = {whole.lower(): None}  # a dict keeps the order
    for part in _PART.findall(whole):
        found[part.lower()] = None
        humps = _HUMP.findall(part)
        # CamelCase of a programmer, and no id such as 5f44895955.
        if len(humps) > 1 and part.isascii() and part.isalpha():
            found.update((hump.lower(), None) for hump in humps)
    return [word for word in found if len(word) <= LONGEST]
