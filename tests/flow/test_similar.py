"""Earlier incidents that are told like this one, whatever words they use and wherever they were."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from copilot.domain.hypothesis import Cause
from copilot.domain.incident import IncidentId
from copilot.domain.memory import SimilarIncident
from copilot.domain.retrieval import Vector
from copilot.local import LocalAgents
from copilot.remediate.policy import Policy
from copilot.roles.room import room_view
from copilot.roles.views import SimilarView
from copilot.search.indexing import catch_up
from copilot.search.meaning import Meaning
from copilot.store import SqlStore, open_store
from tests.builders_store import NOW_US, a_memory, a_new_incident
from tests.fakes import FixedClock
from tests.fakes_embedder import FakeEmbedder


class Understands(FakeEmbedder):
    """Knows two words for one thing."""

    async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
        return await super().embed([t.replace("storage exhausted", "volume full") for t in texts])


@asynccontextmanager
async def told(embedder: FakeEmbedder) -> AsyncIterator[tuple[SqlStore, IncidentId]]:
    """An incident with exhausted storage, where a full volume of another app is remembered."""
    store = await open_store(":memory:", clock=FixedClock())
    await store.migrate()
    async with store.transaction() as tx:
        earlier = await tx.incidents.open(a_new_incident("a", title="volume full", app="shop"))
        await tx.incidents.open(a_new_incident("b", title="probe fails", app="cart"))
        now = await tx.incidents.open(a_new_incident("c", title="storage exhausted", app="books"))
        await tx.memories.add(a_memory(earlier.id, app="shop", cause=Cause.VOLUME_UNAVAILABLE))
    await catch_up(store, embedder, FixedClock())
    yield store, now.id
    await store.close()


async def similar(embedder: FakeEmbedder) -> tuple[SimilarIncident, ...]:
    """As the context agent finds them."""
    async with told(embedder) as (store, now):
        agents = LocalAgents(
            store=store,
            clock=FixedClock(),
            cluster=None,
            policy=Policy(),
            model=None,
            notifiers={},
            meaning=Meaning(embedder),
        )
        return (await agents.context(now)).similar


async def in_the_room(embedder: FakeEmbedder) -> list[SimilarView]:
    async with told(embedder) as (store, now), store.view() as view:
        return (await room_view(view, now, model=embedder.name)).similar


async def test_an_incident_that_is_told_in_other_words_is_similar() -> None:
    [found] = await similar(Understands())

    assert found.title == "volume full"
    assert found.reason.endswith("told alike")
    assert found.score < 0.6  # neither place nor signs: nothing is concluded from it


async def test_without_a_model_what_shares_no_word_cause_or_place_is_not() -> None:
    assert await similar(FakeEmbedder(name="")) == ()


async def test_the_room_shows_what_the_context_agent_finds() -> None:
    [found] = await similar(Understands())
    [shown] = await in_the_room(Understands())

    assert (shown.incident_id, shown.title) == (found.memory.incident_id, "volume full")
    assert (shown.score, shown.reason) == (found.score, found.reason)
    assert await in_the_room(FakeEmbedder(name="")) == []


async def test_the_room_shows_nothing_that_was_learned_after_it_was_opened() -> None:
    async with told(Understands()) as (store, now):
        async with store.transaction() as tx:
            [memory] = await tx.memories.of_incidents([IncidentId(1)], now_us=NOW_US)
            await tx.memories.forget(memory.id)
            await tx.memories.add(a_memory(IncidentId(1), app="shop", created_us=NOW_US * 2))
        async with store.view() as view:
            room = await room_view(view, now, model="fake")

    assert room.similar == []
