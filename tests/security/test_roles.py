"""Who may do what, over every route of the API."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from copilot.domain.incident import IncidentId
from copilot.domain.people import Role
from copilot.domain.proposal import ProposalId
from copilot.roles.permissions import NEEDS
from copilot.roles.screens import screen_routes
from copilot.roles.signing_in import SignInPage
from tests.builders_people import HOUR_US
from tests.builders_store import a_new_incident, a_proposal
from tests.security.conftest import TOKENS, House, people_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYBODY = list(Role)
FOUNDING = ("/incidents", "/proposals")
"""What is answered at the root too."""


def address(path: str) -> str:
    return re.sub(r"\{\w+\}", "1", path)


@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_who_has_too_small_a_role_changes_nothing(
    house: House, role: Role, prefix: str
) -> None:
    client = house.client_of(token=await house.token("ada", role))

    for (method, path), needed in NEEDS.items():
        if prefix == "" and not path.startswith(FOUNDING):
            continue  # at the root there is no such API
        answer = await client.request(method, prefix + address(path), json={})

        is_refused = answer.status_code == 403 and "takes the role" in answer.text
        assert is_refused is not role.may(needed), f"{method} {path} as {role}: {answer.text}"


async def test_a_refusal_is_in_the_log_with_who_and_what(house: House) -> None:
    client = house.client_of(token=await house.token("ada", Role.VIEWER))

    with capture_logs() as said:
        await client.post("/api/incidents/1/ack")

    told = [line for line in said if line["event"] == "person.refused"]
    assert [(one["person"], one["role"], one["method"], one["path"]) for one in told] == [
        ("ada", "viewer", "POST", "/api/incidents/1/ack")
    ]


async def test_a_viewer_reads_everything_that_there_is(house: House) -> None:
    client = house.client_of(token=await house.token("ada", Role.VIEWER))

    for path in ("status", "database", "incidents", "audit", "search?q=x", "runbooks"):
        assert (await client.get(f"/api/{path}")).status_code == 200


async def test_nobody_reads_from_before_the_beginning_of_the_audit_log(house: House) -> None:
    client = house.client_of(token=await house.token("ada", Role.VIEWER))

    assert (await client.get("/api/audit", params={"after": -1})).status_code == 422


async def a_waiting_proposal(house: House, place: str) -> tuple[IncidentId, ProposalId]:
    async with house.store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident(place, cluster="demo"))
        proposal = await tx.remediation.add(
            msgspec.structs.replace(
                a_proposal(incident.id), expires_us=house.clock.now_us() + HOUR_US
            )
        )
    return incident.id, proposal.id


async def test_what_was_decided_cannot_be_decided_again(house: House) -> None:
    _, proposal = await a_waiting_proposal(house, "Deployment/demo/one")
    client = house.client_of(token=await house.token("ada", Role.RESPONDER))
    digest = (await client.get(f"/api/proposals/{proposal}")).json()["digest"]
    said_no = await client.post(f"/api/proposals/{proposal}/reject", json={"reason": "not now"})

    approval = {"digest": digest, "reason": ""}
    replayed = await client.post(f"/api/proposals/{proposal}/approve", json=approval)
    again = await client.post(f"/api/proposals/{proposal}/reject", json={"reason": "not now"})

    assert said_no.status_code == 200
    assert (replayed.status_code, again.status_code) == (409, 409)


async def test_every_act_is_recorded_with_who_did_it_and_why(house: House) -> None:
    incident, proposal = await a_waiting_proposal(house, "Deployment/demo/two")
    client = house.client_of(token=await house.token("Ada", Role.RESPONDER))

    await client.post(f"/api/incidents/{incident}/ack")
    await client.post(f"/api/incidents/{incident}/notes", json={"text": "looking"})
    await client.post(f"/api/proposals/{proposal}/reject", json={"reason": "not now"})
    await client.post(f"/api/incidents/{incident}/resolve", json={"resolution": "by hand"})

    async with house.store.view() as view:
        rows = await view.audit.rows(chain=f"incident-{incident}", limit=100)
        assert await view.audit.broken() == ()
    acts = {row.action: (row.actor, row.detail) for row in rows}
    assert acts["incident.acknowledged"][0] == "ada"
    assert acts["incident.noted"] == ("ada", "looking")
    assert acts["proposal.rejected"][0] == "ada"
    assert "not now" in acts["proposal.rejected"][1]
    assert acts["incident.resolved"][0] == "ada"
    assert "by hand" in acts["incident.resolved"][1]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("boot.js", "text/javascript; charset=utf-8"),
        ("look.css", "text/css; charset=utf-8"),
        ("page.txt", "text/plain; charset=utf-8"),
        ("data.json", "application/json"),
        ("icon.svg", "image/svg+xml; charset=utf-8"),
        ("letters.woff2", "font/woff2"),
        ("unheard.of", "application/octet-stream"),
    ],
)
async def test_every_file_of_the_screens_says_what_it_is(
    house: House, tmp_path: Path, name: str, kind: str
) -> None:
    (tmp_path / name).write_text("x")
    people = people_of(house.store, house)
    app = Starlette(routes=screen_routes(tmp_path, people, SignInPage(people)))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")

    answer = await client.get(f"/{name}", headers={"Authorization": f"Bearer {TOKENS.access}"})

    assert answer.headers["content-type"] == kind


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/pyproject.toml",
        "/_next/static/../../../security.py",
        "/....//....//etc/passwd",
        "/index.html%00.js",
        "/\\..\\..\\pyproject.toml",
        "//etc/passwd",
    ],
)
async def test_no_path_leads_out_of_the_screens(house: House, path: str) -> None:
    client = house.client_of(token=await house.token("ada", Role.VIEWER))

    answer = await client.get(httpx.URL(f"http://127.0.0.1/{path.lstrip('/')}"))

    assert answer.status_code in (401, 403, 404, 503)
    assert "root:" not in answer.text
    assert "[project]" not in answer.text
