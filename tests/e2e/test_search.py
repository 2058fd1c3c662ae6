"""Search in a real browser: by the keys alone, by facets, in time, and page by page."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.copilot_process import Copilot, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
SCREENS = Path(__file__).parents[2] / "artifacts" / "screens"
BEGAN_S = int(time.time()) // 600 * 600 - 3600
"""When the first line was logged: not so long ago that it would be retired."""
HOSTILE = "<img src=x onerror=alert(1)> needle"


def sent(copilot: Copilot, bodies: list[str], app: str = "searched") -> None:
    """Log lines of an application of our own, newest last."""
    place = {"namespace_name": "search-test", "pod_name": f"{app}-1", "container_name": "app"}
    records = [
        {"date": BEGAN_S + n, "log": body, "kubernetes": place | {"labels": {"app": app}}}
        for n, body in enumerate(bodies)
    ]
    with copilot.sender() as client:
        client.post("/ingest", json=records).raise_for_status()


@pytest.fixture(scope="module")
def filled(copilot: Copilot) -> Copilot:
    bodies = [f"level={'error' if n % 10 == 0 else 'info'} needle number {n}" for n in range(120)]
    sent(copilot, [*bodies, HOSTILE])
    sent(copilot, ["another needle"], app="other")

    def is_there() -> bool:
        with copilot.client() as client:
            found = client.get("/api/search", params={"q": "needle ns:search-test"}).json()
        return len(found["hits"]) == 50

    wait_for(is_there, "the lines", 20)
    return copilot


def asked(page: Page) -> str:
    return parse_qs(urlsplit(page.url).query).get("q", [""])[0]


def hits(page: Page) -> list[str]:
    page.get_by_role("list", name="Hits").wait_for()
    return page.locator("[data-hit]").all_inner_texts()


def test_the_keys_alone_find_a_line_among_its_neighbours(page: Page, filled: Copilot) -> None:
    page.goto(filled.url)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()  # no key is heard before
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type('"needle number 77" ns:search-test')
    expect(page.locator("[data-hit]")).to_have_count(1)

    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.get_by_text("needle number 76")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("needle number 76")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_facets_and_bars_narrow_and_widen_the_search(page: Page, filled: Copilot) -> None:
    page.goto(f"{filled.url}/search/?q=needle+ns%3Asearch-test")
    facets = page.get_by_role("navigation", name="Narrow the search")
    expect(facets.get_by_role("link", name=re.compile(r"^Logs 122$"))).to_be_visible()

    facets.get_by_role("link", name="other 1").click()
    expect(page.locator("[data-hit]")).to_have_count(1)
    assert asked(page) == "needle ns:search-test app:other"
    facets.get_by_role("link", name="other 1").click()
    expect(page.locator("[data-hit]")).to_have_count(50)

    page.get_by_role("group", name="Bars").get_by_role("button").nth(5).click()
    expect(page.get_by_role("link", name="All times")).to_be_visible()
    assert f"since:{datetime.fromtimestamp(BEGAN_S, UTC):%Y-%m-%dT%H}" in asked(page)
    expect(page.locator("[data-hit]")).to_have_count(5)  # bars of five seconds, a line in each
    page.go_back()
    expect(page.locator("[data-hit]")).to_have_count(50)


def test_pages_lead_through_every_hit_once(page: Page, filled: Copilot) -> None:
    page.goto(f"{filled.url}/search/?q=needle+ns%3Asearch-test")
    seen = hits(page)
    for _ in range(2):
        before = page.url
        page.get_by_role("link", name="Older").click()
        expect(page).not_to_have_url(before)
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        seen += hits(page)

    assert len(seen) == len(set(seen)) == 122
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    page.reload()
    assert hits(page) == seen[100:]


def test_what_was_logged_is_never_markup(page: Page, filled: Copilot) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(f"{filled.url}/search/?q=onerror+ns%3Asearch-test")

    expect(page.get_by_text(HOSTILE.removesuffix(" needle"))).to_be_visible()


def test_search_looks_right_in_both_themes_and_sizes(page: Page, filled: Copilot) -> None:
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(f"{filled.url}/search/?q=needle+ns%3Asearch-test")
            page.locator("[data-hit]").nth(1).click()
            expect(page.get_by_role("group", name="Bars")).to_be_visible()
            page.wait_for_timeout(700)
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0, f"search at {width} px scrolls sideways by {overflow}"
            page.screenshot(path=SCREENS / f"search-{theme}-{width}.png", full_page=True)


def test_the_page_for_a_browser_is_the_api_for_everyone_else(filled: Copilot) -> None:
    with filled.client() as client:
        said = client.get("/search", params={"q": "needle", "limit": 3})
        shown = client.get("/search", headers={"accept": "text/html"}, follow_redirects=False)

    assert len(said.json()["hits"]) == 3
    assert shown.status_code in (httpx.codes.OK, httpx.codes.TEMPORARY_REDIRECT)
    assert not shown.headers.get("content-type", "").startswith("application/json")
