"""One co-pilot with its demo cluster for the tests of this folder, and a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import browser, signed_in
from tests.e2e.copilot_process import Copilot, a_process_a_role, up_with_demo

__all__ = ["browser"]

STARTS = {"one process": up_with_demo, "a process a role": a_process_a_role}


@pytest.fixture(scope="module")
def copilot(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copilot]:
    """In one process; in a process a role as well where a module asks for both."""
    starting = STARTS[getattr(request, "param", "one process")]
    with starting(tmp_path_factory.mktemp("copilot")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, copilot: Copilot) -> Iterator[Page]:
    with signed_in(browser, copilot) as page:
        yield page
