"""Where adapters meet ports: what a role needs, built from the settings and taken down again."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import ssl
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

import copilot
from copilot.agents.runbook import parse_runbook
from copilot.detect.rules import RULES
from copilot.domain.errors import CopilotError, Invalid, Unavailable
from copilot.domain.notification import Channel
from copilot.domain.objects import Deployment
from copilot.domain.retention import Keep, Tier, names_of, parse_keep
from copilot.domain.retention import Policy as RetentionPolicy
from copilot.embed import NoEmbedder
from copilot.flow import Flow
from copilot.journal import Journal
from copilot.local import LocalAgents, ThroughGit
from copilot.ports import (
    Agents,
    Clock,
    Cluster,
    Embedder,
    GitHost,
    Kind,
    Notifier,
    Store,
    TokenReviews,
)
from copilot.remediate.freezes import parse_freeze
from copilot.remediate.policy import KINDS, Policy, parse_guardrail
from copilot.remediate.policy import Mode as PolicyMode
from copilot.remote import Asker, RemoteAgents
from copilot.remote.asking import token_in
from copilot.search.meaning import Meaning
from copilot.settings import CallersKind, EmbedderKind, FixDelivery, Settings
from copilot.store import SqlStore, open_store
from copilot.telemetry import handed_on, parse_headers, set_up_tracing
from copilot.traced import TracedAgents

if TYPE_CHECKING:
    from copilot.kube import KubeCluster
    from copilot.llm.metered import MeteredModel


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
    model: MeteredModel | None
    embedder: Embedder
    meaning: Meaning
    reviews: TokenReviews | None
    """Who can tell whose token a caller shows, where roles know one another by service accounts and
    this process is asked by some."""
    namespace: str
    """Where those accounts are; empty where there are none."""
    agent_token: str
    """The key between roles, where it is that."""


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
        await sync_runbooks(store, clock)
        cluster, name = None, settings.cluster
        if not needs_cluster and not settings.cluster:
            raise Invalid("this role does not ask the cluster for its name: set COPILOT_CLUSTER")
        if needs_cluster:
            cluster, name = await _watched(settings, clock, stack)
        model = _model(settings)
        embedder = embedder_of(settings, clock) if _EMBEDDING & set(roles) else _NOTHING_TO_EMBED
        stack.push_async_callback(embedder.close)
        meaning = Meaning(embedder)
        git = _git(settings, stack) if _REMEDIATOR in roles else None
        notifiers, policy = _notifiers(settings), policy_of(settings)
        is_told = knows_channels(settings, roles)
        local = LocalAgents(
            store=store,
            clock=clock,
            cluster=cluster,
            policy=policy,
            model=model,
            notifiers=notifiers,
            git=git,
            meaning=meaning,
        )
        urls = _agents_elsewhere(settings, roles)
        asker = _asker(settings, clock, agent_token, asks=any(urls.values()))
        stack.push_async_callback(asker.close)
        agents = TracedAgents(RemoteAgents(urls=urls, asker=asker, local=local))
        reviews = await _token_reviews(settings, clock, roles, stack)
        owner = f"{socket.gethostname()}:{os.getpid()}"
        flow = Flow(
            store=store,
            agents=agents,
            clock=clock,
            journal=Journal(
                cluster=name,
                channels=tuple(notifiers) if is_told else tuple(Channel),
                knows_channels=is_told,
                link_base=settings.public_url or link_base,
            ),
            rules=RULES,
            cluster=cluster,
            owner=owner,
            policy=policy,
            git=git.host if git else None,
            own_namespaces=own_namespaces(settings),
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
            embedder=embedder,
            meaning=meaning,
            reviews=reviews,
            namespace=_own_namespace(settings) if reviews else "",
            agent_token=agent_token,
        )


@asynccontextmanager
async def traced(settings: Settings, *, role: str, cluster: str) -> AsyncIterator[None]:
    """Spans of ours are sent meanwhile, where the settings say to whom."""
    if not settings.otlp_endpoint:
        yield
        return
    end = set_up_tracing(
        endpoint=settings.otlp_endpoint,
        headers=parse_headers(settings.otlp_headers.get_secret_value()),
        sample=settings.trace_sample,
        role=role,
        cluster=cluster,
    )
    try:
        yield
    finally:
        await asyncio.to_thread(end)


async def opened_store(settings: Settings, clock: Clock) -> SqlStore:
    """The store that the settings name; its schema may not be up to date.

    Raises:
        Invalid: they make no sense.
        Unavailable: it cannot be reached.
    """
    if file := embedded_file(settings):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return await open_store(file, clock=clock)
    from copilot.store import mysql  # only who has a server pays for its client

    url = settings.store.get_secret_value()
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


def embedded_file(settings: Settings) -> Path | None:
    """The file of `sqlite:path`, that of the data folder where no path is given, None for servers."""
    url = settings.store.get_secret_value()
    if not url.startswith("sqlite:") or (url == "sqlite:" and settings.tidb_host):
        return None
    return Path(url.removeprefix("sqlite:") or settings.data / "copilot.db")


_REMEDIATOR = "agent-remediator"
"""The one role that may change anything, and so the one that has the Git host's token."""

_EMBEDDING = frozenset({"gateway", "agent-context", "agent-runbook"})
"""Those that search by meaning or keep the index; the others need no embedder, nor its key."""
_NOTHING_TO_EMBED = NoEmbedder("this role has nothing to embed")

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


async def _connected(settings: Settings, clock: Clock, stack: AsyncExitStack) -> KubeCluster:
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


async def _token_reviews(
    settings: Settings, clock: Clock, roles: Collection[str], stack: AsyncExitStack
) -> TokenReviews | None:
    """Whom agents ask who is calling; a session of its own, as most of them have no other."""
    is_asked = any(role.startswith("agent-") for role in roles)
    if settings.callers is not CallersKind.SERVICE_ACCOUNT or not is_asked:
        return None
    return await _connected(settings, clock, stack)


_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def _own_namespace(settings: Settings) -> str:
    """Raises: Invalid where nobody says."""
    try:
        return settings.namespace or (_POD / "namespace").read_text().strip()
    except OSError as error:
        raise Invalid(
            "COPILOT_CALLERS=service_account needs COPILOT_NAMESPACE: this is no pod that says"
        ) from error


def _asker(settings: Settings, clock: Clock, key: str, *, asks: bool) -> Asker:
    """Raises: Invalid where the settings give nothing to show to other roles."""
    shown_by_account = settings.callers is CallersKind.SERVICE_ACCOUNT
    if shown_by_account and asks and not settings.caller_token_file:
        raise Invalid("COPILOT_CALLERS=service_account needs COPILOT_CALLER_TOKEN_FILE")
    token = token_in(Path(settings.caller_token_file)) if shown_by_account else lambda: key
    trust: ssl.SSLContext | bool = True
    if settings.tls_ca:
        try:
            trust = ssl.create_default_context(cafile=settings.tls_ca)
        except (OSError, ssl.SSLError) as error:
            raise Invalid(f"COPILOT_TLS_CA cannot be read: {settings.tls_ca} ({error})") from error
    return Asker(token=token, clock=clock, chance=random.Random(), trust=trust, hand_on=handed_on)


async def labelled_namespaces(settings: Settings, clock: Clock, selector: str) -> list[str]:
    """Names of the namespaces of the cluster that carry this label, for an operator's command."""
    async with AsyncExitStack() as stack:
        cluster = await _connected(settings, clock, stack)
        bodies = await cluster.list_objects(Kind.NAMESPACE, selector=selector)
    return [msgspec.json.decode(body, type=Deployment).metadata.name for body in bodies]


_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def own_namespaces(settings: Settings) -> frozenset[str]:
    """Where we run ourselves, as set and as the pod is told."""
    try:
        here = _OWN_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:  # not in a pod
        here = ""
    return frozenset(filter(None, (*settings.own_namespaces, here)))


def _model(settings: Settings) -> MeteredModel | None:
    """The language model, where one is set."""
    if not settings.openai_api_key and not settings.openai_base_url:  # an empty key is none
        return None
    from copilot.llm import OpenAICompatible  # only who has a model pays for its client
    from copilot.llm.metered import MeteredModel

    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else ""
    model = OpenAICompatible(
        base_url=settings.openai_base_url,
        api_key=key,
        model=settings.openai_model,
        timeout_s=settings.model_timeout,
    )
    return MeteredModel(model, price_in=settings.model_price_in, price_out=settings.model_price_out)


def embedder_of(settings: Settings, clock: Clock) -> Embedder:
    """What gives texts their meaning; the local model is not read before there is a text.

    Raises:
        Invalid: what was asked for by name cannot be had, with what to do.
    """
    if settings.embedder is EmbedderKind.OFF:
        return NoEmbedder("switched off by COPILOT_EMBEDDER")
    if settings.embedder is EmbedderKind.OPENAI:
        return _embedder_elsewhere(settings, clock)
    from copilot.embed.local import LocalEmbedder, missing

    if not (lacks := missing()):
        return LocalEmbedder()
    what_to_do = f"install incident-copilot[embed] ({lacks} is missing)"
    if settings.embedder is EmbedderKind.LOCAL:
        raise Invalid(f"COPILOT_EMBEDDER=local: {what_to_do}")
    return NoEmbedder(f"no model is installed; {what_to_do}")


def _embedder_elsewhere(settings: Settings, clock: Clock) -> Embedder:
    base_url = settings.embedding_base_url or settings.openai_base_url
    key = settings.embedding_api_key
    if key is None and base_url == settings.openai_base_url:  # a key is for its own address only
        key = settings.openai_api_key
    if key is None and not base_url:
        raise Invalid("COPILOT_EMBEDDER=openai needs OPENAI_API_KEY or COPILOT_EMBEDDING_BASE_URL")
    from copilot.embed.openai_compatible import OpenAIEmbedder  # 0.5 s: only who has one pays

    return OpenAIEmbedder(
        base_url=base_url,
        api_key=key.get_secret_value() if key else "",
        model=settings.embedding_model,
        dimensions=settings.embedding_dimensions,
        price_usd=settings.embedding_price,
        timeout_s=settings.embedding_timeout,
        clock=clock,
    )


def _git(settings: Settings, stack: AsyncExitStack) -> ThroughGit | None:
    """Where pull requests go, where fixes are to be some.

    Raises:
        Invalid: the settings lead to no repository, with what to do.
    """
    if settings.delivery is FixDelivery.PATCH:
        return None
    return ThroughGit(
        host=git_host(settings, stack),
        base=settings.git_branch,
        root=settings.git_path,
        only_managed=settings.delivery is FixDelivery.AUTO,
    )


def git_host(settings: Settings, stack: AsyncExitStack) -> GitHost:
    """The repository that the settings name.

    Raises:
        Invalid: they name none that can be reached.
    """
    address = urlsplit(settings.git_url)
    if address.scheme == "file":
        from copilot.githost.local import LocalGitHost

        if address.netloc not in ("", "localhost"):
            raise Invalid(f"COPILOT_GIT_URL names another machine: file://{address.netloc}")
        return LocalGitHost(Path(unquote(address.path)))
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


def knows_channels(settings: Settings, roles: Collection[str]) -> bool:
    """Whether this process is told which channels are set up. Where agent-reporter is one of its
    own, only that has their secrets: the others leave messages for all there may be, and it drops
    those for channels that are not there."""
    return not settings.reporter_url or "agent-reporter" in roles


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


def retention_of(settings: Settings) -> RetentionPolicy:
    """How long each tier is kept.

    Raises:
        Invalid: a setting makes no sense.
    """
    given: dict[Tier, Keep] = {
        tier: parse_keep(tier, getattr(settings, f"retention_{tier}"))
        for tier in Tier
        if tier not in (Tier.JOBS, Tier.NAMES)
    }
    return {**given, Tier.JOBS: given[Tier.MESSAGES], Tier.NAMES: names_of(given)}


def runbook_folder() -> Path:
    """Our own runbooks: inside the installed package, in `docs/` of a checkout."""
    package = Path(copilot.__file__).parent
    shipped = package / "runbooks"
    return shipped if shipped.is_dir() else package.parents[1] / "docs" / "runbooks"


async def sync_runbooks(store: Store, clock: Clock) -> None:
    runbooks = [
        parse_runbook(path.stem, path.read_text(encoding="utf-8"), clock.now_us())
        for path in sorted(runbook_folder().glob("*.md"))
    ]
    await store.run(lambda tx: tx.runbooks.sync(runbooks))  # other roles may start at this moment
