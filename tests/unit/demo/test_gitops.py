"""The demo's repository says what the demo is, and what is committed to it the demo becomes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from copilot.demo.gitops import BRANCH, apply, manifests
from copilot.demo.kinds import CONFIG_MAP, DEPLOYMENT, SERVICE
from copilot.domain.pull_request import FileEdit
from copilot.githost.local import LocalGitHost
from tests.builders_demo import HandMoved

PATH = "cluster/payments/payments-api.yaml"


@pytest.fixture
def demo() -> HandMoved:
    return HandMoved()


@pytest.fixture
async def api(demo: HandMoved) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=demo.cluster.app),
        base_url="http://demo",
        headers={"Authorization": "Bearer t"},
    ) as client:
        yield client


@pytest.fixture
async def host(tmp_path: Path) -> LocalGitHost:
    made = LocalGitHost(tmp_path / "cluster.git")
    await made.seed(manifests(), branch=BRANCH)
    return made


def generations(demo: HandMoved) -> dict[str, int]:
    world = demo.cluster.world
    return {
        f"{kind.kind}/{o['metadata']['namespace']}/{o['metadata']['name']}": o["metadata"].get(
            "generation", 0
        )
        for kind in (DEPLOYMENT, SERVICE, CONFIG_MAP)
        for o in world.objects(kind)
    }


async def test_reconciling_the_demo_at_its_start_changes_nothing(
    demo: HandMoved, api: httpx.AsyncClient, host: LocalGitHost
) -> None:
    before = generations(demo)

    assert await apply(host, await host.head(BRANCH), api)

    assert generations(demo) == before


async def test_what_is_committed_is_applied_and_what_is_taken_out_is_gone(
    demo: HandMoved, api: httpx.AsyncClient, host: LocalGitHost
) -> None:
    text = await host.read(PATH, await host.head(BRANCH))
    after = text.replace("replicas: 3", "replicas: 4").replace(
        "          envFrom:\n            - configMapRef:\n                name: payments-api-settings\n",
        "",
    )
    request = await host.open_change(
        branch="other",
        base=BRANCH,
        edits=[FileEdit(path=PATH, before=text, after=after)],
        title="Less",
        body="",
    )
    await host.merge(request.number)

    assert await apply(host, await host.head(BRANCH), api)

    spec = demo.deployment("payments-api", "payments")["spec"]
    assert spec["replicas"] == 4
    assert "envFrom" not in spec["template"]["spec"]["containers"][0]
