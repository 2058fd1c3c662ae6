"""Search in a terminal: asks a running co-pilot, which has everything at hand, and prints.

What was logged is hostile text, too: no control character of it reaches the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import httpx
import msgspec
from rich.console import Console
from rich.text import Text

from copilot.domain.errors import BadInput, NotFound, Unauthenticated, Unavailable
from copilot.domain.event import LogLine
from copilot.domain.search import Counted, Facet, Hit, HitKind
from copilot.roles.views import LogWindow, SearchCountsView, SearchView

TIMEOUT_S = 30.0
_NEIGHBOURS = 10
_BLOCKS = " ▁▂▃▄▅▆▇█"
_STYLE = {"fatal": "bold red", "error": "red", "warn": "yellow", "debug": "dim", "trace": "dim"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Reads of a co-pilot's API.

    Raises (all): BadInput, NotFound, Unauthenticated, Unavailable.
    """

    url: str
    token: str
    transport: httpx.BaseTransport | None = None

    def search(self, q: str, *, limit: int, after: str) -> SearchView:
        """A page of hits."""
        return self._get("/api/search", SearchView, q=q, limit=limit, after=after)

    def counts(self, q: str) -> Counted:
        """How the hits spread."""
        return self._get("/api/search/counts", SearchCountsView, q=q).counted

    def lines_at(self, address: str) -> LogWindow:
        """A line among its neighbours."""
        around = {"before": _NEIGHBOURS, "after": _NEIGHBOURS}
        return self._get("/api/logs", LogWindow, address=address, **around)

    def _get(self, path: str, kind: type[T], **params: str | int) -> T:
        try:
            with httpx.Client(
                base_url=self.url,
                headers={"authorization": f"Bearer {self.token}"},
                timeout=TIMEOUT_S,
                transport=self.transport,
            ) as client:
                response = client.get(path, params=params)
        except httpx.HTTPError as failure:
            raise Unavailable(
                f"no co-pilot answers at {self.url} ({failure}); start it with "
                "`incident-copilot up`, or say --url"
            ) from failure
        if response.status_code == httpx.codes.OK:
            return msgspec.json.decode(response.content, type=kind)
        raise _error_of(response)


def _error_of(response: httpx.Response) -> BadInput | NotFound | Unauthenticated | Unavailable:
    try:
        said = str(msgspec.json.decode(response.content)["detail"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        said = f"the co-pilot answered {response.status_code}"
    match response.status_code:
        case 401 | 403:
            return Unauthenticated(f"{said}; the token is that of `incident-copilot token`")
        case 404:
            return NotFound(said)
        case code if code < 500:
            return BadInput(said)
        case _:
            return Unavailable(said)


# --------------------------------------------------------------------------- printing


def print_page(console: Console, found: SearchView) -> None:
    """The hits, one a line, and how far was looked."""
    for hit in found.hits:
        console.print(_hit(hit, found.words), soft_wrap=True)
    if found.looked_back_to_us:
        console.print(f"lines were looked at back to {_time(found.looked_back_to_us)}", style="dim")
    if found.next:
        console.print(f"further back: --after {found.next}", style="dim")
    if not found.hits:
        console.print("nothing found" if not found.next else "nothing found so far")


def print_counts(console: Console, counted: Counted) -> None:
    """Hits over time as a row of bars, then the facets."""
    if counted.bars:
        most = max(bar.n for bar in counted.bars) or 1
        bars = "".join(_BLOCKS[-(-bar.n * (len(_BLOCKS) - 1) // most)] for bar in counted.bars)
        last_us = counted.bars[-1].ts_us + counted.bar_us
        console.print(f"{_time(counted.bars[0].ts_us)} {bars} {_time(last_us)}")
    for name, facets in (
        ("kind", counted.kinds),
        ("level", counted.levels),
        ("namespace", counted.namespaces),
        ("app", counted.apps),
    ):
        if shown := _facets(facets):
            console.print(Text.assemble((f"{name:<10}", "dim"), shown), soft_wrap=True)
    if counted.looked_back_to_us:
        since = _time(counted.looked_back_to_us)
        console.print(f"+ means: lines before {since} were not counted", style="dim")


def print_lines(console: Console, window: LogWindow) -> None:
    """A line among its neighbours, marked."""
    for line in window.lines:
        console.print(_line(line, is_wanted=line.address == window.address), soft_wrap=True)


def _hit(hit: Hit, words: Sequence[str]) -> Text:
    place = "/".join(part for part in (hit.namespace, hit.app) if part and part != "*")
    said = hit.snippet if hit.kind is HitKind.LOG and hit.snippet else hit.title
    text = Text(plain(said))
    text.highlight_words([plain(word) for word in words], style="bold", case_sensitive=False)
    about = (_level(hit.level), " ", (f"{plain(place):<24}", "cyan"), " ")
    return Text.assemble(
        (f"{_time(hit.ts_us):<19} ", "dim"), (f"{hit.kind:<8} ", "dim"), *about, text, "  ",
        (plain(hit.ref), "dim"),
    )  # fmt: skip


def _line(line: LogLine, *, is_wanted: bool) -> Text:
    text = Text.assemble(
        (f"{line.address:>12} {_time(line.ts_us)} ", "dim"), _level(line.level), " ",
        plain(line.body),
    )  # fmt: skip
    if is_wanted:
        text.stylize("reverse")
    return text


def _level(level: str) -> tuple[str, str]:
    return f"{level:<5}", _STYLE.get(level, "")


def _facets(facets: Iterable[Facet]) -> str:
    shown = (f"{plain(f.value)} {f.n:,}{'+' if f.is_least else ''}" for f in facets if f.n)
    return "  ".join(shown)


def _time(ts_us: int) -> str:
    if ts_us <= 0:
        return ""
    return datetime.fromtimestamp(ts_us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def plain(text: str) -> str:
    """What a terminal may be shown of a text that others wrote."""
    return "".join(c if c.isprintable() else " " for c in text)
