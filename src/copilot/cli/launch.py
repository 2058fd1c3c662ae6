"""What `up`, `serve` and `demo` run until they are stopped; only they import it."""

from __future__ import annotations

import asyncio
import secrets
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from copilot.cli.options import shown, tokens_of
from copilot.cli.process import fail

if TYPE_CHECKING:
    from copilot.ports import Embedder
    from copilot.roles.security import Tokens
    from copilot.settings import Settings


async def up(settings: Settings, *, demo: bool, gitops: bool, open_page: bool) -> None:
    from copilot.roles.app import ROLES, compose
    from copilot.roles.security import Doorkeeper
    from copilot.roles.serving import listen, run
    from copilot.wiring import traced, wired

    tokens, is_new = tokens_of(settings)
    bound = listen(settings.host, settings.port)
    url = f"{settings.scheme}://{shown(settings.host)}:{bound.getsockname()[1]}"
    async with asyncio.TaskGroup() as group:
        background: asyncio.Task[None] | None = None
        if demo:
            settings, background = await _start_demo(group, settings, url, tokens.sender, gitops)
        doorkeeper = Doorkeeper(
            tokens=tokens, user=settings.user, allowed_hosts=frozenset(settings.allowed_hosts)
        )
        try:
            async with (
                wired(
                    settings,
                    roles=ROLES,
                    agent_token=tokens.agent,
                    needs_cluster=True,
                    link_base=url,
                ) as parts,
                traced(settings, role="all", cluster=parts.cluster_name),
            ):
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
    task = group.create_task(demo(kubeconfig, 0, url, sender_token, started, repository))
    await started.wait()
    watched: dict[str, object] = {
        "kubeconfig": str(kubeconfig),
        "context": "demo",
        "cluster": "demo",
    }
    if repository is not None:
        watched |= {"delivery": FixDelivery.PULL_REQUEST, "git_url": repository.as_uri()}
    return settings.model_copy(update=watched), task


async def demo(
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


async def serve(settings: Settings, role: str) -> None:
    from copilot.roles.app import ACTING_ROLES, ROLES, compose
    from copilot.roles.security import Doorkeeper
    from copilot.roles.serving import listen, run
    from copilot.wiring import traced, wired

    if role not in ROLES:
        fail(f"there is no role {role!r}; choose one of {', '.join(ROLES)}")
    tokens, _ = tokens_of(settings)
    bound = listen(settings.host, settings.port)
    url = f"{settings.scheme}://{shown(settings.host)}:{bound.getsockname()[1]}"
    doorkeeper = Doorkeeper(
        tokens=tokens, user=settings.user, allowed_hosts=frozenset(settings.allowed_hosts)
    )
    async with (
        wired(
            settings,
            roles=(role,),
            agent_token=tokens.agent,
            needs_cluster=role in ACTING_ROLES,
            link_base=url,
        ) as parts,
        traced(settings, role=role, cluster=parts.cluster_name),
    ):
        running = compose([role], parts, doorkeeper, settings)
        await run(running, bound, lambda: typer.echo(f"{role} listens on {url}"))


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
        typer.echo(f"  sender token  {tokens.sender}   (again: incident-copilot token sender)")
        typer.echo(f"  state         {settings.data}")
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
