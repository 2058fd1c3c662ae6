"""What is printed from the code: runbooks, the API, settings, the version."""

from __future__ import annotations

import typer


def runbooks() -> None:
    """Print the runbooks as SQL, as in db/seed_runbooks.sql."""
    from copilot.agents.runbook import parse_runbook, seed_sql
    from copilot.wiring import runbook_folder

    parsed = [
        parse_runbook(path.stem, path.read_text(encoding="utf-8"), 0)
        for path in sorted(runbook_folder().glob("*.md"))
    ]
    typer.echo(seed_sql(parsed), nl=False)


def openapi() -> None:
    """Print the API's OpenAPI document; the UI's client is generated from it."""
    from copilot.roles.gateway import openapi_json

    typer.echo(openapi_json(), nl=False)


def settings() -> None:
    """Print every setting with its default and meaning, as Markdown."""
    from copilot.settings import describe

    typer.echo(describe(), nl=False)


def version() -> None:
    """Print the version."""
    from copilot import __version__

    typer.echo(__version__)
