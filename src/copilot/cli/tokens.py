"""`token`: how people, senders and roles get in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from copilot.cli.options import Data, settings_from, shown, tokens_of
from copilot.cli.process import fail, run
from copilot.cli.store import existing_store

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from copilot.domain.people import Token
    from copilot.settings import Settings

app = typer.Typer(help="Show, make and revoke access tokens.")


@app.callback(invoke_without_command=True)
def token(context: typer.Context, data: Data = None) -> None:
    """Show the access token of this machine; or make, list and revoke those of people and senders."""
    if context.invoked_subcommand is None:
        _show("access", data)


@app.command()
def access(data: Data = None) -> None:
    """Show the token of people that was made at first start."""
    _show("access", data)


@app.command()
def sender(data: Data = None) -> None:
    """Show the token of senders that was made at first start."""
    _show("sender", data)


@app.command()
def agent(data: Data = None) -> None:
    """Show the token between roles."""
    _show("agent", data)


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Whose it is; approvals record it.")] = "",
    role: Annotated[str, typer.Option(help="viewer, responder or admin.")] = "",
    sender: Annotated[
        str, typer.Option(help="Instead of --name and --role: what sends, such as fluent-bit.")
    ] = "",
    expires: Annotated[
        str, typer.Option(help="After how long, as 8h or 30d; without it never.")
    ] = "",
    data: Data = None,
) -> None:
    """Make a token for a person or a sender and print it, once."""
    if bool(sender) == bool(name or role) or bool(name) != bool(role):
        fail("give --name and --role for a person, or --sender for what sends")
    run(_create(settings_from(data=data), name or sender, role, expires))


@app.command("list")
def made(data: Data = None) -> None:
    """List the tokens that were made: whose, since when, last used."""
    run(_list(settings_from(data=data)))


@app.command()
def revoke(
    which: Annotated[str, typer.Argument(help="Its id, or whose it is.")], data: Data = None
) -> None:
    """Close a token for good, and sign out everybody who came in with it."""
    run(_revoke(settings_from(data=data), which))


@app.command("sign-out")
def sign_out(
    name: Annotated[str, typer.Argument(help="Whom, as the audit log names them.")],
    data: Data = None,
) -> None:
    """Sign a person out of every browser; they may sign in again where they still can."""
    run(_sign_out(settings_from(data=data), name))


def _show(kind: str, data: Path | None) -> None:
    tokens, _ = tokens_of(settings_from(data=data))
    typer.echo({"access": tokens.access, "sender": tokens.sender, "agent": tokens.agent}[kind])


async def _create(settings: Settings, name: str, role: str, expires: str) -> None:
    from copilot.domain.people import Role
    from copilot.roles import handing_out
    from copilot.wiring import SystemClock, opened_store

    if role and role not in tuple(Role):
        fail(f"there is no role {role!r}; choose one of {', '.join(Role)}")
    clock = SystemClock()
    store = await opened_store(settings, clock)
    try:
        await store.migrate()
        _, secret = await handing_out.create(
            store,
            clock,
            name=name,
            role=Role(role) if role else None,
            expires=expires,
            actor=f"{settings.user} by command",
        )
    finally:
        await store.close()
    typer.echo(secret)
    if role:
        base = settings.public_url or f"{settings.scheme}://{shown(settings.host)}:{settings.port}"
        typer.echo(f"open {base.rstrip('/')}/?token={secret}", err=True)
    typer.echo("It is shown this once, and kept nowhere.", err=True)


async def _list(settings: Settings) -> None:
    from rich.console import Console

    from copilot.wiring import SystemClock

    store = await existing_store(settings)
    try:
        async with store.view() as view:
            tokens = await view.accounts.tokens()
    finally:
        await store.close()
    Console().print(_table(tokens, SystemClock().now_us()))


def _table(tokens: tuple[Token, ...], now_us: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    from copilot.roles.handing_out import day

    table = Table("id", "name", "role", "made", "by", "last used", "state", box=None)
    for token in tokens:
        cells = (
            token.id,
            token.name,
            token.role or token.kind,
            day(token.created_us),
            token.created_by,
            day(token.used_us) if token.used_us else "never",
            _state(token, now_us),
        )
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def _state(token: Token, now_us: int) -> str:
    from copilot.roles.handing_out import day, until

    if token.revoked_us is not None:
        return f"revoked {day(token.revoked_us)}"
    return until(token) if token.opens_at(now_us) else "expired"


async def _revoke(settings: Settings, which: str) -> None:
    from copilot.roles import handing_out
    from copilot.wiring import SystemClock

    store = await existing_store(settings)
    try:
        actor = f"{settings.user} by command"
        gone = await handing_out.revoke(store, SystemClock(), which=which, actor=actor)
    finally:
        await store.close()
    typer.echo(
        f"revoked {gone.id} of {gone.name}; it opens nothing any more within "
        f"{handing_out.effective_after_s()} s"
    )


async def _sign_out(settings: Settings, name: str) -> None:
    from copilot.roles import handing_out
    from copilot.wiring import SystemClock

    store = await existing_store(settings)
    try:
        actor = f"{settings.user} by command"
        n_ended = await handing_out.sign_out(store, SystemClock(), name=name, actor=actor)
    finally:
        await store.close()
    typer.echo(
        f"ended {n_ended} sign-ins of {name}; they open nothing any more within "
        f"{handing_out.effective_after_s()} s"
    )
