"""Options that several commands have, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copilot.cli.process import fail

if TYPE_CHECKING:
    from copilot.roles.security import Tokens
    from copilot.settings import Settings

Data = Annotated[
    Path | None, typer.Option(help="Folder that holds all state.", show_default="~/.local/share/…")
]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig to watch.")]
Kubeconfig = Annotated[str | None, typer.Option(help="Path of the kubeconfig.")]
Cluster = Annotated[str | None, typer.Option(help="Name to give the watched cluster.")]


def settings_from(**given: object) -> Settings:
    """The settings, of which those given on the command line win; logging is set up by them."""
    from pydantic import ValidationError

    from copilot.settings import Settings
    from copilot.telemetry import set_up_logging

    try:
        settings = Settings(**{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        fail("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
    set_up_logging(
        settings.log_level,
        is_json=None if settings.log_format == "auto" else settings.log_format == "json",
    )
    return settings


def tokens_of(settings: Settings) -> tuple[Tokens, bool]:
    """The tokens, and whether they were made just now."""
    from copilot.roles.security import load_tokens

    given = {
        "access": settings.access_token,
        "sender": settings.sender_token,
        "agent": settings.agent_token,
    }
    return load_tokens(
        settings.data / "tokens.json",
        {kind: secret.get_secret_value() if secret else None for kind, secret in given.items()},
    )


def shown(host: str) -> str:
    """A host as it stands in an address that people open."""
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # only shown
    return f"[{name}]" if ":" in name else name
