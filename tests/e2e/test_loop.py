"""The promise, in a real browser: a real kill on the demo cluster, the verdict with its evidence,
an approved fix, the proof, and the memory of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser import approves, breaks
from tests.e2e.copilot_process import (
    Copilot,
    chaos_target,
    cited,
    open_incident,
    room,
    wait_for,
    with_verdict,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
however_started = pytest.mark.parametrize(
    "copilot", ["one process", "a process a role"], indirect=True
)


def opens_by_chaos(page: Page, client: httpx.Client, after: int = 0) -> dict[str, Any]:
    """One click on Chaos Mode; the incident that it makes."""
    chaos_target(client)
    breaks(page)
    return wait_for(lambda: open_incident(client, after), "an incident", 30)


@however_started
def test_a_kill_becomes_a_verified_fix_and_is_remembered(page: Page, copilot: Copilot) -> None:
    with copilot.client() as client:
        first = opens_by_chaos(page, client)
        seen = wait_for(lambda: with_verdict(client, first["id"]), "a verdict", 15)
        assert seen["hypotheses"][0]["cause"] == "memory_limit_too_low"
        assert len(cited(seen)) >= 3

        approves(page, copilot, first["id"])
        expect(page.get_by_test_id("stage")).to_contain_text("Resolved", timeout=90_000)
        expect(page.get_by_test_id("mttr")).to_contain_text(re.compile(r"\d"))
        ended = room(client, first["id"])
        assert ended["incident"]["status"] == "resolved"
        assert ended["incident"]["mttr_seconds"] > 0
        assert_pods_are_well(client)

        second = opens_by_chaos(page, client, after=first["id"])
        again = wait_for(lambda: remembered(client, second["id"]), "the memory of it", 20)
        assert again["similar"][0]["incident_id"] == first["id"]
        assert "64Mi" in again["similar"][0]["fix"]
        page.goto(f"{copilot.url}/incident/?id={second['id']}")
        expect(page.get_by_text(f"INC-{first['id']}").first).to_be_visible(timeout=10_000)


@however_started
def test_every_citation_in_the_room_opens_a_stored_row(page: Page, copilot: Copilot) -> None:
    with copilot.client() as client:
        newest = client.get("/api/incidents").json()["rows"][0]["incident"]["id"]
        wait_for(lambda: with_verdict(client, newest), "a verdict", 15)
        page.goto(f"{copilot.url}/incident/?id={newest}")
        shown = wait_for(lambda: all_cited(page, client, newest), "all that is cited", 15)
        for evidence_id in sorted(shown):
            stored = client.get(f"/api/incidents/{newest}/evidence/{evidence_id}")
            assert stored.status_code == 200, evidence_id
            assert_source_is_stored(client, stored.json())


def all_cited(page: Page, client: httpx.Client, incident_id: int) -> set[str] | None:
    """What the room cites now, once the page shows all of it; another look may cite other rows."""
    wanted = cited(room(client, incident_id))
    shown = (page.get_by_test_id(f"evidence-{one}").is_visible() for one in sorted(wanted))
    return wanted if wanted and all(shown) else None


def remembered(client: httpx.Client, incident_id: int) -> dict[str, Any] | None:
    seen = room(client, incident_id)
    return seen if seen["similar"] else None


def assert_source_is_stored(client: httpx.Client, evidence: dict[str, Any]) -> None:
    kind, _, rest = evidence["source"].partition(":")
    if kind == "log":
        assert client.get("/api/logs", params={"address": rest}).status_code == 200
    elif kind == "incident":
        assert client.get(f"/api/incidents/{rest}").status_code == 200
    assert evidence["body"]


def assert_pods_are_well(client: httpx.Client) -> None:
    def look() -> bool:
        counts: dict[str, int] = client.get("/api/cluster").json()["counts"]
        return counts["failing"] == 0 and counts["degraded"] == 0

    wait_for(look, "a cluster that is well again", 20)


@pytest.mark.parametrize("copilot", ["one process"], indirect=True)
def test_the_main_screens_look_right_in_both_themes_and_sizes(page: Page, copilot: Copilot) -> None:
    with copilot.client() as client:
        newest = client.get("/api/incidents").json()["rows"][0]["incident"]["id"]
    folder = Path(__file__).parents[2] / "artifacts" / "screens"
    screens = {
        "cluster": "/",
        "incidents": "/incidents/",
        "room": f"/incident/?id={newest}",
        "search": "/search/?q=cache+grew",
    }
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            for name, path in screens.items():
                page.goto(f"{copilot.url}{path}")
                expect(page.get_by_role("main")).to_be_visible()
                page.wait_for_timeout(700)
                overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert overflow <= 0, f"{name} at {width} px scrolls sideways by {overflow}"
                page.screenshot(path=folder / f"{name}-{theme}-{width}.png", full_page=True)
    assert len(list(folder.glob("*.png"))) >= 16


@however_started
def test_time_from_kill_to_verdict_is_seconds(copilot: Copilot) -> None:
    with copilot.client() as client:
        for row in client.get("/api/incidents").json()["rows"]:
            incident = row["incident"]
            seen_after_s = (incident["opened_us"] - incident["first_signal_us"]) / 1e6
            assert seen_after_s < 5, f"INC-{incident['id']} was opened {seen_after_s:.1f} s late"
