"""One co-pilot with its demo cluster for the tests of this folder, and a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.copilot_process import Copilot, a_process_a_role, up_with_demo

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ARTIFACTS = Path(__file__).parents[2] / "artifacts"


STARTS = {"one process": up_with_demo, "a process a role": a_process_a_role}


@pytest.fixture(scope="module")
def copilot(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copilot]:
    """In one process; in a process a role as well where a module asks for both."""
    starting = STARTS[getattr(request, "param", "one process")]
    with starting(tmp_path_factory.mktemp("copilot")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    assert path, "Chromium is missing: run `make chromium`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, copilot: Copilot) -> Iterator[Page]:
    """Signed in, at 1440 x 900, with every console error remembered in `page.errors`."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.goto(f"{copilot.url}/?token={copilot.tokens['access']}")
    yield page
    context.close()
    assert errors == []
