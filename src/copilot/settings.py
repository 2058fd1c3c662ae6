"""Every setting, read once in `cli`; the only reader of the environment.

Each is given as `COPILOT_<NAME>`; the founding names (`OPENAI_API_KEY`) work too. Command line
options win over the environment.
"""

from __future__ import annotations

import getpass
import os
import sys
from enum import StrEnum
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Mode(StrEnum):
    READ_ONLY = "read_only"
    REVIEW = "review"
    AUTONOMOUS = "autonomous"


class FixDelivery(StrEnum):
    PATCH = "patch"
    PULL_REQUEST = "pull_request"
    AUTO = "auto"


class GitHostKind(StrEnum):
    GITHUB = "github"
    GITLAB = "gitlab"


class EmbedderKind(StrEnum):
    AUTO = "auto"
    OFF = "off"
    LOCAL = "local"
    OPENAI = "openai"


class CallersKind(StrEnum):
    SHARED_KEY = "shared_key"
    SERVICE_ACCOUNT = "service_account"


class LogLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class LogFormat(StrEnum):
    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


def default_data() -> Path:
    """The one folder that holds all state."""
    root = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(root) / "incident-copilot"


def default_user() -> str:
    """Who signs in with the token made at first start."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def has_display() -> bool:
    """Whether a browser window could be opened here."""
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


class Settings(BaseSettings):
    """All of them. Times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(
        env_prefix="COPILOT_",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    data: Path = Field(default_factory=default_data)
    """The folder that holds the database, the tokens and the demo cluster's kubeconfig."""
    store: SecretStr = SecretStr("sqlite:")
    """Where everything is kept: `sqlite:` (a file in the data folder), `sqlite:/path/to/file`, or
    `tidb://user:password@host:4000/database`; `mysql:` and `mariadb:` go to such a server. Options:
    `?ssl_ca=path` of an authority of your own, `?ssl=off` (on loopback only)."""
    tidb_host: str = Field(
        default="", validation_alias=AliasChoices("COPILOT_TIDB_HOST", "TIDB_HOST")
    )
    """The same in parts, where the URL is not given: the server. Always with TLS."""
    tidb_port: int = Field(
        default=4000,
        ge=1,
        le=65535,
        validation_alias=AliasChoices("COPILOT_TIDB_PORT", "TIDB_PORT"),
    )
    """Its port."""
    tidb_user: str = Field(
        default="root", validation_alias=AliasChoices("COPILOT_TIDB_USER", "TIDB_USER")
    )
    """Who signs in there."""
    tidb_password: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("COPILOT_TIDB_PASSWORD", "TIDB_PASSWORD"),
    )
    """With what."""
    tidb_db: str = Field(
        default="incidentdb", validation_alias=AliasChoices("COPILOT_TIDB_DB", "TIDB_DB")
    )
    """The database; it must exist."""
    tidb_ca: str = Field(default="", validation_alias=AliasChoices("COPILOT_TIDB_CA", "TIDB_CA"))
    """Path of the certificate of an authority of your own; empty takes the system's."""
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=3000, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    """Host names that requests may be addressed to (against DNS rebinding)."""
    cluster: str = ""
    """The name of the watched cluster; empty takes the kubeconfig context's."""
    kubeconfig: str = ""
    """Path of the kubeconfig; empty takes the usual places, then the pod's service account."""
    context: str = ""
    """Context of the kubeconfig; empty takes the current one."""
    watch_secrets: tuple[str, ...] = ()
    """Secrets of which you want to see that they changed, as a JSON list such as `["payments/db"]`;
    only their metadata is read, and `incident-copilot rbac --secret payments/db` prints the right."""
    user: str = Field(default_factory=default_user)
    """Name of the person who signs in with the access token; approvals record it."""
    session_idle: int = Field(default=43_200, gt=0)
    """Seconds after which a browser that asks for nothing is signed out."""
    session_lifetime: int = Field(default=604_800, gt=0)
    """Seconds after which a browser is signed out whatever it does."""
    oidc_issuer: str = ""
    """Address of an OpenID Connect provider that people may sign in with; empty for none. It must
    know `<COPILOT_PUBLIC_URL>/login/callback` as ours."""
    oidc_client_id: str = ""
    """What it calls us."""
    oidc_client_secret: SecretStr | None = None
    """With what we show that it is us; a public client has none."""
    oidc_scopes: str = "openid profile email"
    """What we ask it for."""
    oidc_groups_claim: str = "groups"
    """The claim that lists a person's groups, in the id token or else at its userinfo endpoint."""
    oidc_admin_groups: tuple[str, ...] = ()
    """Groups whose people are admins, as a JSON list; `*` is everybody whom the provider knows."""
    oidc_responder_groups: tuple[str, ...] = ()
    """The same for responders."""
    oidc_viewer_groups: tuple[str, ...] = ()
    """The same for viewers; who is in no group of these three does not come in."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of ingresses whose `X-Forwarded-For` and `-Proto` are believed, as a JSON
    list such as `["10.0.0.0/8"]`; empty believes nobody."""
    access_token: SecretStr | None = None
    """Token of that person; made at first start where not given."""
    sender_token: SecretStr | None = None
    """Token of log, metric and alert senders; made at first start where not given."""
    agent_token: SecretStr | None = None
    """Key between roles, where `COPILOT_CALLERS` is `shared_key`; made at first start where not
    given."""
    callers: CallersKind = CallersKind.SHARED_KEY
    """How roles know one another: `shared_key` (`COPILOT_AGENT_TOKEN`, the same for all), or
    `service_account`: each shows a token of its pod's service account, which the API server reviews.
    Neither stands in for the other."""
    caller_token_file: str = ""
    """File with the token that this role shows where `COPILOT_CALLERS` is `service_account`: a
    projected service account token for the audience `incident-copilot`. Read for every question."""
    namespace: str = ""
    """The namespace the co-pilot is installed in, whose service accounts are its roles; empty takes
    that of the pod."""
    tls_cert: str = ""
    """Path of a certificate chain (PEM) to serve with over TLS; read again when it changes, within
    10 s. Without one everything is plain HTTP."""
    tls_key: str = ""
    """Path of its key."""
    tls_ca: str = ""
    """Path of the authorities (PEM) that the certificates of other roles are held against; empty
    takes the system's. Read at start."""
    drain: float = Field(default=5.0, ge=0, le=300)
    """Seconds for which a role that is asked to stop (SIGTERM) goes on answering while `/readyz`
    says that it is going; then what is being answered has as long again to end. Ctrl-C
    waits for nothing."""
    mode: Mode = Mode.REVIEW
    """What the co-pilot may do: `read_only` changes nothing and shows each fix as refused, `review`
    asks a person, `autonomous` asks nobody where a guardrail names both the action and the resource."""
    guardrails: tuple[str, ...] = ()
    """What autonomous mode may apply by itself: a JSON list such as `["set_memory:Deployment/shop/*"]`.
    Where a fix starts another object anew (pods that read a ConfigMap), that must be named as well:
    `restart:Deployment/shop/*`. A high risk always takes a person."""
    allowed_actions: tuple[str, ...] = ()
    """Kinds of actions that may be proposed, as a JSON list such as `["set_memory", "roll_back"]`;
    empty allows all."""
    protected_namespaces: tuple[str, ...] = ("kube-system", "kube-public", "kube-node-lease")
    """Namespaces in which nothing is ever changed, as a JSON list."""
    freezes: tuple[str, ...] = ()
    """Times (UTC) in which nothing is changed, as a JSON list: every week `Fri 16:00-Mon 08:00 why`,
    once `2026-12-24T00:00Z/2026-12-27T00:00Z why`."""
    second_approver: bool = False
    """Whether a high risk takes the approval of two people."""
    approval_lifetime: int = Field(default=1800, gt=0)
    """Seconds for which a proposal may be approved."""
    delivery: FixDelivery = FixDelivery.PATCH
    """How an approved fix is made: `patch` on the cluster, `pull_request` in Git, `auto`: a pull
    request for objects that Argo CD or Flux marks as its own, a patch for all others."""
    git_url: str = ""
    """The repository that makes the cluster, `https://host/owner/name`; without credentials."""
    git_host: GitHostKind = GitHostKind.GITHUB
    """Whose API the repository's host speaks: `github` or `gitlab`."""
    git_api_url: str = ""
    """The address of that API; empty derives it from the repository's."""
    git_token: SecretStr | None = None
    """Token for it: may read and write the repository's contents and its pull requests."""
    git_branch: str = ""
    """The branch that fixes are to be merged into; empty takes the repository's default."""
    git_path: str = ""
    """The folder that makes this cluster (an overlay, say); empty takes the whole repository."""
    public_url: str = ""
    """Where people reach the UI, for links in messages; empty takes host and port."""

    retention_lines: str = "14d 20GiB"
    """How long log lines are kept and how many bytes of them, whichever is reached first: hours h
    or days d, then MiB, GiB or TiB; either may be left out, `forever` keeps all. What an incident
    cites is kept with it for good."""
    retention_events: str = "30d 5M"
    """The same for rows (warnings, errors, Kubernetes events, alerts), counted in rows: k, M, G."""
    retention_counts: str = "14d 20M"
    """The same for the counts of templates, one row for each 10 s in which a pod had any."""
    retention_metrics: str = "7d 50M"
    """The same for metric points, one row for each second and series."""
    retention_spans: str = "3d 10M"
    """The same for spans."""
    retention_changes: str = "90d 1M"
    """The same for versions of objects; the newest of an object that exists is always kept."""
    retention_set_aside: str = "7d 20k"
    """The same for records that could not be decoded."""
    retention_feed: str = "7d 1M"
    """The same for what a screen replays after it was away; beyond that it reads all anew."""
    retention_messages: str = "90d"
    """How long settled messages to people, and work that is void, are kept."""
    retention_every: int = Field(default=3600, ge=60)
    """Seconds between two looks at what is to go."""

    context_url: str = ""
    """Where agent-context answers; empty runs it in this process."""
    detective_url: str = ""
    """Where agent-detective answers; empty runs it in this process."""
    runbook_url: str = ""
    """Where agent-runbook answers; empty runs it in this process."""
    remediator_url: str = ""
    """Where agent-remediator answers; empty runs it in this process."""
    reporter_url: str = ""
    """Where agent-reporter answers; empty runs it in this process."""

    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("COPILOT_OPENAI_API_KEY", "OPENAI_API_KEY")
    )
    """Key of the language model's API; without key and base URL no model is used."""
    openai_base_url: str = Field(
        default="", validation_alias=AliasChoices("COPILOT_OPENAI_BASE_URL", "OPENAI_BASE_URL")
    )
    """Any OpenAI-compatible API; empty takes OpenAI's."""
    openai_model: str = Field(
        default="gpt-4.1-mini",
        validation_alias=AliasChoices("COPILOT_OPENAI_MODEL", "OPENAI_MODEL"),
    )
    """The model's name."""
    model_timeout: float = Field(default=60.0, gt=0)
    """Seconds to wait for one answer of the model."""

    embedder: EmbedderKind = EmbedderKind.AUTO
    """What lets search find by meaning: `local` (a small model on this machine), `openai` (any
    OpenAI-compatible API), `off` (words alone), `auto`: local where the extra `embed` is installed."""
    embedding_model: str = "text-embedding-3-small"
    """The model's name at that API."""
    embedding_dimensions: int = Field(default=0, ge=0, le=16_383)
    """How many numbers to ask it for; 0 takes its own (1536)."""
    embedding_base_url: str = ""
    """The API's address; empty takes the language model's."""
    embedding_api_key: SecretStr | None = None
    """Its key; without one the language model's is taken, where the address is the same."""
    embedding_price: float = Field(default=0.02, ge=0)
    """US dollars for a million tokens, for the count of what it cost."""
    embedding_timeout: float = Field(default=20.0, gt=0)
    """Seconds to wait for one answer of it."""

    slack_webhook_url: SecretStr | None = None
    """Slack-compatible incoming webhook; without it nothing is sent there."""
    jira_url: str = ""
    """Base URL of Jira; without it no issue is made."""
    jira_project: str = ""
    """Key of the Jira project."""
    jira_user: str = ""
    """Jira user (e-mail) for basic authentication; empty sends the token as a bearer token."""
    jira_token: SecretStr | None = None
    """Jira API token."""
    own_namespaces: tuple[str, ...] = ("incident-copilot", "incident-copilot-telemetry")
    """Namespaces of the co-pilot itself and of its senders, as a JSON list: what is logged there
    opens no incident. In a pod its own namespace counts as well."""
    log_level: LogLevel = LogLevel.INFO
    """DEBUG, INFO, WARNING or ERROR."""
    log_format: LogFormat = LogFormat.AUTO
    """`json`, `console` (for people), `auto`: for people on a terminal, JSON elsewhere."""
    metrics_token: SecretStr | None = None
    """A token that opens `/metrics` and `/readyz` and nothing else, for Prometheus."""
    otlp_endpoint: str = Field(
        default="",
        validation_alias=AliasChoices("COPILOT_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    )
    """Where spans of the co-pilot itself are sent, by OTLP over HTTP (`http://collector:4318`);
    empty sends none."""
    otlp_headers: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("COPILOT_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"),
    )
    """Headers for that, such as `authorization=Bearer%20token`."""
    trace_sample: float = Field(default=1.0, ge=0, le=1)
    """Share of its traces that is kept, 0 to 1."""
    model_price_in: float = Field(default=0.0, ge=0)
    """US dollars for a million tokens that the language model reads, for the count of its cost."""
    model_price_out: float = Field(default=0.0, ge=0)
    """The same for those it writes."""

    @property
    def scheme(self) -> str:
        """Of our own address."""
        return "https" if self.tls_cert else "http"


def describe() -> str:
    """Every setting as a Markdown table: name in the environment, default, meaning."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, info in Settings.model_fields.items():
        alias = info.validation_alias
        names = (
            [str(choice) for choice in alias.choices]
            if isinstance(alias, AliasChoices)
            else [f"COPILOT_{name.upper()}"]
        )
        default = "" if info.default_factory or info.default is None else info.default
        shown = default.value if isinstance(default, StrEnum) else default
        if isinstance(shown, SecretStr):
            shown = shown.get_secret_value()
        if isinstance(shown, tuple):
            shown = ", ".join(shown)
        meaning = (info.description or "").replace("\n", " ")
        named = ", ".join(f"`{one}`" for one in names)
        rows.append(f"| {named} | {f'`{shown}`' if shown != '' else ''} | {meaning} |")
    return "\n".join(rows) + "\n"
