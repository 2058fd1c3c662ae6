"""Headless Chromium, and what a person does in it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.copilot_process import Copilot

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    assert path, "Chromium is missing: run `make chromium`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def signed_in(browser: Browser, copilot: Copilot) -> Iterator[Page]:
    """A page at 1440 x 900; what its console calls an error fails the test in the end."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.goto(f"{copilot.url}/?token={copilot.tokens['access']}")
    yield page
    context.close()
    assert errors == []


def approves(page: Page, copilot: Copilot, incident_id: int) -> None:
    """Opens the room, reads the fix, approves it in the dialog."""
    page.goto(f"{copilot.url}/incident/?id={incident_id}")
    fix = page.get_by_role("region", name="Proposed fix")
    expect(fix.get_by_text(re.compile("limits:|memory:")).first).to_be_visible(timeout=15_000)
    button = fix.get_by_role("button", name=re.compile("Approve and apply"))
    expect(button).to_be_enabled()
    button.click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Approve", exact=True).click()


def breaks(page: Page) -> None:
    """Breaks the demo's workload by Chaos Mode."""
    page.get_by_role("link", name=re.compile("chaos", re.IGNORECASE)).first.click()
    page.get_by_role("button", name=re.compile("^Break it$")).first.click()
    page.get_by_role("alertdialog").get_by_role("button", name="Break it now").click()
