"""The context agent over a store that a watcher and senders have filled."""

from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import msgspec
import pytest

from copilot.agents.context import context
from copilot.domain import attributes
from copilot.domain.case import Case
from copilot.domain.change import ObjectVersion
from copilot.domain.errors import NotFound
from copilot.domain.event import Batch, Lines, Point, Severity, Stream, Template
from copilot.domain.evidence import EvidenceKind, Gap
from copilot.domain.incident import IncidentId
from copilot.domain.objects import (
    KubeEvent,
    Metadata,
    Node,
    ObjectRef,
    Pod,
    Service,
    ServiceSpec,
    controller_of,
)
from copilot.domain.proposal import ProposalStatus
from copilot.ports import NewIncident, Session, Store
from copilot.store.sqlite import open_store
from tests.builders_case import (
    MI,
    NEW,
    OLD,
    a_case,
    a_limit_change,
    a_memory,
    a_series,
    an_alert,
    an_event,
)
from tests.builders_objects import (
    NOW_US,
    a_container,
    a_deployment,
    a_node,
    a_pod,
    a_ref,
    a_replica_set,
    ago,
    ago_us,
    an_oom_killed_pod,
)
from tests.builders_store import a_proposal
from tests.fakes import FixedClock

APP = "billing"
OLD_POD = a_pod(
    APP, template_hash=OLD, suffix="old01", containers=[a_container(limit="64Mi")], created=ago(900)
)
NEW_POD = an_oom_killed_pod(APP, template_hash=NEW, suffix="new01", limit="32Mi")


class HasMetadata(Protocol):
    @property
    def metadata(self) -> Metadata: ...


def a_version(thing: HasMetadata, kind: str, *, is_deleted: bool = False) -> ObjectVersion:
    meta = thing.metadata
    owner = controller_of(meta)
    return ObjectVersion(
        cluster="dev",
        object=ObjectRef(kind=kind, namespace=meta.namespace, name=meta.name, uid=meta.uid),
        resource_version=meta.resource_version,
        generation=1,
        owner_uid=owner.uid if owner else "",
        actor="",
        seen_us=ago_us(40 if is_deleted else 20),
        is_deleted=is_deleted,
        json=msgspec.json.encode(thing),
    )


def a_batch(
    *,
    bodies: tuple[str, ...] = (),
    pod: Pod = NEW_POD,
    points: tuple[tuple[Pod, float, float], ...] = (),
    events: tuple[KubeEvent, ...] = (),
) -> Batch:
    """Lines end 20 s ago, a fifth of a second apart; points are (pod, seconds ago, MiB)."""
    stream = stream_of(pod)
    n = len(bodies)
    return Batch(
        key=b"k" * 16,
        source="test",
        cluster="dev",
        received_us=NOW_US,
        streams=[stream],
        templates=[Template(fingerprint=b"t" * 16, pattern="cache grew", severity=9)],
        lines=Lines(
            ts_us=[ago_us(20 + 0.2 * (n - i)) for i in range(n)],
            stream=[0] * n,
            template=[0] * n,
            severity=[Severity.INFO] * n,
            body=list(bodies),
        ),
        points=[
            Point(
                name=attributes.MEMORY_WORKING_SET,
                stream=stream_of(p),
                ts_us=ago_us(seconds),
                value=mebibytes * MI,
            )
            for p, seconds, mebibytes in points
        ],
        kube_events=list(events),
    )


def stream_of(pod: Pod) -> Stream:
    return Stream(
        cluster="dev", namespace="demo", app=APP, pod=pod.metadata.name, container="app", node="dev"
    )


async def an_opened_incident(tx: Session) -> IncidentId:
    opened = await tx.incidents.open(
        NewIncident(
            severity=2,
            title="billing runs out of memory",
            cluster="dev",
            namespace="demo",
            app=APP,
            workload=a_ref("Deployment", APP),
            open_key=f"Deployment/demo/{APP}",
            first_signal_us=ago_us(40),
            opened_us=ago_us(39),
        )
    )
    await tx.incidents.add_alert(
        opened.id, an_alert(app=APP, pod=NEW_POD.metadata.name), "first_alert"
    )
    return opened.id


async def keep_objects(tx: Session) -> None:
    save = tx.objects.save
    change = a_limit_change("64Mi", "32Mi", at=ago(48), app=APP)
    await save(a_version(a_deployment(APP, revision=2), "Deployment"), change)
    for hash_, revision, age in ((OLD, 1, 900), (NEW, 2, 48)):
        owned = a_replica_set(APP, template_hash=hash_, revision=revision, created=ago(age))
        await save(a_version(owned, "ReplicaSet"), None)
    await save(a_version(OLD_POD, "Pod", is_deleted=True), None)
    await save(a_version(NEW_POD, "Pod"), None)
    await save(a_version(a_pod("healthy"), "Pod"), None)
    for node in (a_node("dev"), a_node("other")):
        await save(a_version(node, "Node"), None)
    for name, app in (("front", APP), ("away", "healthy")):
        service = Service(
            metadata=Metadata(name=name, namespace="demo", uid=f"uid-svc-{name}"),
            spec=ServiceSpec(selector={"app": app}),
        )
        await save(a_version(service, "Service"), None)


async def a_store() -> Store:
    store = await open_store(":memory:", clock=FixedClock(NOW_US))
    await store.migrate()
    return store


async def the_case(batch: Batch | None = None, *, prepare: bool = True) -> Case:
    """Everything stored, then looked at once."""
    store = await a_store()
    try:
        async with store.transaction() as tx:
            incident_id = await an_opened_incident(tx)
            if prepare:
                await keep_objects(tx)
            if batch is not None:
                await tx.telemetry.add(batch)
        async with store.view() as view:
            return await context(incident_id, view, now_us=NOW_US)
    finally:
        await store.close()


async def test_the_workload_its_revisions_and_its_pods_are_there() -> None:
    case = await the_case()

    assert case.workload is not None
    assert [r.metadata.name for r in case.replica_sets] == [f"{APP}-{NEW}", f"{APP}-{OLD}"]
    assert {p.metadata.name for p in case.pods} == {
        OLD_POD.metadata.name,
        NEW_POD.metadata.name,
    }
    assert [r.kind for r in case.owner_chain] == ["Pod", "ReplicaSet", "Deployment"]


async def test_a_deleted_pod_says_that_it_is_gone() -> None:
    case = await the_case()

    gone = {p.metadata.name: p.metadata.deletion_timestamp for p in case.pods}
    assert gone[OLD_POD.metadata.name] == ago(40)
    assert gone[NEW_POD.metadata.name] is None


async def test_only_its_own_nodes_and_services_are_taken() -> None:
    case = await the_case()

    assert [n.metadata.name for n in case.nodes] == ["dev"]
    assert [s.metadata.name for s in case.services] == ["front"]


async def test_a_pod_without_a_node_brings_all_nodes() -> None:
    store = await a_store()
    homeless = msgspec.structs.replace(
        NEW_POD, spec=msgspec.structs.replace(NEW_POD.spec, node_name="")
    )
    async with store.transaction() as tx:
        incident_id = await an_opened_incident(tx)
        await keep_objects(tx)
        await tx.objects.save(a_version(homeless, "Pod"), None)
    async with store.view() as view:
        case = await context(incident_id, view, now_us=NOW_US)
    await store.close()

    assert len(case.nodes) == 2


async def test_the_last_lines_before_the_kill_are_evidence_to_the_letter() -> None:
    bodies = tuple(f'{{"msg":"cache grew","allocated_mib":{2 * i}}}' for i in range(1, 16))

    case = await the_case(a_batch(bodies=bodies))

    logged = [item for item in case.evidence if item.kind is EvidenceKind.LOG]
    assert [item.body for item in logged] == list(bodies[-3:])
    assert all(item.source == f"log:{line.address}" for item, line in zip(logged, case.lines[-3:]))


async def test_the_change_just_before_is_evidence_with_who_made_it() -> None:
    case = await the_case()

    change = next(item for item in case.evidence if item.kind is EvidenceKind.CHANGE)
    assert change.title == "memory limit 64Mi → 32Mi by kubectl-edit"
    assert case.cited_as[f"change:uid-{APP}@{ago_us(48)}"] == change.id


async def test_memory_of_the_pod_that_is_gone_is_kept() -> None:
    points = tuple((OLD_POD, 500.0 - 10 * i, 48.0) for i in range(10))

    case = await the_case(a_batch(points=points))

    assert [s.pod for s in case.memory] == [OLD_POD.metadata.name]
    assert any(item.kind is EvidenceKind.METRIC and "48Mi" in item.title for item in case.evidence)


async def test_noise_among_events_is_no_evidence() -> None:
    back_off = an_event("BackOff", "Back-off restarting failed container", NEW_POD, at=ago(9))
    noise = an_event("MissingClusterDNS", "kubelet does not have ClusterDNS", NEW_POD, at=ago(5))

    case = await the_case(a_batch(events=(back_off, noise)))

    assert len(case.events) == 2
    cited = [item.source for item in case.evidence if item.kind is EvidenceKind.EVENT]
    assert cited == [f"event:{back_off.metadata.uid}"]


async def test_evidence_is_a_handful_and_every_source_can_be_found_by_its_key() -> None:
    case = await the_case(a_batch(bodies=("one", "two", "three", "four")))

    assert 4 <= len(case.evidence) <= 14
    assert [item.id for item in case.evidence] == [
        f"E{n}" for n in range(1, len(case.evidence) + 1)
    ]
    assert set(case.cited_as.values()) == {item.id for item in case.evidence}


async def test_looking_again_keeps_the_ids_that_were_stored() -> None:
    store = await a_store()
    async with store.transaction() as tx:
        incident_id = await an_opened_incident(tx)
        await keep_objects(tx)
        first = await context(incident_id, tx, now_us=NOW_US)
        kept = await tx.incidents.keep_evidence(incident_id, first.evidence)
        await tx.telemetry.add(a_batch(bodies=("a late line",)))
        second = await context(incident_id, tx, now_us=NOW_US + 5_000_000)
        again = await tx.incidents.keep_evidence(incident_id, second.evidence)
    await store.close()

    assert kept == first.evidence
    assert again == second.evidence
    assert second.evidence[: len(first.evidence)] == first.evidence
    assert [item.body for item in second.evidence[len(first.evidence) :]] == ["a late line"]


async def test_an_item_that_would_be_called_otherwise_by_now_keeps_its_id() -> None:
    store = await a_store()
    async with store.transaction() as tx:
        incident_id = await an_opened_incident(tx)
        await keep_objects(tx)
        first = await context(incident_id, tx, now_us=NOW_US)
        renamed = [replace(item, title=f"once {item.title}") for item in first.evidence]
        kept = await tx.incidents.keep_evidence(incident_id, renamed)
        second = await context(incident_id, tx, now_us=NOW_US)
        again = await tx.incidents.keep_evidence(incident_id, second.evidence)
    await store.close()

    assert second.evidence == kept
    assert again == second.evidence


async def test_an_earlier_incident_like_it_comes_with_its_fix_and_the_reason() -> None:
    store = await a_store()
    async with store.transaction() as tx:
        incident_id = await an_opened_incident(tx)
        await keep_objects(tx)
        await tx.memories.add(a_memory(app=APP, incident_id=901))
        await tx.memories.add(a_memory(app="cart", incident_id=902))
        case = await context(incident_id, tx, now_us=NOW_US)
    await store.close()

    assert [s.memory.app for s in case.similar] == [APP, "cart"]
    assert case.similar[0].score > 0.9 > case.similar[1].score
    assert case.similar[0].reason == f"same app {APP}, same signs (oom_killed)"
    assert "incident:901" in case.cited_as


async def test_only_a_fix_that_was_taken_back_has_been_tried() -> None:
    proposed, approved = ProposalStatus.PROPOSED, ProposalStatus.APPROVED
    applied, reverted = ProposalStatus.APPLIED, ProposalStatus.REVERTED
    store = await a_store()
    async with store.transaction() as tx:
        incident_id = await an_opened_incident(tx)
        for limit, path in (
            ("64Mi", (proposed, approved, applied, reverted)),
            ("96Mi", (proposed, approved, applied, ProposalStatus.FAILED)),
            ("128Mi", (proposed, approved, ProposalStatus.FAILED)),
        ):
            stored = await tx.remediation.add(a_proposal(incident_id, limit=limit))
            for before, after in pairwise(path):
                await tx.remediation.move(stored.id, to=after, expected=before)
        case = await context(incident_id, tx, now_us=NOW_US)
    await store.close()

    assert ["64Mi" in attempt.action for attempt in case.attempts] == [True]


async def test_what_could_not_be_seen_is_a_gap_with_its_reason() -> None:
    store = await a_store()
    async with store.transaction() as tx:
        incident_id = await an_opened_incident(tx)
        await keep_objects(tx)
        await tx.objects.set_gap("dev", Gap(what="Event", reason="forbidden"), "Event")
        case = await context(incident_id, tx, now_us=NOW_US)
    await store.close()

    gaps = {g.what: g.reason for g in case.gaps}
    assert gaps["Event"] == "forbidden"
    assert "ever received" in gaps[f"log of app in {NEW_POD.metadata.name}"]
    assert f"memory of app in {NEW_POD.metadata.name}" in gaps


async def test_a_workload_nobody_has_seen_is_a_gap_and_no_error() -> None:
    case = await the_case(prepare=False)

    assert case.workload is None
    assert case.pods == ()
    assert any("has not seen it" in gap.reason for gap in case.gaps)
    assert [item.kind for item in case.evidence] == [EvidenceKind.ALERT]


async def test_an_incident_that_does_not_exist_is_not_found() -> None:
    store = await a_store()
    async with store.view() as view:
        with pytest.raises(NotFound):
            await context(IncidentId(4040), view, now_us=NOW_US)
    await store.close()


def test_a_case_travels_as_json_and_comes_back_the_same() -> None:
    case = a_case(pods=[NEW_POD], memory=[a_series(NEW_POD, [1, 2, 3], since=ago(30))])

    assert msgspec.json.decode(msgspec.json.encode(case), type=Case) == case


def test_a_node_under_no_pressure_is_no_evidence() -> None:
    node: Node = a_node()

    case = a_case(pods=[NEW_POD], nodes=[node])

    assert not any(item.title.startswith("Node ") for item in case.evidence)
