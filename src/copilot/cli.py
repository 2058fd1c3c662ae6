"""The command line: `incident-copilot up`, `serve ROLE`, `demo`, `token`, `schema`, `runbooks`."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import webbrowser
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from copilot.roles.security import Tokens
    from copilot.settings import Settings

app = typer.Typer(
    name="incident-copilot",
    help="The incident co-pilot for Kubernetes: cause, evidence, one dry-run fix, proof.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Data = Annotated[
    Path | None, typer.Option(help="Folder that holds all state.", show_default="~/.local/share/…")
]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig to watch.")]
Kubeconfig = Annotated[str | None, typer.Option(help="Path of the kubeconfig.")]
Cluster = Annotated[str | None, typer.Option(help="Name to give the watched cluster.")]


@app.command()
def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Watch a demo cluster made for this run.")
    ] = False,
    gitops: Annotated[
        bool,
        typer.Option(
            "--gitops", help="With --demo: make it from Git, and deliver fixes as pull requests."
        ),
    ] = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    cluster: Cluster = None,
    data: Data = None,
    port: Port = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Run everything in one process: with --demo, or on the cluster of your kubeconfig."""
    settings = _settings(
        data=data, port=port, context=context, kubeconfig=kubeconfig, cluster=cluster
    )
    if gitops and not demo:
        _fail("--gitops is a simulation of the demo; elsewhere set COPILOT_DELIVERY")
    _run(_up(settings, demo=demo, gitops=gitops, open_page=open_page))


@app.command()
def serve(
    role: Annotated[str, typer.Argument(help="gateway, ingestion, watcher or agent-…")],
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    cluster: Cluster = None,
    data: Data = None,
    port: Port = None,
) -> None:
    """Run one role by itself."""
    settings = _settings(
        data=data, port=port, context=context, kubeconfig=kubeconfig, cluster=cluster
    )
    _run(_serve(settings, role))


@app.command()
def demo(
    write_kubeconfig: Annotated[Path, typer.Option(help="Where to write the kubeconfig.")],
    port: Annotated[int, typer.Option(help="Port of its API server; 0 takes a free one.")] = 0,
    ingest_url: Annotated[
        str, typer.Option(help="Where its senders send logs and metrics; empty sends none.")
    ] = "",
    ingest_token: Annotated[str, typer.Option(help="The sender token for that.")] = "",
) -> None:
    """Run only the demo cluster: a small Kubernetes API with simulated workloads."""
    _run(_demo(write_kubeconfig, port, ingest_url, ingest_token))


@app.command()
def token(
    kind: Annotated[str, typer.Argument(help="access, sender or agent")] = "access",
    data: Data = None,
) -> None:
    """Show a token: of people (access), of senders, or of roles (agent)."""
    tokens, _ = _tokens(_settings(data=data))
    shown = {"access": tokens.access, "sender": tokens.sender, "agent": tokens.agent}
    if kind not in shown:
        _fail(f"there is no {kind!r} token; choose access, sender or agent")
    typer.echo(shown[kind])


schema_app = typer.Typer(help="Print the store's schema as SQL, or apply it.")
app.add_typer(schema_app, name="schema")


@schema_app.callback(invoke_without_command=True)
def schema(
    context: typer.Context,
    sqlite: Annotated[bool, typer.Option("--sqlite", help="SQLite's, not TiDB's.")] = False,
) -> None:
    """Print the store's schema as SQL: for TiDB and MariaDB, by any client."""
    if context.invoked_subcommand is None:
        from copilot.store.migrations import SQLITE, TIDB, schema_sql

        typer.echo(schema_sql(SQLITE if sqlite else TIDB), nl=False)


@schema_app.command("apply")
def schema_apply(data: Data = None) -> None:
    """Bring the schema of the store that is set up to date; again, it changes nothing."""
    _run(_schema_apply(_settings(data=data)))


@app.command()
def runbooks() -> None:
    """Print the runbooks as SQL, as in db/seed_runbooks.sql."""
    from copilot.agents.runbook import parse_runbook, seed_sql
    from copilot.wiring import runbook_folder

    parsed = [
        parse_runbook(path.stem, path.read_text(encoding="utf-8"), 0)
        for path in sorted(runbook_folder().glob("*.md"))
    ]
    typer.echo(seed_sql(parsed), nl=False)


@app.command()
def openapi() -> None:
    """Print the API's OpenAPI document; the UI's client is generated from it."""
    from copilot.roles.gateway import openapi_json

    typer.echo(openapi_json(), nl=False)


@app.command()
def settings() -> None:
    """Print every setting with its default and meaning, as Markdown."""
    from copilot.settings import describe

    typer.echo(describe(), nl=False)


@app.command()
def version() -> None:
    """Print the version."""
    from copilot import __version__

    typer.echo(__version__)


def main() -> None:
    """Entry point of `incident-copilot` and `icp`."""
    app()


# --------------------------------------------------------------------------- what they run


async def _schema_apply(settings: Settings) -> None:
    from copilot.wiring import SystemClock, opened_store

    store = await opened_store(settings, SystemClock())
    try:
        applied = await store.migrate()
        able = await store.capabilities()
    finally:
        await store.close()
    typer.echo(f"{able.kind} {able.version}: {', '.join(applied) or 'the schema is up to date'}")


async def _up(settings: Settings, *, demo: bool, gitops: bool, open_page: bool) -> None:
    from copilot.roles.app import ROLES, compose, listen, run
    from copilot.roles.security import Doorkeeper
    from copilot.wiring import wired

    tokens, is_new = _tokens(settings)
    bound = listen(settings.host, settings.port)
    url = f"http://{_shown(settings.host)}:{bound.getsockname()[1]}"
    async with asyncio.TaskGroup() as group:
        background: asyncio.Task[None] | None = None
        if demo:
            settings, background = await _start_demo(group, settings, url, tokens.sender, gitops)
        doorkeeper = Doorkeeper(
            tokens=tokens, user=settings.user, allowed_hosts=frozenset(settings.allowed_hosts)
        )
        try:
            async with wired(
                settings,
                roles=ROLES,
                agent_token=tokens.agent,
                needs_cluster=True,
                link_base=url,
            ) as parts:
                running = compose(ROLES, parts, doorkeeper, settings)

                def ready() -> None:
                    _announce(settings, url, tokens, parts.cluster_name, is_new, demo, open_page)

                await run(running, bound, ready)
        finally:
            if background is not None:
                background.cancel()


async def _start_demo(
    group: asyncio.TaskGroup, settings: Settings, url: str, sender_token: str, gitops: bool
) -> tuple[Settings, asyncio.Task[None]]:
    """The demo cluster beside us, and the settings that make us watch it."""
    from copilot.demo.gitops import seed
    from copilot.settings import FixDelivery

    kubeconfig = settings.data / "demo" / "kubeconfig"
    repository = (settings.data / "demo" / "cluster.git").absolute() if gitops else None
    if repository is not None:
        await seed(repository)
    started = asyncio.Event()
    task = group.create_task(_demo(kubeconfig, 0, url, sender_token, started, repository))
    await started.wait()
    watched: dict[str, object] = {
        "kubeconfig": str(kubeconfig),
        "context": "demo",
        "cluster": "demo",
    }
    if repository is not None:
        watched |= {"delivery": FixDelivery.PULL_REQUEST, "git_url": repository.as_uri()}
    return settings.model_copy(update=watched), task


async def _demo(
    kubeconfig: Path,
    port: int,
    ingest_url: str,
    ingest_token: str,
    started: asyncio.Event | None = None,
    repository: Path | None = None,
) -> None:
    from copilot.demo.cluster import kubeconfig as kubeconfig_text
    from copilot.demo.cluster import serve_demo
    from copilot.demo.gitops import reconcile
    from copilot.wiring import SystemClock

    api_token = secrets.token_urlsafe(24)

    def ready(url: str) -> None:
        kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        kubeconfig.write_text(kubeconfig_text(url, api_token))
        kubeconfig.chmod(0o600)
        if started is not None:
            started.set()
        else:
            typer.echo(f"demo cluster: {url}  (kubeconfig {kubeconfig})")

    async with asyncio.TaskGroup() as group:
        reconciling: list[asyncio.Task[None]] = []

        def serving(url: str) -> None:
            if repository is not None:
                work = reconcile(repository, api=url, token=api_token, clock=SystemClock())
                reconciling.append(group.create_task(work))
            ready(url)

        try:
            await serve_demo(
                host="127.0.0.1",
                port=port,
                clock=SystemClock(),
                token=api_token,
                ingest_url=ingest_url,
                ingest_token=ingest_token,
                on_ready=serving,
            )
        finally:
            for task in reconciling:
                task.cancel()


async def _serve(settings: Settings, role: str) -> None:
    from copilot.roles.app import ACTING_ROLES, ROLES, compose, listen, run
    from copilot.roles.security import Doorkeeper
    from copilot.wiring import wired

    if role not in ROLES:
        _fail(f"there is no role {role!r}; choose one of {', '.join(ROLES)}")
    tokens, _ = _tokens(settings)
    bound = listen(settings.host, settings.port)
    url = f"http://{_shown(settings.host)}:{bound.getsockname()[1]}"
    doorkeeper = Doorkeeper(
        tokens=tokens, user=settings.user, allowed_hosts=frozenset(settings.allowed_hosts)
    )
    async with wired(
        settings,
        roles=(role,),
        agent_token=tokens.agent,
        needs_cluster=role in ACTING_ROLES,
        link_base=url,
    ) as parts:
        running = compose([role], parts, doorkeeper, settings)
        await run(running, bound, lambda: typer.echo(f"{role} listens on {url}"))


def _announce(
    settings: Settings,
    url: str,
    tokens: Tokens,
    cluster: str,
    is_new: bool,
    demo: bool,
    open_page: bool,
) -> None:
    link = f"{url}/?token={tokens.access}"
    kind = "demo cluster" if demo else "cluster"
    typer.echo(f"Incident Co-Pilot watches the {kind} {cluster!r}")
    if is_new:
        typer.echo(f"  open          {link}")
        typer.echo(
            f"  sender token  {tokens.sender}   (both are shown once; state: {settings.data})"
        )
    else:
        typer.echo(f"  open          {url}   (sign-in token: incident-copilot token)")
    typer.echo("  stop          Ctrl-C")
    sys.stdout.flush()
    if open_page and sys.stdout.isatty() and _has_display():
        webbrowser.open(link)


def _has_display() -> bool:
    from copilot.settings import has_display

    return has_display()


def _shown(host: str) -> str:
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # only shown
    return f"[{name}]" if ":" in name else name


def _settings(**given: object) -> Settings:
    from pydantic import ValidationError

    from copilot.settings import Settings
    from copilot.telemetry import set_up_logging

    try:
        settings = Settings(**{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        _fail("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
    set_up_logging(settings.log_level)
    return settings


def _tokens(settings: Settings) -> tuple[Tokens, bool]:
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


def _run(work: Coroutine[object, object, None]) -> None:
    """Runs until done or asked to stop; expected errors are one line, not a traceback."""
    from copilot.domain.errors import CopilotError
    from copilot.roles.memory import reuse_large_buffers

    os.umask(0o077)  # what is stored is nobody else's to read
    reuse_large_buffers()
    try:
        asyncio.run(_until_signal(work))
    except KeyboardInterrupt:
        pass
    except BaseExceptionGroup as group:
        expected, rest = group.split((CopilotError, asyncio.CancelledError))
        if rest is not None:
            raise
        assert expected is not None
        _fail(str(_first(expected)))
    except CopilotError as error:
        _fail(error.message)


async def _until_signal(work: Coroutine[object, object, None]) -> None:
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)
