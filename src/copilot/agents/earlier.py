"""Earlier incidents that resemble one: what the store remembers of the same place and the usual
cause, and what is told alike. The context agent and the incident room ask the same."""

from __future__ import annotations

from collections.abc import Collection

from copilot.agents.similar import LOOK_AT, ranked, told
from copilot.domain.alert import Rule
from copilot.domain.errors import NotFound
from copilot.domain.hypothesis import Cause
from copilot.domain.incident import Incident, IncidentId
from copilot.domain.memory import SimilarIncident
from copilot.domain.retrieval import Corpus, Near
from copilot.ports import Session


async def similar(
    view: Session,
    incident: Incident,
    rules: Collection[Rule],
    *,
    cause: Cause | None,
    now_us: int,
    near: Near | None,
) -> tuple[SimilarIncident, ...]:
    """Those that resemble it most, of what was learned until `now_us`; by words alone where nobody
    says what it means (`near`)."""
    memories = await view.memories.find(
        cluster=incident.cluster,
        namespace=incident.namespace,
        app=incident.app,
        cause=cause,
        now_us=now_us,
    )
    found = await view.index.rank(
        Corpus.INCIDENT, told(incident), limit=LOOK_AT + 1, near=near
    )  # one of them is the incident itself
    alike = [IncidentId(one.doc_id) for one in found]
    known = {memory.incident_id: memory for memory in memories}
    known |= {m.incident_id: m for m in await view.memories.of_incidents(alike, now_us=now_us)}
    known = {of: memory for of, memory in known.items() if memory.created_us <= now_us}
    nearest = ranked(incident, rules, known.values(), {}, alike)
    # Only these few are looked up: with all that may resemble it a room took twice as long.
    titles = {of: await _title(view, of) for of in (one.memory.incident_id for one in nearest)}
    return ranked(incident, rules, [one.memory for one in nearest], titles, alike)


async def _title(view: Session, incident_id: IncidentId) -> str:
    try:
        return (await view.incidents.get(incident_id)).title
    except NotFound:
        return ""
