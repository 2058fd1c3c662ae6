"""Hostile text in a real browser: it is shown, and runs nothing, nor tries to."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import browser
from tests.e2e.copilot_process import Copilot, up_with_demo

__all__ = ["browser"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

MARK = "hostile4711"
HOSTILE = (
    f"{MARK} <script>window.pwned=1</script><img src=x onerror=window.pwned=1>"
    "<svg/onload=window.pwned=1> javascript:window.pwned=1 [a](javascript:window.pwned=1)"
)
WATCH = """
window.violations = []
document.addEventListener('securitypolicyviolation', (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`)
})
"""


@pytest.fixture(scope="module")
def copilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copilot]:
    with up_with_demo(tmp_path_factory.mktemp("copilot")) as running:
        yield running


@pytest.fixture(scope="module")
def incident_id(copilot: Copilot) -> int:
    """An incident, a note and a log line that all say the same."""
    line = {
        "date": time.time(),
        "log": HOSTILE,
        "level": "error",
        "kubernetes": {"namespace_name": "demo", "pod_name": "web-0", "container_name": "app"},
    }
    with copilot.sender() as sender:
        sender.post("/ingest", json=[line]).raise_for_status()
    with copilot.client() as person:
        body = {"title": HOSTILE, "namespace": "demo", "kind": "Deployment", "name": "hostile"}
        opened = person.post("/api/incidents", json=body).raise_for_status().json()
        notes = f"/api/incidents/{opened['id']}/notes"
        person.post(notes, json={"text": HOSTILE}).raise_for_status()
    found: int = opened["id"]
    return found


@pytest.fixture
def page(browser: Browser, copilot: Copilot) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(f"{copilot.url}/?token={copilot.tokens['access']}")
    yield page
    context.close()


@pytest.mark.parametrize("path", ["/incident/?id={id}", "/incidents/", f"/search/?q={MARK}", "/"])
def test_hostile_text_is_shown_and_runs_nothing(page: Page, incident_id: int, path: str) -> None:
    page.goto(page.url.split("/?")[0].rstrip("/") + path.format(id=incident_id))
    if path != "/":
        expect(page.get_by_text(MARK).first).to_be_visible(timeout=20_000)
    page.wait_for_load_state("load")

    assert page.evaluate("window.pwned") is None
    assert page.evaluate("window.violations") == []


def test_no_script_can_read_the_session(page: Page) -> None:
    assert page.evaluate("document.cookie") == ""


def test_the_sign_in_page_leads_back_to_where_one_was(
    browser: Browser, copilot: Copilot, incident_id: int
) -> None:
    page = browser.new_page()
    page.goto(f"{copilot.url}/incident/?id={incident_id}")
    page.get_by_label("Access token").fill(copilot.tokens["access"])

    page.get_by_role("button", name="Sign in").click()

    expect(page).to_have_url(f"{copilot.url}/incident/?id={incident_id}")
    assert httpx.get(f"{copilot.url}/api/me", trust_env=False).status_code == 401
    page.close()
