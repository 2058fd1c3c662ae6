"""A store with some of everything, over two days."""

from __future__ import annotations

from copilot.domain.change import Change, ObjectVersion
from copilot.domain.event import Point, SetAside, Span, Stream
from copilot.domain.objects import ObjectRef
from copilot.store import SqlStore
from tests.builders_store import (
    NOW_US,
    SECOND_US,
    a_batch,
    a_fact,
    a_kube_event,
    a_memory,
    a_new_incident,
    a_notification,
    a_proposal,
    a_runbook,
    an_alert,
    an_entry,
)


async def a_history(store: SqlStore, *, pods: int = 60, each: int = 40) -> None:
    """Of each pod so many lines, points, spans, changes and so on, and one incident."""
    for pod in range(pods):
        stream = Stream(cluster="lab", namespace=f"ns-{pod % 7}", app="shop", pod=f"shop-{pod}")
        at_us = NOW_US - pod * 2_880 * SECOND_US
        batch = a_batch(
            *(f"request {i} of {pod} failed" for i in range(each)),
            ts_us=at_us,
            severity=17,
            stream=stream,
            pattern=f"request <*> of {pod} failed",
        )
        times = [at_us + i * 30 * SECOND_US for i in range(each)]
        batch.lines.ts_us = times
        batch.points = [
            Point(name="container.memory.usage", stream=stream, ts_us=ts_us, value=1.0)
            for ts_us in times
        ]
        batch.spans = [
            Span(
                trace_id=ts_us.to_bytes(16, "big"),
                span_id=b"12345678",
                start_us=ts_us,
                duration_us=5,
                service="shop",
                name="GET /",
                stream=stream,
            )
            for ts_us in times
        ]
        batch.kube_events = [a_kube_event(f"e-{pod}")]
        batch.set_aside = [SetAside(source="test", reason="no JSON", body=b"{\0\xff")]
        async with store.transaction() as tx:
            await tx.telemetry.add(batch)
            for ts_us in times:
                await tx.objects.save(*_version(f"d-{pod}", ts_us))
                await tx.feed.append(cluster="lab", ts_us=ts_us, kind="test", incident_id=None)
                await tx.audit.append(
                    chain=f"incident-{pod}",
                    ts_us=ts_us,
                    actor="ana",
                    action="approve",
                    object="INC-1",
                    detail="{}",
                )
            incident = await tx.incidents.open(a_new_incident(f"Deployment/demo/{pod}"))
            await tx.incidents.add_alert(incident.id, an_alert(), "first")
            await tx.remediation.add(a_proposal(incident.id))
            await tx.memories.add(a_memory(incident.id))
            await tx.jobs.put("investigate", str(incident.id), run_us=at_us, dedupe=str(pod))
            facts = [a_fact(str(i), f"log:{pod}:{i}") for i in range(each)]
            await tx.incidents.keep_evidence(incident.id, facts)
            for i in range(each):
                await tx.incidents.add_entry(incident.id, an_entry())
                await tx.outbox.put(a_notification(f"{pod}:{i}"), due_us=at_us)
    async with store.transaction() as tx:
        await tx.runbooks.sync([a_runbook()])


def _version(uid: str, ts_us: int) -> tuple[ObjectVersion, Change]:
    about = ObjectRef(kind="Deployment", namespace="demo", name=uid, uid=uid)
    version = ObjectVersion(
        cluster="lab",
        object=about,
        resource_version=str(ts_us),
        generation=1,
        owner_uid="",
        actor="kubectl",
        seen_us=ts_us,
        is_deleted=False,
        json=b"{}",
    )
    change = Change(
        object=about, ts_us=ts_us, actor="kubectl", generation=1, fields=(), title="image"
    )
    return version, change
