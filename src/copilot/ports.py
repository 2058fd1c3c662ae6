"""What the steps need from outside, in the domain's words. Adapters meet these shapes.

Every method is async and may raise `Unavailable`; what else it raises is said there. Nothing here
retries by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

import msgspec

from copilot.domain.action import ChaosMemory
from copilot.domain.alert import Alert
from copilot.domain.case import Case
from copilot.domain.change import Change, ObjectVersion
from copilot.domain.event import (
    Batch,
    Event,
    LineAddress,
    LogLine,
    Point,
    Series,
    TemplateActivity,
    TemplateId,
)
from copilot.domain.evidence import Evidence, Gap
from copilot.domain.hypothesis import Cause, Findings
from copilot.domain.incident import (
    EntryKind,
    FeedEntry,
    Incident,
    IncidentId,
    Status,
    TimelineEntry,
)
from copilot.domain.memory import Memory, MemoryId
from copilot.domain.notification import Delivery, Notification, NotificationId
from copilot.domain.objects import ObjectRef
from copilot.domain.people import Login, SignIn, Token
from copilot.domain.proposal import (
    ActionState,
    Applied,
    Approval,
    Claim,
    Proposal,
    ProposalId,
    ProposalStatus,
    Verification,
)
from copilot.domain.pull_request import Delivery as GitDelivery
from copilot.domain.pull_request import FileEdit, PullRequest
from copilot.domain.retention import Policy, Retired
from copilot.domain.retrieval import Backlog, Corpus, Document, Near, Ranked, Vector
from copilot.domain.runbook import Runbook, RunbookMatch
from copilot.domain.search import Counted, Found, Query

T = TypeVar("T")


class Clock(Protocol):
    """Time. Only `wiring.py` makes one."""

    def now_us(self) -> int:
        """Epoch microseconds UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...


# --------------------------------------------------------------------------- the cluster


class Kind(StrEnum):
    """The kinds we list and watch. Secrets are not among them."""

    NAMESPACE = "Namespace"
    NODE = "Node"
    POD = "Pod"
    DEPLOYMENT = "Deployment"
    REPLICA_SET = "ReplicaSet"
    EVENT = "Event"
    CONFIG_MAP = "ConfigMap"
    SERVICE = "Service"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    JOB = "Job"
    CRON_JOB = "CronJob"
    INGRESS = "Ingress"
    NETWORK_POLICY = "NetworkPolicy"
    CLAIM = "PersistentVolumeClaim"
    VOLUME = "PersistentVolume"
    STORAGE_CLASS = "StorageClass"
    QUOTA = "ResourceQuota"
    LIMIT_RANGE = "LimitRange"
    AUTOSCALER = "HorizontalPodAutoscaler"
    BUDGET = "PodDisruptionBudget"
    SERVICE_ACCOUNT = "ServiceAccount"
    ROLE = "Role"
    ROLE_BINDING = "RoleBinding"
    CLUSTER_ROLE = "ClusterRole"
    CLUSTER_ROLE_BINDING = "ClusterRoleBinding"
    VALIDATING_WEBHOOK = "ValidatingWebhookConfiguration"
    MUTATING_WEBHOOK = "MutatingWebhookConfiguration"


class Named(StrEnum):
    """Kinds of which only single objects are followed, and only their metadata, where people name
    them: nothing is known of all others."""

    SECRET = "Secret"


class ClusterInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: str
    is_demo: bool
    """The API server says so itself, in `/version` (`gitVersion` ends in `+demo`)."""


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """What a watch hands over: the next versions, once each, in the server's order.

    `is_synced` is true on the first delta after a full list: until then absence means nothing.
    `gap` says why a kind cannot be seen (forbidden, unavailable); it is empty again once it can.
    """

    kind: Kind | Named
    versions: tuple[ObjectVersion, ...] = ()
    is_synced: bool = False
    gap: Gap | None = None
    only: str = ""
    """`namespace/name` of the one object that is followed, where it is not the whole kind."""


class Cluster(Protocol):
    """One Kubernetes API server. Errors: `NotFound` 404, `Refused` 403 (names verb and resource),
    `Conflict` 409, `Invalid` 422 (names the field), `Busy` 429, `Unavailable` 5xx, no answer."""

    async def info(self) -> ClusterInfo: ...

    async def get(self, ref: ObjectRef) -> bytes:
        """The object's JSON."""
        ...

    async def list_objects(
        self, kind: Kind, namespace: str = "", selector: str = ""
    ) -> list[bytes]:
        """The JSON of each object (with `kind` and `apiVersion` filled in); all pages."""
        ...

    async def patch(
        self, ref: ObjectRef, patch: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        """Strategic merge patch with strict field validation; the resulting object's JSON.

        A `metadata.resourceVersion` in the patch makes a stale one a `Conflict`.
        """
        ...

    async def serves(self, resource: str) -> bool:
        """Whether the server's discovery lists this resource of the core group, `pods/resize` say:
        a version tells nothing of what was turned off."""
        ...

    async def resize(
        self, pod: ObjectRef, patch: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        """As `patch`, of the pod's `resize` subresource: CPU and memory of its containers and
        nothing else, annotations neither; the pod goes on.

        Raises:
            NotFound: there is no such pod, or the server resizes none.
        """
        ...

    async def create(
        self, ref: ObjectRef, manifest: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        """A new object, with strict field validation; its JSON as the server completed it.

        Raises:
            Conflict: one of that name exists already (also in a dry run).
        """
        ...

    async def delete(self, ref: ObjectRef, *, resource_version: str = "", dry_run: bool) -> None:
        """The object with this uid is deleted, what it owns in the background; it may stay for a
        while: a pod ends gracefully, a finalizer is waited for.

        Raises:
            Conflict: another one has that name by now, or it is not at that version any more.
            Invalid: no uid is given.
        """
        ...

    def watch(self, kind: Kind) -> AsyncIterator[Delta]:
        """List, then watch, for ever: survives 410, cut streams and a server that restarts.

        Never ends by itself and never raises for an outage: it yields a delta with a gap.
        """
        ...

    def watch_named(self, ref: ObjectRef) -> AsyncIterator[Delta]:
        """The same for this one object of a kind in `Named`: which keys it has, who wrote each
        and when, as `copilot.domain.change.NamedKeys`. Only metadata is asked for."""
        ...

    async def logs(
        self, pod: ObjectRef, container: str, *, previous: bool, max_bytes: int
    ) -> tuple[str, ...]:
        """The last lines, each with its RFC 3339 timestamp in front.

        Raises:
            NotFound: there is no such log (any more), also where the kubelet says so in a 200.
        """
        ...

    async def usage(self, node: str) -> list[Point]:
        """Memory and CPU of the node's containers from the kubelet, through the API server."""
        ...


class TokenReviews(Protocol):
    """Who the cluster says somebody is."""

    async def whose(self, token: str, *, audience: str) -> str:
        """Whose token this is (`system:serviceaccount:<namespace>:<name>`), empty where it is no
        token that the cluster takes for this audience.

        Raises:
            Refused: we may not ask.
        """
        ...


# --------------------------------------------------------------------------- Git


class GitHost(Protocol):
    """One repository and its pull requests. Errors: `NotFound` 404, `Refused` 401 and 403,
    `Conflict` 409, `Invalid` 422, `Busy` 429 and a used-up rate limit, `Unavailable`."""

    @property
    def repository(self) -> str:
        """For people, `owner/name`."""
        ...

    @property
    def is_simulation(self) -> bool:
        """Whether it is a repository of ours on disk, which `merge` is for."""
        ...

    @property
    def poll_s(self) -> float:
        """How long to leave it alone between two looks at a pull request."""
        ...

    async def default_branch(self) -> str: ...

    async def head(self, branch: str) -> str:
        """The commit a branch points to. Raises: NotFound."""
        ...

    async def paths(self, commit: str) -> tuple[str, ...]:
        """Every plain file of the commit's tree; no links, no submodules.

        Raises:
            TooLarge: there are more than the host lists.
        """
        ...

    async def read(self, path: str, commit: str) -> str:
        """A file's text, with its line ends as they are.

        Raises:
            NotFound: no such file.
            Invalid: it is no UTF-8 text, or a path that leads out of the repository.
            TooLarge: it is larger than a manifest may be.
        """
        ...

    async def open_change(
        self, *, branch: str, base: str, edits: Sequence[FileEdit], title: str, body: str
    ) -> PullRequest:
        """One commit on a new branch, and its pull request; what an earlier try had made of them
        is found by the branch's name and not made again.

        Raises:
            Conflict: a file of the base is not any more as `before`, or the branch holds
                something else; no pull request was opened.
        """
        ...

    async def state(self, number: int) -> PullRequest:
        """Raises: NotFound."""
        ...

    async def merge(self, number: int) -> PullRequest:
        """Merge it, which only the simulation's own host does: elsewhere people do.

        Raises:
            Refused: this is a host of people's.
            Conflict: it is closed, or does not merge.
        """
        ...


# --------------------------------------------------------------------------- the store


class StoredBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch. A repeat stored nothing."""

    is_repeat: bool
    n_stored: int
    first_line: LineAddress | None


class Telemetry(Protocol):
    """Lines, events, metrics and spans."""

    async def add(self, batch: Batch) -> StoredBatch:
        """Keep all of it: blocks for every line, rows for what matters, counts a minute, points,
        spans, what was set aside. Kubernetes events are keyed by uid: a repeat refreshes."""
        ...

    async def add_all(self, batches: Sequence[Batch]) -> tuple[StoredBatch, ...]:
        """The same for several at once, in this order; much cheaper than one by one."""
        ...

    async def lines_at(self, address: LineAddress, before: int, after: int) -> tuple[LogLine, ...]:
        """The line and its neighbours of the same container, oldest first.

        Raises:
            NotFound: no such line.
            Gone: it was retired; the message says when, and where it is kept as evidence.
        """
        ...

    async def lines_of(
        self, *, namespace: str, pods: Sequence[str], since_us: int, until_us: int, limit: int
    ) -> tuple[LogLine, ...]:
        """The newest `limit` lines of these pods in the range, oldest first."""
        ...

    async def latest_line_us(self, *, namespace: str, pod: str, container: str) -> int:
        """Time of the newest stored line, 0 for none."""
        ...

    async def activity(
        self, *, min_severity: int, window_us: int, now_us: int, namespace: str = "", app: str = ""
    ) -> tuple[TemplateActivity, ...]:
        """Templates seen within the window ending now, a family as one; busiest first, 200 at
        most."""
        ...

    async def template_history(
        self,
        *,
        template_id: TemplateId,
        namespace: str,
        app: str,
        window_us: int,
        since_us: int,
        until_us: int,
    ) -> tuple[int, ...]:
        """How often an application logged it in each stretch of `window_us` in which it did at
        all, oldest first; counted over all its pods."""
        ...

    async def series(
        self, *, name: str, namespace: str, pods: Sequence[str], since_us: int, until_us: int
    ) -> tuple[Series, ...]:
        """One series for each pod and container that has any point in the range."""
        ...

    async def events(
        self, *, namespace: str, names: Sequence[str], since_us: int, limit: int
    ) -> tuple[Event, ...]:
        """Row-tier events about these pods or objects, oldest first."""
        ...

    async def kube_events(
        self, *, namespace: str, uids: Sequence[str], names: Sequence[str], since_us: int
    ) -> tuple[bytes, ...]:
        """Stored core/v1 Events about these objects, as JSON."""
        ...

    async def event(self, event_id: int) -> Event:
        """Raises: NotFound."""
        ...

    async def search(self, query: Query, *, after: str = "", near: Near | None = None) -> Found:
        """A page of what matches, see `Found`; `after` is the `next` of the page before. `near`
        says what the words mean: then what says the same in other words is found, too.

        Raises:
            Invalid: `after` is none.
        """
        ...

    async def search_counts(
        self, query: Query, *, now_us: int, near: Near | None = None
    ) -> Counted:
        """How many match, by kind, place, level and time, as far as was looked."""
        ...

    async def set_aside(self, *, limit: int, before_id: int = 0) -> tuple[SetAsideRow, ...]:
        """Newest first."""
        ...

    async def counts(self) -> Counts: ...


class SetAsideRow(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    received_us: int
    source: str
    reason: str
    body: bytes


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Totals for the status page."""

    lines: int
    events: int
    points: int
    spans: int
    templates: int
    set_aside: int


class Objects(Protocol):
    """The cluster's objects as last seen, and their versions."""

    async def save(self, version: ObjectVersion, change: Change | None) -> None:
        """Keep the newest; a change is kept as a version row of its own."""
        ...

    async def get(self, cluster: str, uid: str) -> ObjectVersion | None: ...

    async def named(
        self, cluster: str, kind: str, namespace: str, name: str
    ) -> ObjectVersion | None:
        """The newest by name, deleted ones too."""
        ...

    async def find(
        self,
        cluster: str,
        kind: str,
        namespace: str = "",
        *,
        owner_uid: str = "",
        deleted_since_us: int | None = None,
    ) -> tuple[ObjectVersion, ...]:
        """Those that exist; with `deleted_since_us` also those deleted since then."""
        ...

    async def changes(
        self, cluster: str, *, namespace: str = "", since_us: int, until_us: int, limit: int
    ) -> tuple[Change, ...]:
        """The newest `limit`, oldest first."""
        ...

    async def set_gap(self, cluster: str, gap: Gap | None, kind: str) -> None:
        """Note (or clear, with None) that a kind cannot be seen."""
        ...

    async def forget_gaps(self, cluster: str, beginning: str) -> None:
        """Clear those whose `kind` begins so."""
        ...

    async def gaps(self, cluster: str) -> tuple[Gap, ...]: ...

    async def set_listed(self, cluster: str, kind: str) -> None:
        """Note that a kind was listed whole: from now on absence means that there is none."""
        ...

    async def listed(self, cluster: str) -> frozenset[str]:
        """The kinds that were listed whole and have no gap now."""
        ...


class NewEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A timeline entry before it has its number."""

    ts_us: int
    kind: EntryKind
    actor: str
    title: str
    detail: str = ""
    evidence: tuple[str, ...] = ()


class NewIncident(msgspec.Struct, frozen=True, kw_only=True):
    severity: int
    title: str
    cluster: str
    namespace: str
    app: str
    workload: ObjectRef
    open_key: str
    first_signal_us: int
    opened_us: int


class Incidents(Protocol):
    async def open(self, new: NewIncident) -> Incident:
        """Raises: Conflict where one with this `open_key` is open already."""
        ...

    async def get(self, incident_id: IncidentId) -> Incident:
        """Raises: NotFound."""
        ...

    async def opened(self, cluster: str) -> tuple[Incident, ...]:
        """All that are open, newest first."""
        ...

    async def page(
        self, *, status: Sequence[Status] = (), namespace: str = "", before_id: int = 0, limit: int
    ) -> tuple[Incident, ...]:
        """Newest first; `before_id` pages on."""
        ...

    async def last_resolved(self, open_key: str) -> Incident | None:
        """The newest resolved one of the same place."""
        ...

    async def save(self, incident: Incident) -> Incident:
        """Write it as given, with `rev` one up.

        Raises:
            Conflict: its `rev` is not the stored one.
        """
        ...

    async def add_alert(self, incident_id: IncidentId, alert: Alert, reason: str) -> bool:
        """True where the alert is new to the incident; a repeat refreshes it and is False."""
        ...

    async def alerts(self, incident_id: IncidentId) -> tuple[Alert, ...]: ...

    async def add_entry(self, incident_id: IncidentId, entry: NewEntry) -> TimelineEntry: ...

    async def timeline(
        self, incident_id: IncidentId, after_seq: int = 0
    ) -> tuple[TimelineEntry, ...]:
        """By `seq`."""
        ...

    async def keep_evidence(
        self, incident_id: IncidentId, evidence: Iterable[Evidence]
    ) -> tuple[Evidence, ...]:
        """Stores what is new (by source and body) and gives all back with their lasting ids: an
        id once given never changes its meaning. The ids that come in are ignored."""
        ...

    async def evidence(self, incident_id: IncidentId) -> tuple[Evidence, ...]: ...

    async def keep_findings(
        self, incident_id: IncidentId, findings: Findings, gaps: Sequence[Gap], at_us: int
    ) -> None:
        """Replaces those of an earlier look."""
        ...

    async def findings(self, incident_id: IncidentId) -> tuple[Findings, tuple[Gap, ...]] | None:
        """None before the first look."""
        ...

    async def keep_runbooks(
        self, incident_id: IncidentId, matches: Sequence[RunbookMatch]
    ) -> None: ...

    async def runbooks(self, incident_id: IncidentId) -> tuple[RunbookMatch, ...]: ...


class Remediation(Protocol):
    async def add(self, proposal: Proposal) -> Proposal:
        """With its id. One with the same incident and digest that is still proposed is given back
        instead; still proposed ones for the same incident, target and kind of action are
        superseded. Other kinds are alternatives and stay."""
        ...

    async def get(self, proposal_id: ProposalId) -> Proposal:
        """Raises: NotFound."""
        ...

    async def of_incident(self, incident_id: IncidentId) -> tuple[Proposal, ...]:
        """Oldest first."""
        ...

    async def move(
        self, proposal_id: ProposalId, *, to: ProposalStatus, expected: ProposalStatus
    ) -> None:
        """Raises: Conflict where it is not (any more) as expected or may not go there."""
        ...

    async def decide(self, approval: Approval) -> bool:
        """Keep the decision, one of each person, and move the proposal once that settles it: a no
        does, a yes where as many as it needs have said so. True where it is settled.

        Raises:
            Conflict: wrong digest, expired, or no longer proposed; nothing is written then.
        """
        ...

    async def approvals(self, proposal_id: ProposalId) -> tuple[Approval, ...]: ...

    async def claim(
        self, proposal_id: ProposalId, *, owner: str, now_us: int, lease_us: int
    ) -> Claim:
        """The right to act, with a new fence; a claim whose lease ran out may be taken over.

        Raises:
            Conflict: somebody else holds it, or it is ended.
        """
        ...

    async def record(
        self,
        claim: Claim,
        *,
        state: ActionState,
        at_us: int,
        applied: Applied | None = None,
        verification: Verification | None = None,
        lease_us: int = 0,
    ) -> Claim:
        """The next state of the action; also renews the lease.

        Raises:
            Conflict: a later claim took over (the fence is stale).
        """
        ...

    async def renew(self, claim: Claim, *, now_us: int, lease_us: int) -> None:
        """Keep the lease alive without changing the state.

        Raises:
            Conflict: a later claim took over.
        """
        ...

    async def verification(self, proposal_id: ProposalId) -> Verification | None: ...

    async def keep_delivery(self, proposal_id: ProposalId, delivery: GitDelivery) -> None:
        """Replaces what was kept."""
        ...

    async def delivery(self, proposal_id: ProposalId) -> GitDelivery | None:
        """Its pull request; None where there is none (yet)."""
        ...


class Job(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    queue: str
    payload: str
    attempts: int


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """How much waits in a queue."""

    queue: str
    state: str
    """`ready` or `leased`."""
    n: int
    oldest_us: int
    """Since when the oldest has been due; 0 for none."""


class Jobs(Protocol):
    """Work between legs: committed with what caused it, claimed by a lease."""

    async def put(self, queue: str, payload: str, *, run_us: int, dedupe: str = "") -> None:
        """With a `dedupe` key, a job that is still waiting is not doubled."""
        ...

    async def take(
        self, queue: str, *, owner: str, now_us: int, lease_us: int, keeps_key: bool = False
    ) -> Job | None:
        """The next due job, or one whose lease ran out. Where it keeps its key there is no second
        of that key as long as it is not done."""
        ...

    async def renew(self, job: Job, *, now_us: int, lease_us: int) -> None:
        """Keep it for longer.

        Raises:
            Conflict: it is no longer ours.
        """
        ...

    async def done(self, job: Job) -> None: ...

    async def again(self, job: Job, *, run_us: int, error: str) -> None: ...

    async def due(self, now_us: int) -> tuple[Due, ...]:
        """What is due or under way, by queue and state."""
        ...


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    chain: str
    seq: int
    ts_us: int
    actor: str
    action: str
    object: str
    detail: str
    prev_hash: str
    hash: str


class CheckedChain(msgspec.Struct, frozen=True, kw_only=True):
    """One chain of the audit log, its hashes computed anew. `n` of its entries hold; where `fault`
    says what is wrong, `broken_at` is the number of the first that does not."""

    chain: str
    n: int
    broken_at: int
    fault: str
    hash: str
    """Of its last entry; empty where it does not hold."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where a chain was found to hold, and the hash of that entry."""

    seq: int
    hash: str


class Audit(Protocol):
    """Append-only, hash-chained."""

    async def append(
        self, *, chain: str, ts_us: int, actor: str, action: str, object: str, detail: str
    ) -> AuditRow: ...

    async def rows(self, *, chain: str = "", after: int = 0, limit: int) -> tuple[AuditRow, ...]:
        """Newest first; `after` is an offset."""
        ...

    async def broken(self) -> tuple[str, ...]:
        """Chains whose hashes do not add up."""
        ...

    async def check(
        self,
        *,
        after: str = "",
        limit: int,
        held: Mapping[str, Held] | None = None,
        is_whole: bool = False,
    ) -> tuple[CheckedChain, ...]:
        """The next chains in the order of their names, each hashed anew from its beginning.

        Where some `held` before, only what follows that is read, and held against its hash; unless
        `is_whole`: then all is read, and must lead through what held.
        """
        ...

    async def entries(
        self, *, after: tuple[str, int] = ("", 0), limit: int
    ) -> tuple[AuditRow, ...]:
        """All there are, chain by chain and oldest first, from after a chain and number."""
        ...


class Feed(Protocol):
    async def append(
        self,
        *,
        cluster: str,
        ts_us: int,
        kind: str,
        incident_id: IncidentId | None,
        detail: str = "",
    ) -> FeedEntry: ...

    async def since(self, cluster: str, seq: int, limit: int) -> tuple[FeedEntry, ...]: ...

    async def head(self, cluster: str) -> int: ...

    async def oldest(self, cluster: str) -> int:
        """The smallest number that is still kept, 0 for none."""
        ...


class Memories(Protocol):
    async def add(self, memory: Memory) -> Memory: ...

    async def find(
        self, *, cluster: str, namespace: str, app: str, cause: Cause | None, now_us: int
    ) -> tuple[Memory, ...]:
        """Unexpired ones of this app first, then of this cause elsewhere; newest first, 20."""
        ...

    async def of_incidents(
        self, incidents: Sequence[IncidentId], *, now_us: int
    ) -> tuple[Memory, ...]:
        """Unexpired ones of these incidents, by incident."""
        ...

    async def forget(self, memory_id: MemoryId) -> None: ...


class Runbooks(Protocol):
    async def sync(self, runbooks: Sequence[Runbook]) -> int:
        """Make the stored ones of the same `source` equal these; how many changed."""
        ...

    async def get(self, slug: str) -> Runbook:
        """Raises: NotFound."""
        ...

    async def all(self) -> tuple[Runbook, ...]: ...


class Index(Protocol):
    """What search finds by words and by meaning. It is behind its documents and catches up:
    `search.indexing` reads what is missing and keeps what was made of it; again is harmless."""

    async def rank(
        self, corpus: Corpus, text: str, *, limit: int, near: Near | None = None
    ) -> tuple[Ranked, ...]:
        """The best, by words and, where `near` says what the text means, by meaning too; of a
        runbook only its best section. Any word may match. The same order on every database."""
        ...

    async def unread(self, corpus: Corpus, limit: int) -> tuple[Document, ...]:
        """Documents whose words are not, or no longer, in the index."""
        ...

    async def keep_words(self, corpus: Corpus, documents: Sequence[Document]) -> None: ...

    async def gone(self, corpus: Corpus, limit: int) -> tuple[int, ...]:
        """Documents in the index that are gone where they came from."""
        ...

    async def forget(self, corpus: Corpus, documents: Sequence[int]) -> None:
        """Their words and their vectors of every model."""
        ...

    async def unembedded(self, corpus: Corpus, model: str, limit: int) -> tuple[Document, ...]:
        """Documents whose words are in the index, and without a vector of the model for them, but
        for those that it refuses."""
        ...

    async def refuse(self, corpus: Corpus, model: str, document: Document, reason: str) -> None:
        """The model is not asked about this text again."""
        ...

    async def keep_vectors(
        self, corpus: Corpus, model: str, made: Sequence[tuple[Document, Vector]]
    ) -> None:
        """Beside those of other models; some of this one that are of another length go."""
        ...

    async def use(self, model: str, now_us: int) -> None:
        """Note that the model is in use."""
        ...

    async def unused(self, corpus: Corpus, model: str, *, since_us: int) -> str:
        """Another model that has vectors and that nobody has used since; empty for none."""
        ...

    async def forget_vectors(self, corpus: Corpus, model: str) -> None:
        """Some of them, the oldest first."""
        ...

    async def backlog(self, model: str | None) -> tuple[Backlog, ...]:
        """How far each corpus is behind; without a model no vectors are missing."""
        ...


class Unsent(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in the outbox."""

    n: int
    tries: int
    """The most that one of them has had."""
    oldest_us: int
    """When the first of them is, or was, to be sent; 0 for none."""


class Outbox(Protocol):
    async def put(self, notification: Notification, *, due_us: int) -> None:
        """Once for each `dedupe_key`."""
        ...

    async def take(self, *, owner: str, now_us: int, lease_us: int) -> Notification | None:
        """The next due one. One whose lease ran out while sending has an unknown outcome: it is
        marked so, and not given again."""
        ...

    async def settle(
        self, notification_id: NotificationId, *, delivery: Delivery, error: str, retry_us: int
    ) -> None: ...

    async def unsent(self) -> Unsent: ...


class Accounts(Protocol):
    """Who may come in. What opens is never kept, only its hash, and found by that."""

    async def add(self, token: Token) -> None:
        """Raises: Clash where there is one with this hash."""
        ...

    async def token(self, digest: bytes) -> Token | None:
        """Revoked and expired ones too."""
        ...

    async def tokens(self) -> tuple[Token, ...]:
        """Newest first, 1000 at most."""
        ...

    async def revoke(self, digest: bytes, *, at_us: int) -> bool:
        """Closes it for good, and ends what was signed in with it; whether it was open. Also for
        one that is not kept here: only its sign-ins end then."""
        ...

    async def used(self, digest: bytes, *, at_us: int) -> None: ...

    async def sign_in(self, sign_in: SignIn) -> None: ...

    async def sign_in_of(self, digest: bytes) -> SignIn | None:
        """Expired ones too, until they are forgotten."""
        ...

    async def seen(self, digest: bytes, *, at_us: int) -> None: ...

    async def sign_out(self, digest: bytes) -> None:
        """Harmless where it ended already."""
        ...

    async def sign_out_all(self, name: str) -> int:
        """How many sign-ins of the person ended."""
        ...

    async def send_away(self, login: Login) -> None: ...

    async def take_back(self, state: bytes) -> Login | None:
        """It, once: whoever brings the same again gets None."""
        ...

    async def forget(self, *, before_us: int) -> None:
        """Sign-ins and logins that expired before then."""
        ...


class Session(Protocol):
    """One transaction, or one consistent look. Parts share it."""

    @property
    def telemetry(self) -> Telemetry: ...
    @property
    def objects(self) -> Objects: ...
    @property
    def incidents(self) -> Incidents: ...
    @property
    def remediation(self) -> Remediation: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def feed(self) -> Feed: ...
    @property
    def memories(self) -> Memories: ...
    @property
    def runbooks(self) -> Runbooks: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def index(self) -> Index: ...
    @property
    def accounts(self) -> Accounts: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the store's database can do. It works without any of these, only slower."""

    kind: str
    """`SQLite`, `TiDB`, `MariaDB`, `MySQL`."""
    version: str
    vector_type: bool
    vector_index: bool
    full_text: bool
    partitions: bool
    auto_random: bool


class Store(Protocol):
    """Nothing outside the process is awaited inside a transaction."""

    async def run(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Do the work in one transaction, and all of it again where it clashed with somebody's.

        So the work changes nothing but the session, or does what may be done twice. Raises:
        Clash where it clashed every time.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """Read and write; commits on a clean exit (durable then), rolls back on any error."""
        ...

    def view(self) -> AbstractAsyncContextManager[Session]:
        """Read only, one snapshot, never waits for a writer."""
        ...

    async def migrate(self) -> tuple[str, ...]:
        """Apply what is missing; the names of what was applied. Harmless the second time."""
        ...

    async def retire(self, policy: Policy, *, is_dry: bool = False) -> tuple[Retired, ...]:
        """Remove what is older or more than is kept, in many short transactions of its own; with
        `is_dry` only say what would go. Cut off, it has less to do the next time."""
        ...

    async def settle(self) -> None:
        """Write the counts of this process that lag behind their lines, by a second at most where
        this is called as often."""
        ...

    async def pack(self) -> bool:
        """Do one step of what is put off when lines come in: merge what came in small pieces, make
        the ids in it findable. Whether there was anything to do; harmless while others do it."""
        ...

    async def make_days(self) -> tuple[str, ...]:
        """Make room for the coming days where tables are parted by day; what was made. Once a day;
        harmless more often."""
        ...

    async def index_vectors(self, model: str) -> None:
        """Let a vector index of the database follow, where it has one; harmless elsewhere."""
        ...

    async def capabilities(self) -> Capabilities: ...

    async def close(self) -> None: ...


# --------------------------------------------------------------------------- agents, model, people


class Agents(Protocol):
    """The five agents, in this process or elsewhere over HTTP."""

    async def context(self, incident_id: IncidentId) -> Case:
        """Raises: NotFound."""
        ...

    async def hypothesis(self, case: Case) -> Findings:
        """What code alone concludes; at once."""
        ...

    async def consult(self, case: Case) -> Findings | None:
        """The same with a language model's part; takes its time. None where no model is set."""
        ...

    async def suggest(self, case: Case, findings: Findings) -> tuple[RunbookMatch, ...]: ...

    async def propose(self, case: Case, findings: Findings) -> tuple[Proposal, ...]:
        """Best first, each guarded and dry-run; refused ones carry their reason. Not stored."""
        ...

    async def recheck(self, proposal: Proposal) -> Proposal:
        """The same proposal against the object as it is now: equal digest where nothing that
        matters has changed."""
        ...

    async def chaos(self, action: ChaosMemory) -> Applied:
        """Break a demo workload on purpose.

        Raises:
            Refused: it is not in a namespace labelled as demo.
        """
        ...

    async def notify(self, notification: Notification) -> tuple[Delivery, str]:
        """What became of it, with the reason where it was not delivered."""
        ...


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A model's answer: JSON that fits the schema it was given (checked by the adapter)."""

    json: str
    tokens_in: int
    tokens_out: int


class LanguageModel(Protocol):
    """One turn with a model: schema-constrained JSON out."""

    @property
    def name(self) -> str: ...

    async def next(self, *, system: str, prompt: str, schema: dict[str, object]) -> Reply:
        """One repair try on invalid JSON inside.

        Raises:
            Unavailable: no answer in time, or no valid one.
        """
        ...


class EmbedderUse(msgspec.Struct, frozen=True, kw_only=True):
    """What an embedder did since the process started."""

    texts: int
    tokens: int
    cost_usd: float
    """By the price that is set; 0 for a model of our own."""
    failures: int
    """Answers that did not come or were of no use, repeated ones too."""


class Embedder(Protocol):
    """What texts mean, as vectors. Only templates, sections of runbooks, incidents and questions
    are given to it, never log lines."""

    @property
    def name(self) -> str:
        """The model, under which its vectors are kept; empty where there is none."""
        ...

    @property
    def about(self) -> str:
        """For people: which model, or why there is none."""
        ...

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has; 0 where that is not known yet."""
        ...

    @property
    def batch(self) -> int:
        """How many texts it likes to be given at once."""
        ...

    @property
    def use(self) -> EmbedderUse: ...

    async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
        """One vector a text, in order; a long text is cut where the model ends.

        Raises:
            Unavailable: there is no model, no answer in time, or none of use.
            Invalid: it refuses what it was given, as it would the next time.
        """
        ...

    async def close(self) -> None: ...


class Notifier(Protocol):
    """One channel to people."""

    async def deliver(self, notification: Notification) -> tuple[Delivery, str]: ...
