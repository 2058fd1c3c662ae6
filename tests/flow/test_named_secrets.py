"""A Secret that people named is followed: that it changed is a row, and what it holds is nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.domain.change import ObjectVersion
from copilot.domain.evidence import Gap
from copilot.flow import Flow
from copilot.ports import Delta, Kind, Named
from copilot.settings import Settings
from copilot.wiring import Parts, wired
from tests.builders_objects import NOW_US
from tests.fakes import FixedClock
from tests.unit.ingest.test_named_changes import NEW, OLD, a_secret

KEYS = {"password": ("helm", OLD)}


def opened(folder: Path) -> Settings:
    return Settings(data=folder, cluster="dev", openai_api_key=None, openai_base_url="")


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    clock = FixedClock(NOW_US)
    async with wired(
        opened(tmp_path), roles=(), agent_token="", needs_cluster=False, clock=clock
    ) as parts:
        yield parts


async def sees(flow: Flow, *versions: ObjectVersion, gap: Gap | None = None) -> None:
    is_synced = gap is None
    await flow.observe(
        Delta(kind=Named.SECRET, only="shop/db", versions=versions, is_synced=is_synced, gap=gap)
    )


async def titles(parts: Parts) -> list[str]:
    async with parts.store.view() as view:
        changes = await view.objects.changes(
            "dev", namespace="shop", since_us=0, until_us=NOW_US * 2, limit=10
        )
    return [change.title for change in changes]


async def gaps(parts: Parts) -> list[str]:
    async with parts.store.view() as view:
        return [gap.what for gap in await view.objects.gaps("dev")]


async def test_a_change_of_it_is_a_row_and_its_first_look_is_none(parts: Parts) -> None:
    await sees(parts.flow, a_secret(KEYS, version="1"))
    await sees(parts.flow, a_secret({"password": ("kubectl-edit", NEW)}, version="2"))

    assert await titles(parts) == ["Secret db changed: key password"]


async def test_it_does_not_count_as_a_kind_that_was_listed(parts: Parts) -> None:
    await sees(parts.flow, a_secret(KEYS))

    async with parts.store.view() as view:
        assert await view.objects.listed("dev") == frozenset()


async def test_what_changed_while_nobody_watched_is_told_at_the_next_look(
    tmp_path: Path, parts: Parts
) -> None:
    await sees(parts.flow, a_secret(KEYS, version="1"))
    clock = FixedClock(NOW_US)
    async with wired(
        opened(tmp_path), roles=(), agent_token="", needs_cluster=False, clock=clock
    ) as later:
        await sees(later.flow, a_secret({"password": ("helm", NEW)}, version="2"))

    assert await titles(parts) == ["Secret db changed: key password"]


async def test_one_that_was_deleted_while_nobody_watched_is_told(
    tmp_path: Path, parts: Parts
) -> None:
    await sees(parts.flow, a_secret(KEYS, version="1"))
    clock = FixedClock(NOW_US)
    async with wired(
        opened(tmp_path), roles=(), agent_token="", needs_cluster=False, clock=clock
    ) as later:
        await sees(later.flow)

    assert await titles(parts) == ["Secret db deleted"]


async def test_a_gap_of_it_is_told_and_forgotten_by_the_next_watcher(parts: Parts) -> None:
    await sees(parts.flow, gap=Gap(what="Secret shop/db", reason="forbidden"))
    await parts.flow.note_gap("logs", Gap(what="logs", reason="forbidden"))
    before = await gaps(parts)

    await parts.flow.begin_watch()

    assert before == ["Secret shop/db", "logs"]
    assert await gaps(parts) == []


async def test_gaps_of_kinds_stay_until_they_are_listed(parts: Parts) -> None:
    await parts.flow.observe(Delta(kind=Kind.QUOTA, gap=Gap(what="quotas", reason="forbidden")))
    await parts.flow.begin_watch()

    assert await gaps(parts) == ["quotas"]
