"""The command line: one module a kind of command, each with its options and what it runs.

Nothing here decides anything, and nothing heavy is imported before a command needs it: every
command starts in a blink, whatever else the product can do.
"""

from __future__ import annotations

from typing import Annotated

import typer

from copilot.cli import audit, schema, tokens
from copilot.cli.copies import backup, restore
from copilot.cli.printing import openapi, runbooks, settings, version
from copilot.cli.rights import rbac
from copilot.cli.running import demo, serve, up
from copilot.cli.searching import search
from copilot.cli.store import migrate, retention

COMMANDS = (
    *(up, serve, demo, search, runbooks),
    *(retention, migrate, backup, restore),
    *(openapi, settings, rbac, version),
)
"""In the order in which help shows them; groups follow."""

app = typer.Typer(
    name="incident-copilot",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        version()
        raise typer.Exit


@app.callback()
def incident_copilot(
    is_asked: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """The incident co-pilot for Kubernetes: cause, evidence, one dry-run fix, proof."""


for command in COMMANDS:
    app.command()(command)
app.add_typer(tokens.app, name="token")
app.add_typer(schema.app, name="schema")
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Entry point of `incident-copilot` and `icp`."""
    app()
