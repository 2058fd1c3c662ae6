"""Search in a terminal: what is asked, and what is printed."""

from __future__ import annotations

import io
from dataclasses import replace

import httpx
import msgspec
import pytest
from rich.console import Console

from copilot.domain.errors import BadInput, Unauthenticated, Unavailable
from copilot.domain.event import LogLine
from copilot.domain.search import Bar, Counted, Facet, Hit, HitKind
from copilot.roles.terminal import Asking, print_counts, print_lines, print_page
from copilot.roles.views import LogWindow, SearchView

HIT = Hit(
    kind=HitKind.LOG,
    ref="12:340",
    ts_us=1_795_000_000_000_000,
    title="Pod shop/checkout-1",
    snippet="batch flush failed",
    namespace="shop",
    app="checkout",
    level="error",
    score=0.0,
)
PAGE = SearchView(
    hits=[HIT], words=["flush"], next="p2", looked_back_to_us=0, scanned_lines=9, took_ms=1
)


def asking(answer: httpx.Response) -> tuple[Asking, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer

    transport = httpx.MockTransport(respond)
    return Asking(url="http://copilot", token="t-1", transport=transport), asked


def printed(page: SearchView | LogWindow | Counted) -> str:
    console = Console(file=io.StringIO(), width=200, highlight=False, force_terminal=False)
    match page:
        case SearchView():
            print_page(console, page)
        case LogWindow():
            print_lines(console, page)
        case Counted():
            print_counts(console, page)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_search_asks_the_api_with_the_token_of_a_person() -> None:
    copilot, asked = asking(httpx.Response(200, content=msgspec.json.encode(PAGE)))

    found = copilot.search("flush ns:shop", limit=5, after="p1")

    assert found == PAGE
    assert dict(asked[0].url.params) == {"q": "flush ns:shop", "limit": "5", "after": "p1"}
    assert asked[0].headers["authorization"] == "Bearer t-1"


@pytest.mark.parametrize(
    ("status", "error"), [(401, Unauthenticated), (422, BadInput), (500, Unavailable)]
)
def test_a_refusal_says_what_the_copilot_said(status: int, error: type[Exception]) -> None:
    copilot, _ = asking(httpx.Response(status, json={"detail": "level:loud is no level"}))

    with pytest.raises(error, match="level:loud is no level"):
        copilot.search("level:loud", limit=5, after="")


def test_a_page_says_where_it_goes_on() -> None:
    text = printed(PAGE)

    assert "2026-11-18T11:06:40 log      error shop/checkout" in text
    assert "batch flush failed  12:340" in text
    assert "further back: --after p2" in text


def test_no_control_character_reaches_the_terminal() -> None:
    hostile = replace(HIT, snippet="\x1b]0;owned\x07 \x9b31m red\rline", ref="1:\x1b[2J")

    text = printed(replace(PAGE, hits=[hostile]))

    assert not {c for c in text if not c.isprintable()} - {"\n"}


def test_a_line_is_shown_among_its_neighbours() -> None:
    lines = [
        LogLine(
            address=f"1:{n}", ts_us=HIT.ts_us + n, level="info", namespace="shop", app="checkout",
            pod="p", container="c", body=f"line {n}",
        )
        for n in range(3)
    ]  # fmt: skip

    text = printed(LogWindow(address="1:1", lines=lines))

    assert [row.split()[-1] for row in text.splitlines()] == ["0", "1", "2"]


def test_counts_say_where_they_are_not_whole() -> None:
    bars = tuple(Bar(ts_us=HIT.ts_us + n * 1_000_000, n=n, n_severe=0) for n in range(4))
    counted = Counted(
        kinds=(
            Facet(value="log", n=1204, is_least=True),
            Facet(value="event", n=0, is_least=False),
        ),
        namespaces=(Facet(value="shop", n=6, is_least=True),),
        apps=(),
        levels=(),
        bars=bars,
        bar_us=1_000_000,
        looked_back_to_us=HIT.ts_us,
        scanned_lines=1,
    )

    text = printed(counted)

    assert "log 1,204+" in text
    assert "event" not in text
    assert "lines before 2026-11-18T11:06:40 were not counted" in text
    assert " ▃▆█ " in text
