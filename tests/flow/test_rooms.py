"""The room of an incident that is about no Deployment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.domain.alert import Rule
from copilot.domain.incident import IncidentId
from copilot.domain.objects import KubeStruct, ObjectRef
from copilot.ports import Delta, Kind
from copilot.roles.heatmap import cluster_view
from copilot.roles.room import memory_chart
from copilot.settings import Settings
from copilot.wiring import Parts, wired
from tests.builders_detect import an_alert
from tests.builders_objects import (
    NOW_US,
    a_claim,
    a_cron_job,
    a_job,
    a_node,
    a_pod,
    a_service,
)
from tests.fakes import FixedClock
from tests.unit.detect.test_inventory import version_of


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    settings = Settings(data=tmp_path, cluster="dev", openai_api_key=None, openai_base_url="")
    clock = FixedClock(NOW_US)
    async with wired(settings, roles=(), agent_token="", needs_cluster=False, clock=clock) as made:
        yield made


@pytest.mark.parametrize(
    ("kind", "thing"),
    [
        (Kind.SERVICE, a_service()),
        (Kind.NODE, a_node()),
        (Kind.CLAIM, a_claim()),
        (Kind.JOB, a_job()),
        (Kind.CRON_JOB, a_cron_job()),
        (Kind.POD, a_pod()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_it_opens_and_its_chart_is_drawn_whatever_it_is_about(
    parts: Parts, kind: Kind, thing: KubeStruct
) -> None:
    await parts.flow.observe(Delta(kind=kind, versions=(version_of(kind, thing),), is_synced=True))
    incident_id = await _opened(parts, version_of(kind, thing).object)

    async with parts.store.view() as view:
        chart = await memory_chart(view, incident_id, NOW_US)
        seen = await cluster_view(view, "dev", NOW_US)

    assert [point.value for point in chart.limit] == ([32 * 2**20] if kind is Kind.POD else [])
    assert seen.open_incidents == 1


async def _opened(parts: Parts, about: ObjectRef) -> IncidentId:
    docket = parts.flow._docket
    async with parts.store.transaction() as tx:
        await docket.raise_alerts(tx, [an_alert(Rule.EXTERNAL, workload=about)])
        (incident,) = await tx.incidents.opened("dev")
    return incident.id
