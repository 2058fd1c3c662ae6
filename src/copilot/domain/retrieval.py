"""What is found by words and by meaning: the corpora, their documents, and how they are ranked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

Vector = NewType("Vector", bytes)
"""A text's meaning: float32, little-endian, of length 1. All of one model have as many numbers."""

FUSION_K = 60
"""Of reciprocal rank fusion: https://doi.org/10.1145/1571941.1572114"""


class Corpus(StrEnum):
    """What is searched as a whole. Log lines are not: they are found by their templates."""

    TEMPLATE = "template"
    RUNBOOK = "runbook"
    """A document is a section; of one runbook, the best section is found."""
    INCIDENT = "incident"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text of a corpus. `stamp` changes with the row it comes from, `text_hash` with the text."""

    doc_id: int
    text: str
    text_hash: bytes
    stamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """What a query means, in the numbers of one model."""

    model: str
    vector: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A document that was found. The ranks count from 1; 0 where that way did not find it."""

    doc_id: int
    score: float
    """Of the fusion, 0 to 1: 1 for what comes first both by words and by meaning."""
    by_words: int
    by_meaning: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How far a corpus is behind."""

    corpus: Corpus
    documents: int
    words: int
    """Documents whose words are not, or no longer, what is searched."""
    vectors: int
    """Documents without a vector of the present model, but for those that it refuses."""
    refused: int
    """Documents that the present model refuses as they are."""


def fused(
    by_words: Sequence[int],
    by_meaning: Sequence[int],
    ties: Mapping[int, bytes],
    *,
    was_meant: bool,
) -> list[Ranked]:
    """Two rankings as one, best first; equal ones in the order of `ties`, which is the same on
    every database where ids are not. `was_meant`: there was a ranking by meaning at all."""
    places = (_places(by_words), _places(by_meaning))
    best = (2 if was_meant else 1) / (FUSION_K + 1)
    found = [
        Ranked(
            doc_id=doc,
            score=sum(1 / (FUSION_K + place[doc]) for place in places if doc in place) / best,
            by_words=places[0].get(doc, 0),
            by_meaning=places[1].get(doc, 0),
        )
        for doc in dict.fromkeys((*by_words, *by_meaning))
    ]
    return sorted(found, key=lambda one: (-one.score, ties.get(one.doc_id, b""), one.doc_id))


def _places(documents: Iterable[int]) -> dict[int, int]:
    return {doc: place for place, doc in enumerate(documents, start=1)}
