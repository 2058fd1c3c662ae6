"""`token`: how people, senders and roles get in."""

from __future__ import annotations

from typing import Annotated

import typer

from copilot.cli.options import Data, settings_from, tokens_of
from copilot.cli.process import fail


def token(
    kind: Annotated[str, typer.Argument(help="access, sender or agent")] = "access",
    data: Data = None,
) -> None:
    """Show a token: of people (access), of senders, or of roles (agent)."""
    tokens, _ = tokens_of(settings_from(data=data))
    shown = {"access": tokens.access, "sender": tokens.sender, "agent": tokens.agent}
    if kind not in shown:
        fail(f"there is no {kind!r} token; choose access, sender or agent")
    typer.echo(shown[kind])
