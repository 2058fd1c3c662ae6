"""Best first: one list by words, several lists fused into one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

from copilot.domain.words import relevance, words_of

K = TypeVar("K", bound=Hashable)

RANK_CONSTANT = 60
"""Cormack, Clarke and Buettcher (2009): large enough that no single list decides alone."""


def ranked(query: str, texts: Sequence[tuple[K, str]]) -> list[tuple[K, float]]:
    """Keys of the texts that contain any word of the query, with their BM25, best first.

    Equal ones keep their order.
    """
    scores = relevance(words_of(query), [words_of(text) for _, text in texts])
    hits = [(key, score) for (key, _), score in zip(texts, scores, strict=True) if score > 0]
    return sorted(hits, key=lambda hit: -hit[1])


def fused(rankings: Sequence[Sequence[K]]) -> list[tuple[K, float]]:
    """Reciprocal rank fusion of several best-first lists, 0 to 1, best first.

    1 is first in every list. Equal ones are in the order in which they were met; a key that a list
    repeats counts once, at its best rank.
    """
    scores: dict[K, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(dict.fromkeys(ranking), start=1):
            scores[key] = scores.get(key, 0.0) + (RANK_CONSTANT + 1) / (RANK_CONSTANT + rank)
    n = max(1, len(rankings))
    return sorted(((key, score / n) for key, score in scores.items()), key=lambda hit: -hit[1])
