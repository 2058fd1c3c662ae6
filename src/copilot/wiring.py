"""Where adapters meet ports: what a role needs, built from the settings and taken down again."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import copilot
from copilot.agents.runbook import parse_runbook
from copilot.detect.rules import RULES
from copilot.domain.errors import CopilotError, Invalid, Unavailable
from copilot.domain.notification import Channel
from copilot.flow import Flow
from copilot.journal import Journal
from copilot.local import LocalAgents, ThroughGit
from copilot.ports import Agents, Clock, Cluster, GitHost, LanguageModel, Notifier, Store
from copilot.remediate.freezes import parse_freeze
from copilot.remediate.policy import KINDS, Policy, parse_guardrail
from copilot.remediate.policy import Mode as PolicyMode
from copilot.remote import RemoteAgents
from copilot.settings import FixDelivery, Settings
from copilot.store import SqlStore, open_store


class SystemClock:
    """The machine's own time."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What roles are made of."""

    store: Store
    clock: Clock
    cluster: Cluster | None
    cluster_name: str
    agents: Agents
    flow: Flow
    owner: str
    model: LanguageModel | None


@asynccontextmanager
async def wired(
    settings: Settings,
    *,
    roles: Collection[str],
    agent_token: str,
    needs_cluster: bool,
    clock: Clock | None = None,
    link_base: str = "",
) -> AsyncIterator[Parts]:
    """Everything a role needs; closed on the way out.

    Raises:
        Unavailable: the store or, where it is needed, the cluster cannot be reached.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        store = await opened_store(settings, clock)
        stack.push_async_callback(store.close)
        await store.migrate()
        await _sync_runbooks(store, clock)
        cluster, name = None, settings.cluster
        if not needs_cluster and not settings.cluster:
            raise Invalid("this role does not ask the cluster for its name: set COPILOT_CLUSTER")
        if needs_cluster:
            cluster, name = await _watched(settings, clock, stack)
        model = _model(settings)
        git = _git(settings, stack) if _REMEDIATOR in roles else None
        notifiers, policy = _notifiers(settings), policy_of(settings)
        local = LocalAgents(
            store=store,
            clock=clock,
            cluster=cluster,
            policy=policy,
            model=model,
            notifiers=notifiers,
            git=git,
        )
        agents = RemoteAgents(
            urls=_agents_elsewhere(settings, roles), token=agent_token, local=local
        )
        stack.push_async_callback(agents.close)
        owner = f"{socket.gethostname()}:{os.getpid()}"
        flow = Flow(
            store=store,
            agents=agents,
            clock=clock,
            journal=Journal(
                cluster=name,
                channels=tuple(notifiers),
                link_base=settings.public_url or link_base,
            ),
            rules=RULES,
            cluster=cluster,
            owner=owner,
            policy=policy,
            git=git.host if git else None,
        )
        yield Parts(
            store=store,
            clock=clock,
            cluster=cluster,
            cluster_name=name,
            agents=agents,
            flow=flow,
            owner=owner,
            model=model,
        )


async def opened_store(settings: Settings, clock: Clock) -> SqlStore:
    """The store that the settings name; its schema may not be up to date.

    Raises:
        Invalid: they make no sense.
        Unavailable: it cannot be reached.
    """
    url = settings.store.get_secret_value()
    if url.startswith("sqlite:") and (url != "sqlite:" or not settings.tidb_host):
        path = url.removeprefix("sqlite:")
        return await open_store(Path(path or settings.data / "copilot.db"), clock=clock)
    from copilot.store import mysql  # only who has a server pays for its client

    if url != "sqlite:":
        return await mysql.open_store(mysql.parse_address(url), clock=clock)
    address = mysql.Address(
        host=settings.tidb_host,
        port=settings.tidb_port,
        user=settings.tidb_user,
        password=settings.tidb_password.get_secret_value(),
        database=settings.tidb_db,
        authority=Path(settings.tidb_ca) if settings.tidb_ca else None,
    )
    return await mysql.open_store(address, clock=clock)


_REMEDIATOR = "agent-remediator"
"""The one role that may change anything, and so the one that has the Git host's token."""

_NO_CLUSTER = (
    "Does `kubectl get nodes` answer with it? Choose another with --context or --kubeconfig, or "
    "try the demo cluster: incident-copilot up --demo"
)


async def _watched(settings: Settings, clock: Clock, stack: AsyncExitStack) -> tuple[Cluster, str]:
    """The cluster and what it is called.

    Raises:
        Unavailable: the settings lead to none, with what to do.
    """
    try:
        cluster = await _connected(settings, clock, stack)
        return cluster, settings.cluster or (await cluster.info()).name
    except CopilotError as error:
        raise Unavailable(f"{error.message.rstrip('.')}. {_NO_CLUSTER}") from error


async def _connected(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Cluster:
    from copilot.kube import connect  # its client costs 0.3 s and 55 MiB

    files = [Path(part).expanduser() for part in settings.kubeconfig.split(os.pathsep) if part]
    if files and not any(file.is_file() for file in files):
        raise Invalid(f"there is no kubeconfig {settings.kubeconfig}")
    cluster = await connect(
        kubeconfig=settings.kubeconfig or None,
        context=settings.context or None,
        name=settings.cluster or None,
        clock=clock,
    )
    stack.push_async_callback(cluster.close)
    return cluster


def _model(settings: Settings) -> LanguageModel | None:
    """The language model, where one is set."""
    if settings.openai_api_key is None and not settings.openai_base_url:
        return None
    from copilot.llm import OpenAICompatible  # only who has a model pays for its client

    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else ""
    return OpenAICompatible(
        base_url=settings.openai_base_url,
        api_key=key,
        model=settings.openai_model,
        timeout_s=settings.model_timeout,
    )


def _git(settings: Settings, stack: AsyncExitStack) -> ThroughGit | None:
    """Where pull requests go, where fixes are to be some.

    Raises:
        Invalid: the settings lead to no repository, with what to do.
    """
    if settings.delivery is FixDelivery.PATCH:
        return None
    return ThroughGit(
        host=_git_host(settings, stack),
        base=settings.git_branch,
        root=settings.git_path,
        only_managed=settings.delivery is FixDelivery.AUTO,
    )


def _git_host(settings: Settings, stack: AsyncExitStack) -> GitHost:
    address = urlsplit(settings.git_url)
    if address.scheme == "file":
        from copilot.githost.local import LocalGitHost

        return LocalGitHost(Path(address.path))
    if address.username or address.password:
        raise Invalid("COPILOT_GIT_URL must not hold credentials; set COPILOT_GIT_TOKEN")
    if address.scheme != "https" or not address.hostname or settings.git_token is None:
        raise Invalid(
            f"delivery {settings.delivery} needs COPILOT_GIT_URL as https://host/owner/name, and "
            "COPILOT_GIT_TOKEN"
        )
    from copilot.githost.rest_hosts import connect

    host = connect(
        kind=settings.git_host.value,
        address=address,
        api=settings.git_api_url,
        token=settings.git_token.get_secret_value(),
    )
    stack.push_async_callback(host.close)
    return host


def _notifiers(settings: Settings) -> dict[Channel, Notifier]:
    """The channels that are set up."""
    found: dict[Channel, Notifier] = {}
    if settings.slack_webhook_url is not None:
        from copilot.notify.slack import SlackWebhook

        found[Channel.SLACK] = SlackWebhook(settings.slack_webhook_url.get_secret_value())
    if settings.jira_url and settings.jira_token is not None:
        from copilot.notify.jira import JiraIssue

        found[Channel.JIRA] = JiraIssue(
            url=settings.jira_url,
            project=settings.jira_project,
            user=settings.jira_user,
            token=settings.jira_token.get_secret_value(),
        )
    return found


def _agents_elsewhere(settings: Settings, roles: Collection[str]) -> dict[str, str]:
    """Where to ask the agents that this process does not play itself."""
    urls = {
        "context": settings.context_url,
        "detective": settings.detective_url,
        "runbook": settings.runbook_url,
        "remediator": settings.remediator_url,
        "reporter": settings.reporter_url,
    }
    return {agent: url for agent, url in urls.items() if f"agent-{agent}" not in roles}


def policy_of(settings: Settings) -> Policy:
    """What may be changed, and who must say so.

    Raises:
        Invalid: a guardrail, an action or a freeze makes no sense; nobody may take it for set.
    """
    allowed = frozenset(settings.allowed_actions) or KINDS
    if unknown := ", ".join(sorted(allowed - KINDS)):
        raise Invalid(f"COPILOT_ALLOWED_ACTIONS names no action of ours: {unknown}")
    return Policy(
        mode=PolicyMode(settings.mode.value),
        allowed=allowed,
        guardrails=tuple(map(parse_guardrail, settings.guardrails)),
        wants_second_approver=settings.second_approver,
        protected_namespaces=frozenset(settings.protected_namespaces),
        freezes=tuple(map(parse_freeze, settings.freezes)),
        lifetime_s=settings.approval_lifetime,
    )


def runbook_folder() -> Path:
    """Our own runbooks: inside the installed package, in `docs/` of a checkout."""
    package = Path(copilot.__file__).parent
    shipped = package / "runbooks"
    return shipped if shipped.is_dir() else package.parents[1] / "docs" / "runbooks"


async def _sync_runbooks(store: Store, clock: Clock) -> None:
    runbooks = [
        parse_runbook(path.stem, path.read_text(encoding="utf-8"), clock.now_us())
        for path in sorted(runbook_folder().glob("*.md"))
    ]
    async with store.transaction() as tx:
        await tx.runbooks.sync(runbooks)
