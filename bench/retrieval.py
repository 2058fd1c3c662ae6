"""How well runbooks are found: by words, by meaning, and by both, on a labelled set of our own.

`make bench-retrieval` prints the table; it exits with 1 where both ways together put a right runbook
among the first three for fewer than nine queries of ten. `ARGS=-v` lists those that they miss.

The queries were written from the runbooks' titles alone, half of them as people speak, and nothing
in the runbooks was worded for them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copilot.agents.runbook import parse_runbook
from copilot.domain.retrieval import Corpus
from copilot.domain.runbook import runbook_of
from copilot.embed.local import LocalEmbedder, missing
from copilot.ports import Embedder
from copilot.search.indexing import catch_up
from copilot.search.meaning import Meaning
from copilot.store import SqlStore, open_store
from copilot.wiring import SystemClock, runbook_folder

QUERIES = Path(__file__).with_name("retrieval_queries.json")
LEAST_HIT_3 = 0.90
WAYS = ("words", "meaning", "both")


class Unhurried(SystemClock):
    """Does not rest between batches: nobody else is waiting."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Score:
    """Of some queries: how often a right runbook was first, among three, and at what place."""

    n: int
    hit_1: float
    hit_3: float
    mrr: float

    @classmethod
    def of(cls, places: Sequence[int]) -> Score:
        """The place of the first right one of each query; 0 for none."""
        n = len(places)
        return cls(
            n=n,
            hit_1=sum(p == 1 for p in places) / n,
            hit_3=sum(0 < p <= 3 for p in places) / n,
            mrr=sum(1 / p for p in places if p) / n,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, and at which place each way found a right runbook."""

    kind: str
    text: str
    places: dict[str, int]


async def measured(embedder: Embedder) -> list[Asked]:
    """Every query of the set, asked each way."""
    clock = Unhurried()
    store = await open_store(":memory:", clock=clock)
    try:
        await store.migrate()
        async with store.transaction() as tx:
            await tx.runbooks.sync(
                [parse_runbook(p.stem, p.read_text(), 0) for p in runbook_folder().glob("*.md")]
            )
        while await catch_up(store, embedder, clock):
            pass
        return [
            Asked(one["kind"], one["asks"], await _places(store, embedder, one))
            for one in json.loads(QUERIES.read_text())
        ]
    finally:
        await store.close()


async def _places(store: SqlStore, embedder: Embedder, query: dict[str, Any]) -> dict[str, int]:
    text, wants = query["asks"], query["wants"]
    near = await Meaning(embedder, patience_s=60).of(text)
    places = {}
    async with store.view() as view:
        slugs = {runbook.id: runbook.slug for runbook in await view.runbooks.all()}
        for way in WAYS:
            ranked = await view.index.rank(
                Corpus.RUNBOOK,
                "" if way == "meaning" else text,
                limit=10,
                near=None if way == "words" else near,
            )
            found = [slugs[runbook_of(one.doc_id)] for one in ranked]
            places[way] = next((i for i, slug in enumerate(found, 1) if slug in wants), 0)
    return places


def scores(asked: Sequence[Asked], way: str, kind: str = "") -> Score:
    """Of one way; of all queries or one kind."""
    return Score.of([one.places[way] for one in asked if kind in ("", one.kind)])


async def main(verbose: bool) -> int:
    if lacks := missing():
        print(f"the local embedder is not installed: {lacks}")
        return 1
    embedder = LocalEmbedder()
    started = time.perf_counter()
    try:
        asked = await measured(embedder)
    finally:
        await embedder.close()
    took = time.perf_counter() - started
    print(f"{len(asked)} queries, {embedder.use.texts} texts embedded, {took:.1f} s in all\n")
    print("| found by | queries | hit@1 | hit@3 | MRR |\n|---|---|---|---|---|")
    for way in WAYS:
        for kind in ("", "words", "paraphrase"):
            s = scores(asked, way, kind)
            print(
                f"| {way} | {kind or 'all'} ({s.n}) | {s.hit_1:.2f} | {s.hit_3:.2f} | {s.mrr:.2f} |"
            )
    if verbose:
        for one in asked:
            if not 0 < one.places["both"] <= 3:
                print(one)
    return 0 if scores(asked, "both").hit_3 >= LEAST_HIT_3 else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main("-v" in sys.argv)))
