"""`search`: what the search page does, in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from copilot.cli.options import Data, Port, settings_from, shown, tokens_of
from copilot.cli.process import fail

if TYPE_CHECKING:
    from copilot.settings import Settings


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(help='Words and operators, as on the search page: oom ns:shop "exact".'),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="Hits.")] = 20,
    after: Annotated[str, typer.Option(help="Go on where a page ended.")] = "",
    counts: Annotated[bool, typer.Option("--counts", help="Show how the hits spread.")] = False,
    line: Annotated[str, typer.Option(help="Show a line (12:340) among its neighbours.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print what the API says.")] = False,
    url: Annotated[
        str, typer.Option(help="Of the co-pilot.", show_default="http://127.0.0.1:PORT")
    ] = "",
    data: Data = None,
    port: Port = None,
) -> None:
    """Search what a running co-pilot knows; ends with 1 where nothing is found."""
    from copilot.domain.errors import CopilotError

    settings = settings_from(data=data, port=port)
    try:
        is_found = _search(
            settings, " ".join(words or ()), limit, after, counts, line, as_json, url
        )
    except CopilotError as error:
        fail(error.message)
    raise typer.Exit(0 if is_found else 1)


def _search(
    settings: Settings,
    q: str,
    limit: int,
    after: str,
    counts: bool,
    line: str,
    as_json: bool,
    url: str,
) -> bool:
    """Whether there was anything to print."""
    import msgspec
    from rich.console import Console

    from copilot.roles.terminal import Asking, print_counts, print_lines, print_page
    from copilot.roles.views import LogWindow

    tokens, _ = tokens_of(settings)
    asking = Asking(
        url=url or f"http://{shown(settings.host)}:{settings.port}", token=tokens.access
    )
    console = Console(highlight=False)
    answer = asking.lines_at(line) if line else asking.search(q, limit=limit, after=after)
    counted = asking.counts(q) if counts and not line else None
    if as_json:
        typer.echo(msgspec.json.encode(counted or answer))
    elif isinstance(answer, LogWindow):
        print_lines(console, answer)
    else:
        print_page(console, answer)
        if counted:
            print_counts(console, counted)
    return bool(answer.lines if isinstance(answer, LogWindow) else answer.hits)
