"""The command line: `incident-copilot up`, `serve ROLE`, `search`, `demo`, `token`, `schema`, `runbooks`."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import sys
import webbrowser
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rich.progress import TaskID

    from copilot.ports import Embedder
    from copilot.roles.security import Tokens
    from copilot.settings import Settings
    from copilot.store import SqlStore

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

    settings = _settings(data=data, port=port)
    try:
        is_found = _search(
            settings, " ".join(words or ()), limit, after, counts, line, as_json, url
        )
    except CopilotError as error:
        _fail(error.message)
    raise typer.Exit(0 if is_found else 1)


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
def retention(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would go; changes nothing.")
    ] = False,
    compact: Annotated[
        bool,
        typer.Option(
            "--compact",
            help="Then write the SQLite file anew without its free space: takes as much free disk "
            "as the file has, and whoever writes waits.",
        ),
    ] = False,
    data: Data = None,
) -> None:
    """Retire now what is older or more than is kept (COPILOT_RETENTION_*), as a running co-pilot
    does every hour by itself."""
    if dry_run and compact:
        _fail("--dry-run changes nothing, so there is nothing to --compact")
    _run(_retention(_settings(data=data), is_dry=dry_run, compacts=compact))


@app.command()
def migrate(
    source: Annotated[
        str,
        typer.Option("--from", help="sqlite:PATH, or a server as in COPILOT_STORE."),
    ] = "sqlite:",
    target: Annotated[
        str,
        typer.Option(
            "--to", help="The same; without it the store that COPILOT_STORE or TIDB_HOST names."
        ),
    ] = "",
    data: Data = None,
) -> None:
    """Copy a whole store into an empty one, of whatever kind: SQLite, TiDB, MariaDB, MySQL.

    Stop the co-pilot that uses the source first. Ids and addresses stay as they are. A copy that
    was cut off goes on where it was; at the end every table is read back and compared. A password
    is better given in COPILOT_STORE or TIDB_PASSWORD than in --to, where others may see it.
    """
    _run(_migrate(_settings(data=data), source, target))


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
def rbac(
    namespace: Annotated[
        list[str] | None,
        typer.Option(help="Let agent-remediator write in this namespace. May be repeated."),
    ] = None,
    opted_in: Annotated[
        bool,
        typer.Option(
            "--opted-in",
            help="The same for every namespace labelled incident-copilot.io/remediation=enabled.",
        ),
    ] = False,
    nodes: Annotated[bool, typer.Option("--nodes", help="Let it cordon nodes, too.")] = False,
    action: Annotated[
        list[str] | None,
        typer.Option(help="Only what this action takes, such as set_memory. May be repeated."),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(help="Let the watcher see that NAMESPACE/NAME changed. May be repeated."),
    ] = None,
    kubelet_usage: Annotated[
        bool,
        typer.Option("--kubelet-usage", help="Let the watcher ask kubelets what is used."),
    ] = False,
    installed_in: Annotated[
        str, typer.Option(help="The namespace of the service accounts.")
    ] = "incident-copilot",
    table: Annotated[
        bool, typer.Option("--table", help="Print the table of docs/rights.md instead.")
    ] = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print service accounts and rights as manifests: without options what reading takes, else
    exactly what is asked for."""
    from copilot.domain.errors import CopilotError
    from copilot.kube import manifests

    if table:
        typer.echo(manifests.rights_table(), nl=False)
        return
    try:
        chosen = list(namespace or ())
        if opted_in:
            settings = _settings(context=context, kubeconfig=kubeconfig)
            chosen += asyncio.run(_opted_in(settings))
        printed: list[str] = []
        if chosen or nodes:
            printed.append(
                manifests.remediation_manifest(
                    chosen, nodes=nodes, actions=action or (), installed_in=installed_in
                )
            )
        if secret:
            named = [manifests.secret_named(one) for one in secret]
            printed.append(manifests.secrets_manifest(named, installed_in=installed_in))
        if kubelet_usage:
            printed.append(manifests.kubelet_manifest(installed_in))
        if not printed and not opted_in:
            printed.append(manifests.base_manifest(installed_in))
    except CopilotError as error:
        _fail(error.message)
    typer.echo("---\n".join(printed), nl=False)


@app.command()
def version() -> None:
    """Print the version."""
    from copilot import __version__

    typer.echo(__version__)


def main() -> None:
    """Entry point of `incident-copilot` and `icp`."""
    app()


# --------------------------------------------------------------------------- what they run


async def _opted_in(settings: Settings) -> list[str]:
    """The namespaces that are labelled so."""
    from copilot.kube.manifests import OPT_IN_LABEL, OPTED_IN
    from copilot.wiring import SystemClock, labelled_namespaces

    return await labelled_namespaces(settings, SystemClock(), f"{OPT_IN_LABEL}={OPTED_IN}")


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

    tokens, _ = _tokens(settings)
    asking = Asking(
        url=url or f"http://{_shown(settings.host)}:{settings.port}", token=tokens.access
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
                    search = _search_by(parts.embedder)
                    _announce(
                        settings, url, tokens, parts.cluster_name, search, is_new, demo, open_page
                    )

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


async def _existing_store(settings: Settings) -> SqlStore:
    """The store that the settings name; a file that is not there is not made."""
    from copilot.wiring import SystemClock, file_of, opened_store

    url = settings.store.get_secret_value()
    if url.startswith("sqlite:") and not (url == "sqlite:" and settings.tidb_host):
        path = file_of(url, settings)
        if not path.exists():
            _fail(f"there is no store {path}; name its folder with --data")
    return await opened_store(settings, SystemClock())


async def _migrate(settings: Settings, source: str, target: str) -> None:
    from pydantic import SecretStr
    from rich.console import Console
    from rich.progress import Progress

    from copilot.roles.reports import copied_table
    from copilot.wiring import SystemClock, opened_store

    # TIDB_HOST names the target: a source is said whole.
    given = settings.model_copy(update={"store": SecretStr(source), "tidb_host": ""})
    wanted = settings.model_copy(update={"store": SecretStr(target)} if target else {})
    if wanted.store == given.store and not wanted.tidb_host:
        _fail("from where to where? Name the target with --to, COPILOT_STORE or TIDB_HOST")
    async with AsyncExitStack() as stack:
        reading = await _existing_store(given)
        stack.push_async_callback(reading.close)
        writing = await opened_store(wanted, SystemClock())
        stack.push_async_callback(writing.close)
        with Progress() as shown:
            bars: dict[str, TaskID] = {}

            def step(table: str, n: int, total: int) -> None:
                if table not in bars:
                    bars[table] = shown.add_task(table, total=total)
                shown.update(bars[table], completed=n)

            try:
                copied = await writing.take_all(
                    reading, name=_without_password(source), on_step=step
                )
            except asyncio.CancelledError:
                _fail("cut off; the same command goes on where it was")
    Console().print(copied_table(copied))


def _without_password(url: str) -> str:
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1@", url)


async def _retention(settings: Settings, *, is_dry: bool, compacts: bool) -> None:
    from rich.console import Console

    from copilot.roles.reports import retention_table
    from copilot.wiring import retention_of

    policy = retention_of(settings)
    store = await _existing_store(settings)
    try:
        await store.migrate()
        found = await store.retire(policy, is_dry=is_dry)
        Console().print(retention_table(policy, found, is_dry=is_dry))
        if compacts:
            typer.echo(f"the store is {await store.compact() / (1 << 20):,.1f} MiB smaller")
    finally:
        await store.close()


def _announce(
    settings: Settings,
    url: str,
    tokens: Tokens,
    cluster: str,
    search: str,
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
    typer.echo(f"  search        {search}")
    typer.echo("  stop          Ctrl-C")
    sys.stdout.flush()
    if open_page and sys.stdout.isatty() and _has_display():
        webbrowser.open(link)


def _search_by(embedder: Embedder) -> str:
    """By what search finds, and why not by more."""
    if embedder.name:
        return f"by words and by meaning ({embedder.about})"
    return f"by words alone: {embedder.about}"


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
    from copilot.roles.memory import look_less_for_cycles, reuse_large_buffers

    os.umask(0o077)  # what is stored is nobody else's to read
    reuse_large_buffers()
    look_less_for_cycles()
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
