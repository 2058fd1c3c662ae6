"""What the API answers with: the shapes the UI's client is generated from.

No field has a default, so that the generated types have no false `?`. Nouns of the domain that can
be shown as they are (incident, evidence, hypothesis, ...) are used as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copilot.domain.alert import Alert
from copilot.domain.change import FieldChange
from copilot.domain.event import LogLine
from copilot.domain.evidence import Evidence, Gap
from copilot.domain.hypothesis import Hypothesis, Statement
from copilot.domain.incident import Incident, Status, TimelineEntry
from copilot.domain.objects import ObjectRef
from copilot.domain.people import Role, TokenKind, TokenState
from copilot.domain.proposal import Approval, ProposalStatus, Risk, Way
from copilot.domain.runbook import RunbookMatch
from copilot.domain.search import Counted, Hit


class Health(StrEnum):
    """How a pod is doing; worst first."""

    FAILING = "failing"
    DEGRADED = "degraded"
    PENDING = "pending"
    HEALTHY = "healthy"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who is signed in, and what they may do."""

    name: str
    role: Role
    via: str
    """How they signed in: `laptop`, `token`, or the address of who vouched for them."""
    has_session: bool
    """Whether by a cookie, which can be signed out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexView:
    """What search finds by meaning, and how far it is behind."""

    model: str | None
    """None: search is by words alone."""
    about: str
    """The model for people, or why there is none."""
    documents: int
    """Templates, sections of runbooks, incidents."""
    words_waiting: int
    vectors_waiting: int
    texts: int
    """Embedded by this process since it started; so are the tokens and what they cost."""
    tokens: int
    cost_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What ails the co-pilot itself, as it is now."""

    what: str
    """`store`, `leg`, `work`, `outbox`, `watcher`, `ingest` or `disk`."""
    since_us: int
    message: str


class Ability(StrEnum):
    """What becomes of something that a database may be able to do."""

    USED = "used"
    UNUSED = "unused"
    """It is there, and we go without."""
    UNNEEDED = "unneeded"
    """It is not there, and makes no difference here."""
    MISSING = "missing"
    """It is not there, or not in a form that we use; something stands in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbilityView:
    name: str
    state: Ability
    about: str
    """What it is used for, or what stands in for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseView:
    """What the store's database is, and what it can do."""

    product: str
    version: str
    abilities: list[AbilityView]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """About this co-pilot and the cluster it watches."""

    version: str
    cluster: str
    cluster_version: str
    is_demo: bool
    is_synced: bool
    """False until the first full look at the cluster."""
    nodes: int
    mode: str
    """`read_only`, `review` or `autonomous`."""
    model: str | None
    gaps: list[Gap]
    troubles: list[Trouble]
    """What ails the co-pilot itself."""
    feed_head: int
    now_us: int
    open_incidents: int
    lines: int
    events: int
    set_aside: int
    index: IndexView


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    name: str
    uid: str
    workload: str
    node: str
    health: Health
    reason: str
    """Why it is not healthy; empty where it is."""
    restarts: int
    memory_limit_bytes: int | None
    memory_bytes: int | None
    incident_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceView:
    """Worst pod first."""

    name: str
    is_demo: bool
    pods: list[PodView]
    failing: int
    degraded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCounts:
    failing: int
    degraded: int
    pending: int
    healthy: int
    completed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """The health heat map, worst namespace first; every number on the page comes from here."""

    namespaces: list[NamespaceView]
    counts: HealthCounts
    open_incidents: int
    resolved_incidents_30d: int
    mtta_seconds_30d: int | None
    mttr_seconds_30d: int | None
    is_synced: bool
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    object: ObjectRef
    ts_us: int
    actor: str
    title: str
    fields: list[FieldChange]
    incident_id: int | None
    """The incident whose first signal this came shortly before, in the same workload."""
    seconds_before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    incident: Incident
    stage: str
    """For people: `Fix proposed`, `Verifying`, `Resolved in 41 s`."""
    alerts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentPage:
    """Newest first. `next_before_id` pages on, None at the end."""

    rows: list[IncidentRow]
    next_before_id: int | None
    open: int
    resolved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationView:
    held: bool
    reason: str
    observed: list[str]
    ended_us: int
    reverted: bool


class PullStage(StrEnum):
    """Where a fix through Git stands."""

    PLANNED = "planned"
    OPEN = "open"
    """Waiting for people to merge it."""
    CLOSED = "closed"
    MERGED = "merged"
    """Waiting until the cluster carries it."""
    ROLLING_OUT = "rolling_out"
    VERIFIED = "verified"
    REVERT_OPEN = "revert_open"
    """It did not hold; waiting for people to merge what takes it back."""
    REVERTED = "reverted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestView:
    """The pull request that a proposal is, or becomes once approved."""

    repository: str
    base: str
    files: list[str]
    diff: str
    """Unified, of the files in Git."""
    notes: list[str]
    stage: PullStage
    number: int | None
    """None until it is open."""
    url: str
    """Empty where there is no page to look at."""
    branch: str
    can_merge: bool
    """Here, by us: only in the simulation; elsewhere people merge it on their host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationView:
    """What is done beside the patch, or instead of it."""

    text: str
    """`Delete Pod shop/web-0`."""
    target: ObjectRef
    body: str
    """What is made, as YAML, or merged, as JSON; empty for a deletion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalView:
    """A proposal as a person reads it. `digest` is what an approval must name."""

    id: int
    incident_id: int
    kind: str
    target: ObjectRef
    title: str
    why: str
    evidence: list[str]
    hypothesis: str
    diff: str
    """Unified, of the YAML before and after, as the cluster's dry run answered; empty where only
    operations are done."""
    operations: list[OperationView]
    dry_run_accepted: bool
    dry_run_message: str
    patch: str
    rollback: str | None
    no_rollback_reason: str
    command: str
    risk: Risk
    risk_reasons: list[str]
    disruption: str
    window_s: int
    status: ProposalStatus
    refusal: str
    digest: str
    created_us: int
    expires_us: int
    approvals: list[Approval]
    approvals_needed: int
    """How many people must say yes."""
    watched: ObjectRef
    """The workload whose recovery proves it."""
    way: Way
    """`pull_request` on a refused one: it is right, but to be made in Git."""
    verification: VerificationView | None
    pull_request: PullRequestView | None
    """None for a fix that is a patch of the cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarView:
    incident_id: int
    title: str
    fix: str
    has_held: bool
    mttr_seconds: int
    score: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomView:
    """Everything the incident room shows. `summary` and hypotheses cite `evidence` by id."""

    incident: Incident
    stage: str
    alerts: list[Alert]
    timeline: list[TimelineEntry]
    summary: list[Statement]
    hypotheses: list[Hypothesis]
    dropped: int
    """Sentences dropped because they cited nothing that exists."""
    model: str
    evidence: list[Evidence]
    """What something in the room cites; `evidence/{id}` gives any other."""
    gaps: list[Gap]
    proposals: list[ProposalView]
    """The one to look at first comes first."""
    runbooks: list[RunbookMatch]
    similar: list[SimilarView]
    moves: list[Status]
    feed_head: int
    """The feed's position this was read at: resume the live stream from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPoint:
    ts_us: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartLine:
    label: str
    """Pod and container."""
    points: list[ChartPoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartMark:
    ts_us: int
    label: str
    kind: str
    """`change`, `alert`, `action` or `verified`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryChart:
    """Working set of the workload's containers in bytes, with its limit over time."""

    title: str
    lines: list[ChartLine]
    limit: list[ChartPoint]
    """Steps: the limit from each time on; empty where unlimited."""
    marks: list[ChartMark]
    since_us: int
    until_us: int
    gap: str
    """Why there is nothing to show; empty where there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWindow:
    """A line and its neighbours, oldest first."""

    address: str
    lines: list[LogLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchView:
    """A page of hits; see `Found`."""

    hits: list[Hit]
    words: list[str]
    """What to mark in the texts of hits, in any case of letters."""
    next: str
    """Where the next page begins, for `after`; empty where there is none."""
    looked_back_to_us: int
    """How far lines were looked through; 0 where all were."""
    scanned_lines: int
    took_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCountsView:
    """How the hits of a query spread."""

    counted: Counted
    took_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookView:
    slug: str
    title: str
    service: str
    tags: list[str]
    body: str
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    chain: str
    seq: int
    ts_us: int
    actor: str
    action: str
    object: str
    detail: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    rows: list[AuditView]
    next_after: int | None
    broken: list[str]
    """Chains whose hashes do not add up; empty is good."""
    intact_entries: int
    """Entries of the whole log, in chains whose hashes add up."""
    checked_us: int
    """When the newest of them was read."""
    whole_us: int
    """When all of them were last read from the beginning; since then only what was added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAsideView:
    id: int
    received_us: int
    source: str
    reason: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    """An access token, for admins: whose it is, never what opens."""

    id: str
    kind: TokenKind
    name: str
    role: Role | None
    """None of senders: they only send."""
    created_us: int
    created_by: str
    expires_us: int | None
    used_us: int | None
    """Coarse: within an hour."""
    revoked_us: int | None
    state: TokenState


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMade:
    token: TokenView
    secret: str
    """What opens: told this once, and kept nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosTarget:
    object: ObjectRef
    container: str
    limit: str
    chaos_limit: str
    is_broken: bool
    """Its limit is at the chaos value already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosView:
    """What Chaos Mode may break: only workloads in namespaces labelled as demo."""

    targets: list[ChaosTarget]
    reason: str
    """Why there is none; empty where there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosStarted:
    object: ObjectRef
    title: str
    started_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAccepted:
    """The work has been queued; the room shows how it goes on."""

    proposal: ProposalView


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """RFC 9457 problem document, also the body of every error."""

    type: str
    title: str
    status: int
    detail: str
    reference: str | None
    proposal: ProposalView | None
    """Where an approval came too late: the proposal with the new diff."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedMessage:
    """One message of the WebSocket. `hello` comes first and tells the head of the feed."""

    seq: int
    kind: str
    incident_id: int | None
    ts_us: int
    detail: str


# --------------------------------------------------------------------------- what is sent to us


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIncidentBody:
    title: str
    namespace: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveBody:
    digest: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectBody:
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveBody:
    resolution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteBody:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosBody:
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTokenBody:
    name: str
    role: Role | None
    """None: for a sender."""
    expires: str = ""
    """`8h`, `30d`; empty for never."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeBody:
    reason: str = ""
