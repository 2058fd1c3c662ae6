"""The gateway: the API of the screens, approvals, search and the live feed.

REST lives under `/api`; the founding paths answer at the root too.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import PlainTextResponse

from copilot import __version__
from copilot.domain.errors import BadInput, Conflict
from copilot.domain.event import Event, LineAddress
from copilot.domain.evidence import Evidence
from copilot.domain.incident import Incident, IncidentId, Status, TimelineEntry
from copilot.domain.objects import ObjectRef
from copilot.domain.people import Role
from copilot.domain.proposal import ProposalId
from copilot.flow import Flow
from copilot.learn.postmortem import postmortem
from copilot.ports import Clock, Embedder, Store
from copilot.roles import heatmap, problems, room
from copilot.roles.audited import AuditCheck
from copilot.roles.database_view import database_view
from copilot.roles.index_view import index_view
from copilot.roles.live import feed_message
from copilot.roles.people import Person
from copilot.roles.token_routes import token_router
from copilot.roles.views import (
    ApprovalAccepted,
    ApproveBody,
    AuditPage,
    AuditView,
    ChangeView,
    ChaosBody,
    ChaosStarted,
    ChaosView,
    ClusterView,
    DatabaseView,
    FeedMessage,
    IncidentPage,
    IncidentRow,
    LogWindow,
    Me,
    MemoryChart,
    NewIncidentBody,
    NoteBody,
    Problem,
    ProposalView,
    RejectBody,
    ResolveBody,
    RoomView,
    RunbookView,
    SearchCountsView,
    SearchView,
    SetAsideView,
    StatusView,
    Trouble,
)
from copilot.search.meaning import Meaning
from copilot.search.query import parse

PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What the routes work with."""

    flow: Flow
    store: Store
    clock: Clock
    cluster: str
    mode: str
    model: str | None
    whoami: Callable[[Request], Person]
    """The signed-in person, who has passed the door already."""
    cluster_info: Callable[[], Awaitable[tuple[str, bool]]]
    """Version of the cluster and whether it is the demo cluster."""
    embedder: Embedder
    meaning: Meaning
    """What a question means, for `view.index.rank(.., near=..)`; asked before a view is opened."""
    troubles: Callable[[], tuple[Trouble, ...]] = tuple
    """What ails the co-pilot itself."""


def gateway_router(gateway: Gateway) -> APIRouter:
    """Every REST route, without prefix."""
    router = APIRouter(responses={"default": {"model": Problem}})
    router.include_router(_about(gateway))
    router.include_router(_incidents(gateway))
    router.include_router(_proposals(gateway))
    router.include_router(_search(gateway))
    router.include_router(_knowledge(gateway))
    router.include_router(_chaos(gateway))
    router.include_router(token_router(gateway.store, gateway.clock, gateway.whoami))
    return router


def founding_router(gateway: Gateway) -> APIRouter:
    """The founding paths at the root: what is posted to incidents and proposals, and search.

    Reading them is left to `/api`: at the root those paths are pages.
    """
    router = APIRouter()
    for part in (_incidents(gateway), _proposals(gateway)):
        part.routes[:] = [r for r in part.routes if "POST" in getattr(r, "methods", ())]
        router.include_router(part)
    router.include_router(_search(gateway))
    return router


def openapi_app(gateway: Gateway) -> FastAPI:
    """The API under `/api`, with its OpenAPI document."""
    app = FastAPI(title="Incident Co-Pilot", version=__version__, docs_url=None, redoc_url=None)
    problems.install(app)
    app.include_router(gateway_router(gateway), prefix="/api")
    return app


def openapi_json() -> str:
    """The OpenAPI document, the same every time: the UI's client is generated from it."""
    unwired = Gateway(  # only the shapes of its routes are read
        flow=cast(Flow, None),
        store=cast(Store, None),
        clock=cast(Clock, None),
        cluster="",
        mode="",
        model=None,
        whoami=_nobody,
        cluster_info=cast(Callable[[], Awaitable[tuple[str, bool]]], None),
        embedder=cast(Embedder, None),
        meaning=cast(Meaning, None),
    )
    document = openapi_app(unwired).openapi()
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _nobody(request: Request) -> Person:
    return Person(name="", role=Role.VIEWER, via="", sign_in=None)


def _named(gateway: Gateway) -> Callable[[Request], str]:
    """The name under which an act is recorded."""

    def name(request: Request) -> str:
        return gateway.whoami(request).name

    return name


def _about(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["cluster"])

    @router.get("/me")
    async def me(request: Request) -> Me:
        """Who is signed in."""
        person = gateway.whoami(request)
        return Me(
            name=person.name,
            role=person.role,
            via=person.via,
            has_session=person.sign_in is not None,
        )

    @router.get("/status")
    async def status() -> StatusView:
        """About this co-pilot, the cluster it watches, and what it cannot see."""
        version, is_demo = await gateway.cluster_info()
        async with gateway.store.view() as view:
            counts = await view.telemetry.counts()
            opened = await view.incidents.opened(gateway.cluster)
            nodes = await view.objects.find(gateway.cluster, "Node")
            index = await index_view(view, gateway.embedder)
            return StatusView(
                version=__version__,
                cluster=gateway.cluster,
                cluster_version=version,
                is_demo=is_demo,
                is_synced=bool(nodes),
                nodes=len(nodes),
                mode=gateway.mode,
                model=gateway.model,
                gaps=list(await view.objects.gaps(gateway.cluster)),
                troubles=list(gateway.troubles()),
                feed_head=await view.feed.head(gateway.cluster),
                now_us=gateway.clock.now_us(),
                open_incidents=len(opened),
                lines=counts.lines,
                events=counts.events,
                set_aside=counts.set_aside,
                index=index,
            )

    @router.get("/database")
    async def database() -> DatabaseView:
        """What the store's database can do. By itself, beside the status that every page asks for:
        the first time the database is asked by changes of its schema, which may have to wait."""
        return database_view(await gateway.store.capabilities())

    @router.get("/cluster")
    async def cluster() -> ClusterView:
        """Health of every pod by namespace, worst first."""
        async with gateway.store.view() as view:
            return await heatmap.cluster_view(view, gateway.cluster, gateway.clock.now_us())

    @router.get("/feed")
    async def feed(since: int = 0) -> list[FeedMessage]:
        """What the live stream sends after a sequence number: for who cannot keep a socket."""
        async with gateway.store.view() as view:
            entries = await view.feed.since(gateway.cluster, since, 500)
        return [feed_message(entry) for entry in entries]

    @router.get("/changes")
    async def changes(
        namespace: str = "", minutes: Annotated[int, Query(ge=1, le=10_080)] = 60
    ) -> list[ChangeView]:
        """What changed lately, newest first."""
        async with gateway.store.view() as view:
            return await heatmap.change_views(
                view, gateway.cluster, namespace, minutes, gateway.clock.now_us()
            )

    return router


def _incidents(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["incidents"])
    who = Annotated[str, Depends(_named(gateway))]

    @router.get("/incidents")
    async def page(
        status: Annotated[list[Status] | None, Query()] = None,
        namespace: str = "",
        before_id: int = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = PAGE,
    ) -> IncidentPage:
        """A page of incidents, newest first."""
        async with gateway.store.view() as view:
            found = await view.incidents.page(
                status=status or (), namespace=namespace, before_id=before_id, limit=limit
            )
            rows = [
                IncidentRow(
                    incident=incident,
                    stage=await room.stage_of(view, incident),
                    alerts=len(await view.incidents.alerts(incident.id)),
                )
                for incident in found
            ]
            opened = await view.incidents.opened(gateway.cluster)
            resolved = await view.incidents.page(status=(Status.RESOLVED,), limit=1000)
        return IncidentPage(
            rows=rows,
            next_before_id=found[-1].id if len(found) == limit else None,
            open=len(opened),
            resolved=len(resolved),
        )

    @router.post("/incidents", status_code=201)
    async def create(body: NewIncidentBody, actor: who) -> Incident:
        """Open an incident by hand; the open one of the same workload is given back instead."""
        workload = ObjectRef(kind=body.kind, namespace=body.namespace, name=body.name)
        return await gateway.flow.open_by_hand(workload, title=body.title, actor=actor)

    @router.get("/incidents/{incident_id}")
    async def read(incident_id: int) -> RoomView:
        """Everything the incident room shows."""
        async with gateway.store.view() as view:
            return await room.room_view(view, IncidentId(incident_id))

    @router.get("/incidents/{incident_id}/timeline")
    async def timeline(incident_id: int, after_seq: int = 0) -> list[TimelineEntry]:
        """Entries after a sequence number, in order."""
        async with gateway.store.view() as view:
            await view.incidents.get(IncidentId(incident_id))
            return list(await view.incidents.timeline(IncidentId(incident_id), after_seq))

    @router.get("/incidents/{incident_id}/evidence/{evidence_id}")
    async def evidence(incident_id: int, evidence_id: str) -> Evidence:
        """One piece of evidence, whole."""
        async with gateway.store.view() as view:
            return await room.one_evidence(view, IncidentId(incident_id), evidence_id)

    @router.get("/incidents/{incident_id}/memory")
    async def memory(incident_id: int) -> MemoryChart:
        """Memory of the workload around the incident, with its limit, changes and alerts."""
        async with gateway.store.view() as view:
            return await room.memory_chart(view, IncidentId(incident_id), gateway.clock.now_us())

    @router.get("/incidents/{incident_id}/postmortem", response_class=PlainTextResponse)
    async def export(incident_id: int) -> PlainTextResponse:
        """The incident as Markdown: timeline, cause, evidence, what was done."""
        async with gateway.store.view() as view:
            record = await room.record_of(view, IncidentId(incident_id))
        return PlainTextResponse(postmortem(record), media_type="text/markdown; charset=utf-8")

    @router.post("/incidents/{incident_id}/remediate")
    async def remediate(incident_id: int, actor: who) -> list[ProposalView]:
        """Look again now, and give the proposals; the same case gives the same proposals."""
        await gateway.flow.investigate(IncidentId(incident_id), asked_by=actor)
        async with gateway.store.view() as view:
            return await room.proposal_views(view, IncidentId(incident_id))

    @router.post("/incidents/{incident_id}/resolve")
    async def resolve(incident_id: int, body: ResolveBody, actor: who) -> Incident:
        """End it by hand."""
        return await gateway.flow.resolve(
            IncidentId(incident_id), resolution=body.resolution, actor=actor
        )

    @router.post("/incidents/{incident_id}/ack")
    async def acknowledge(incident_id: int, actor: who) -> Incident:
        """Say that somebody is on it; the first one counts."""
        return await gateway.flow.acknowledge(IncidentId(incident_id), actor=actor)

    @router.post("/incidents/{incident_id}/notes", status_code=201)
    async def note(incident_id: int, body: NoteBody, actor: who) -> TimelineEntry:
        """Add a note to the timeline."""
        return await gateway.flow.note(IncidentId(incident_id), text=body.text, actor=actor)

    return router


def _proposals(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["proposals"])
    who = Annotated[str, Depends(_named(gateway))]

    @router.get("/proposals/{proposal_id}")
    async def read(proposal_id: int) -> ProposalView:
        """One proposal."""
        async with gateway.store.view() as view:
            return await room.proposal_view(view, ProposalId(proposal_id))

    @router.post(
        "/proposals/{proposal_id}/approve",
        status_code=202,
        responses={409: {"model": Problem, "description": "Not any more what was seen"}},
    )
    async def approve(proposal_id: int, body: ApproveBody, actor: who) -> ApprovalAccepted:
        """Approve exactly the change with this digest.

        409 where the object has changed since: the problem's `proposal` has the new diff.
        """
        try:
            await gateway.flow.approve(
                ProposalId(proposal_id), digest=body.digest, reason=body.reason, actor=actor
            )
        except Conflict as conflict:
            raise await _with_new_diff(gateway, conflict) from None
        async with gateway.store.view() as view:
            return ApprovalAccepted(
                proposal=await room.proposal_view(view, ProposalId(proposal_id))
            )

    @router.post("/proposals/{proposal_id}/merge", status_code=202)
    async def merge(proposal_id: int, actor: who) -> ProposalView:
        """Merge its pull request, in the simulation only: elsewhere people do on their host."""
        await gateway.flow.merge(ProposalId(proposal_id), actor=actor)
        async with gateway.store.view() as view:
            return await room.proposal_view(view, ProposalId(proposal_id))

    @router.post("/proposals/{proposal_id}/reject")
    async def reject(proposal_id: int, body: RejectBody, actor: who) -> ProposalView:
        """Say no to it."""
        await gateway.flow.reject(ProposalId(proposal_id), reason=body.reason, actor=actor)
        async with gateway.store.view() as view:
            return await room.proposal_view(view, ProposalId(proposal_id))

    return router


async def _with_new_diff(gateway: Gateway, conflict: Conflict) -> Conflict:
    """The conflict, with the proposal that took the place of the one that came too late."""
    newer = conflict.detail.get("proposal_id")
    if not isinstance(newer, int):
        return conflict
    async with gateway.store.view() as view:
        proposal = await room.proposal_view(view, ProposalId(newer))
    return Conflict(conflict.message, detail={"proposal": jsonable_encoder(proposal)})


def _search(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["knowledge"])

    @router.get("/search")
    async def search(
        q: str = "",
        limit: Annotated[int, Query(ge=1, le=200)] = PAGE,
        after: Annotated[str, Query(max_length=500)] = "",
    ) -> SearchView:
        """A page of logs, events, incidents, runbooks and changes: what fits best, then what
        happened, the newest first. See the search page for operators."""
        started_us = gateway.clock.now_us()
        query = parse(q, now_us=started_us, limit=limit)
        near = await gateway.meaning.of(query.text) if not after else None
        async with gateway.store.view() as view:
            found = await view.telemetry.search(query, after=after, near=near)
        return SearchView(
            hits=list(found.hits),
            words=[*query.phrases, *query.words],
            next=found.next,
            looked_back_to_us=found.looked_back_to_us,
            scanned_lines=found.scanned_lines,
            took_ms=(gateway.clock.now_us() - started_us) // 1000,
        )

    @router.get("/search/counts")
    async def counts(
        q: str = "", limit: Annotated[int, Query(ge=1, le=200)] = PAGE
    ) -> SearchCountsView:
        """How many hits a search has: by kind, namespace, app and level, and over time."""
        started_us = gateway.clock.now_us()
        query = parse(q, now_us=started_us, limit=limit)
        near = await gateway.meaning.of(query.text)
        async with gateway.store.view() as view:
            counted = await view.telemetry.search_counts(query, now_us=started_us, near=near)
        took_ms = (gateway.clock.now_us() - started_us) // 1000
        return SearchCountsView(counted=counted, took_ms=took_ms)

    return router


def _knowledge(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["knowledge"])
    check = AuditCheck(gateway.store, gateway.clock)

    @router.get("/events/{event_id}")
    async def event(event_id: int) -> Event:
        """One event of the row tier."""
        async with gateway.store.view() as view:
            return await view.telemetry.event(event_id)

    @router.get("/logs")
    async def logs(
        address: str,
        before: Annotated[int, Query(ge=0, le=500)] = 50,
        after: Annotated[int, Query(ge=0, le=500)] = 50,
    ) -> LogWindow:
        """The line at `segment:line` and its neighbours of the same container."""
        segment, _, line = address.partition(":")
        if not all(part.isdecimal() and len(part) < 20 for part in (segment, line)):
            raise BadInput(f"{address!r} is not a line address; write it as segment:line")
        where = LineAddress(segment=int(segment), line=int(line))
        async with gateway.store.view() as view:
            lines = await view.telemetry.lines_at(where, before, after)
        return LogWindow(address=str(where), lines=list(lines))

    @router.get("/runbooks")
    async def runbooks() -> list[RunbookView]:
        """All runbooks."""
        async with gateway.store.view() as view:
            return [room.runbook_view(runbook) for runbook in await view.runbooks.all()]

    @router.get("/runbooks/{slug}")
    async def runbook(slug: str) -> RunbookView:
        """One runbook."""
        async with gateway.store.view() as view:
            return room.runbook_view(await view.runbooks.get(slug))

    @router.get("/audit")
    async def audit(chain: str = "", after: Annotated[int, Query(ge=0)] = 0) -> AuditPage:
        """The audit log, newest first; `broken` names chains that were tampered with, as far as
        was read: all at `whole_us`, what was added since then at `checked_us`."""
        async with gateway.store.view() as view:
            rows = await view.audit.rows(chain=chain, after=after, limit=PAGE)
        integrity = await check.look()
        views = [
            AuditView(
                chain=row.chain,
                seq=row.seq,
                ts_us=row.ts_us,
                actor=row.actor,
                action=row.action,
                object=row.object,
                detail=row.detail,
                hash=row.hash,
            )
            for row in rows
        ]
        return AuditPage(
            rows=views,
            next_after=after + PAGE if len(rows) == PAGE else None,
            broken=list(integrity.broken),
            intact_entries=integrity.n,
            checked_us=integrity.checked_us,
            whole_us=integrity.whole_us,
        )

    @router.get("/set-aside")
    async def set_aside(before_id: int = 0) -> list[SetAsideView]:
        """Records that could not be decoded, newest first, with the reason."""
        async with gateway.store.view() as view:
            rows = await view.telemetry.set_aside(limit=PAGE, before_id=before_id)
        return [
            SetAsideView(
                id=row.id,
                received_us=row.received_us,
                source=row.source,
                reason=row.reason,
                body=row.body[:4096].decode(errors="replace"),
            )
            for row in rows
        ]

    return router


def _chaos(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["chaos"])
    who = Annotated[str, Depends(_named(gateway))]

    @router.get("/chaos")
    async def targets() -> ChaosView:
        """What may be broken on purpose."""
        async with gateway.store.view() as view:
            return await heatmap.chaos_view(view, gateway.cluster)

    @router.post("/chaos", status_code=202)
    async def start(body: ChaosBody, actor: who) -> ChaosStarted:
        """Lower a demo workload's memory limit below what it needs."""
        async with gateway.store.view() as view:
            target = await heatmap.chaos_target(view, gateway.cluster, body.namespace, body.name)
        title = await gateway.flow.chaos(target.object, target.container, target.chaos_limit, actor)
        return ChaosStarted(object=target.object, title=title, started_us=gateway.clock.now_us())

    return router
