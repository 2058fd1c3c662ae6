"""Shortest ways to make what a store keeps, and the stores that every contract test runs on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from copilot.domain.action import SetMemory
from copilot.domain.alert import Alert, Rule
from copilot.domain.event import Batch, Lines, Point, Severity, Stream, Template
from copilot.domain.evidence import Evidence, EvidenceKind
from copilot.domain.hypothesis import Cause
from copilot.domain.incident import EntryKind, IncidentId
from copilot.domain.memory import Memory, MemoryId
from copilot.domain.notification import Channel, Notification, NotificationId
from copilot.domain.objects import InvolvedObject, KubeEvent, Metadata, ObjectRef
from copilot.domain.proposal import (
    Approval,
    Base,
    Decision,
    DryRun,
    Proposal,
    ProposalId,
    ProposalStatus,
    Risk,
)
from copilot.domain.runbook import Runbook, RunbookId
from copilot.domain.search import HitKind, Query
from copilot.ports import Clock, NewEntry, NewIncident
from copilot.store import SqlStore, open_store
from copilot.store.mysql import MysqlEngine, parse_address
from tests.fakes import FixedClock

NOW_US = 1_795_000_000_000_000
SECOND_US = 1_000_000

SERVER = os.environ.get("COPILOT_TEST_STORE", "")
"""The server's database that the suites run on; `make test-mysql` and `make test-tidb` set it."""
STORES = ("server",) if SERVER else ("sqlite-file", "sqlite-memory")

DEPLOYMENT = ObjectRef(kind="Deployment", namespace="demo", name="oom-demo", uid="d-1")
STREAM = Stream(
    cluster="lab", namespace="demo", app="oom-demo", pod="oom-demo-abc", container="app", node="n1"
)

_keys = count(1)


async def opened(path: Path | str, *, clock: Clock) -> SqlStore:
    """The store under test: the server's where one is named, this file's otherwise."""
    if SERVER:
        return SqlStore(await MysqlEngine.open(parse_address(SERVER)), clock)
    return await open_store(path, clock=clock)


@asynccontextmanager
async def a_store(kind: str, folder: Path) -> AsyncIterator[SqlStore]:
    """A migrated store of a kind of `STORES`."""
    store = await opened(
        ":memory:" if kind == "sqlite-memory" else folder / "store.db", clock=FixedClock(NOW_US)
    )
    try:
        await store.migrate()
        yield store
    finally:
        await store.close()


def a_template(pattern: str = "request <*> done", severity: int = Severity.INFO) -> Template:
    return Template(
        fingerprint=hashlib.md5(pattern.encode()).digest(), pattern=pattern, severity=severity
    )


def a_batch(
    *bodies: str,
    key: bytes = b"",
    ts_us: int = NOW_US,
    severity: int = Severity.INFO,
    stream: Stream = STREAM,
    pattern: str = "request <*> done",
    points: list[Point] | None = None,
    kube_events: list[KubeEvent] | None = None,
) -> Batch:
    """Lines of one stream and one template, a millisecond apart."""
    n = len(bodies)
    return Batch(
        key=key or next(_keys).to_bytes(16, "big"),
        source="test",
        cluster="lab",
        received_us=ts_us,
        streams=[stream],
        templates=[a_template(pattern, severity)],
        lines=Lines(
            ts_us=[ts_us + i * 1000 for i in range(n)],
            stream=[0] * n,
            template=[0] * n,
            severity=[severity] * n,
            body=list(bodies),
        ),
        points=points or [],
        kube_events=kube_events or [],
    )


def a_kube_event(
    uid: str = "e-1", message: str = "Back-off restarting failed container", count: int = 1
) -> KubeEvent:
    return KubeEvent(
        metadata=Metadata(name="oom-demo.1", namespace="demo", uid=uid),
        involved_object=InvolvedObject(
            kind="Pod", namespace="demo", name="oom-demo-abc", uid="pod-1"
        ),
        type="Warning",
        reason="BackOff",
        message=message,
        count=count,
    )


def a_query(*words: str, kinds: frozenset[HitKind] = frozenset(HitKind), **given: Any) -> Query:
    values: dict[str, Any] = {
        "words": words,
        "phrases": (),
        "excluded": (),
        "kinds": kinds,
        "namespace": "",
        "app": "",
        "min_severity": 0,
        "since_us": 0,
        "until_us": 0,
        "limit": 20,
    }
    return Query(**(values | given))


def a_new_incident(open_key: str = "Deployment/demo/oom-demo", **given: Any) -> NewIncident:
    values: dict[str, Any] = {
        "severity": 2,
        "title": "oom-demo is killed for memory",
        "cluster": "lab",
        "namespace": "demo",
        "app": "oom-demo",
        "workload": DEPLOYMENT,
        "open_key": open_key,
        "first_signal_us": NOW_US - 5 * SECOND_US,
        "opened_us": NOW_US,
    }
    return NewIncident(**(values | given))


def an_alert(fingerprint: str = "oom/demo/oom-demo/app", **given: Any) -> Alert:
    values: dict[str, Any] = {
        "fingerprint": fingerprint,
        "rule": Rule.OOM_KILLED,
        "cluster": "lab",
        "workload": DEPLOYMENT,
        "pod": "oom-demo-abc",
        "container": "app",
        "node": "n1",
        "severity": 2,
        "title": "app was killed for memory",
        "message": "exit code 137",
        "starts_us": NOW_US,
        "last_us": NOW_US,
        "count": 1,
        "source": "pod status",
    }
    return Alert(**(values | given))


def an_entry(title: str = "opened") -> NewEntry:
    return NewEntry(
        ts_us=NOW_US, kind=EntryKind.OPENED, actor="detect", title=title, evidence=("E1",)
    )


def a_fact(body: str = "OOMKilled", source: str = "object:pod-1@7") -> Evidence:
    return Evidence(
        id="",
        kind=EvidenceKind.OBJECT,
        title="The container was killed",
        occurred_us=NOW_US,
        source=source,
        body=body,
    )


def a_proposal(
    incident_id: int = 1,
    *,
    limit: str = "64Mi",
    digest: str = "",
    status: ProposalStatus = ProposalStatus.PROPOSED,
    target: ObjectRef = DEPLOYMENT,
) -> Proposal:
    return Proposal(
        id=ProposalId(0),
        incident_id=IncidentId(incident_id),
        action=SetMemory(target=target, container="app", limit=limit),
        title=f"memory limit to {limit}",
        why="it needs more",
        evidence=("E1",),
        hypothesis="H1",
        base=Base(uid="d-1", generation=3, fields_hash="f" * 64),
        patch='{"spec":{}}',
        rollback=None,
        no_rollback_reason="there is none",
        command="kubectl patch",
        risk=Risk.LOW,
        risk_reasons=("one workload",),
        disruption="a rollout",
        window_s=60,
        dry_run=DryRun(accepted=True, message="ok", diff="-a\n+b"),
        status=status,
        refusal="",
        digest=digest or hashlib.sha256(limit.encode()).hexdigest(),
        created_us=NOW_US,
        expires_us=NOW_US + 3600 * SECOND_US,
    )


def an_approval(
    proposal: Proposal, *, digest: str = "", ts_us: int = NOW_US, by: str = "ana"
) -> Approval:
    return Approval(
        proposal_id=proposal.id,
        approver=by,
        decision=Decision.APPROVE,
        digest=digest or proposal.digest,
        reason="looks right",
        ts_us=ts_us,
    )


def a_memory(incident_id: int = 1, **given: Any) -> Memory:
    values: dict[str, Any] = {
        "id": MemoryId(0),
        "incident_id": IncidentId(incident_id),
        "cluster": "lab",
        "namespace": "demo",
        "app": "oom-demo",
        "rules": ("oom_killed",),
        "cause": Cause.MEMORY_LIMIT_TOO_LOW,
        "fix": "memory limit 32Mi → 64Mi",
        "action": "{}",
        "has_held": True,
        "mttr_seconds": 42,
        "created_us": NOW_US,
        "expires_us": None,
    }
    return Memory(**(values | given))


def a_runbook(slug: str = "oom-killed", **given: Any) -> Runbook:
    values: dict[str, Any] = {
        "id": RunbookId(0),
        "slug": slug,
        "service": "",
        "title": "A container is OOMKilled",
        "body": "Compare its peak with the limit.",
        "tags": ("memory", "oom"),
        "source": "docs",
        "updated_us": NOW_US,
    }
    return Runbook(**(values | given))


def a_notification(dedupe_key: str = "opened:1") -> Notification:
    return Notification(
        id=NotificationId(0),
        incident_id=IncidentId(1),
        channel=Channel.SLACK,
        dedupe_key=dedupe_key,
        title="INC-1",
        text="opened",
        link="http://localhost/incidents/1",
        attempts=0,
    )
