"""Earlier incidents that are told like this one, whatever words they use and wherever they were."""

from __future__ import annotations

from collections.abc import Sequence

from copilot.domain.hypothesis import Cause
from copilot.domain.memory import SimilarIncident
from copilot.domain.retrieval import Vector
from copilot.local import LocalAgents
from copilot.remediate.policy import Policy
from copilot.search.indexing import catch_up
from copilot.search.meaning import Meaning
from copilot.store import open_store
from tests.builders_store import a_memory, a_new_incident
from tests.fakes import FixedClock
from tests.fakes_embedder import FakeEmbedder


class Understands(FakeEmbedder):
    """Knows two words for one thing."""

    async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
        return await super().embed([t.replace("storage exhausted", "volume full") for t in texts])


async def similar(embedder: FakeEmbedder) -> tuple[SimilarIncident, ...]:
    """Of an incident with exhausted storage, where a full volume of another app is remembered."""
    store = await open_store(":memory:", clock=FixedClock())
    await store.migrate()
    async with store.transaction() as tx:
        earlier = await tx.incidents.open(a_new_incident("a", title="volume full", app="shop"))
        await tx.incidents.open(a_new_incident("b", title="probe fails", app="cart"))
        now = await tx.incidents.open(a_new_incident("c", title="storage exhausted", app="books"))
        await tx.memories.add(a_memory(earlier.id, app="shop", cause=Cause.VOLUME_UNAVAILABLE))
    await catch_up(store, embedder, FixedClock())
    agents = LocalAgents(
        store=store,
        clock=FixedClock(),
        cluster=None,
        policy=Policy(),
        model=None,
        notifiers={},
        meaning=Meaning(embedder),
    )
    case = await agents.context(now.id)
    await store.close()
    return case.similar


async def test_an_incident_that_is_told_in_other_words_is_similar() -> None:
    [found] = await similar(Understands())

    assert found.title == "volume full"
    assert found.reason.endswith("told alike")
    assert found.score < 0.6  # neither place nor signs: nothing is concluded from it


async def test_without_a_model_what_shares_no_word_cause_or_place_is_not() -> None:
    assert await similar(FakeEmbedder(name="")) == ()
