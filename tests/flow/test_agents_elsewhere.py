"""The doors of the agents: who comes in, over what, how many at a time and for how long."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import httpx
import pytest
from structlog.testing import capture_logs

from copilot.domain.action import ChaosMemory
from copilot.domain.errors import Away
from copilot.domain.incident import IncidentId
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Applied
from copilot.ports import Agents
from copilot.remote import RemoteAgents
from copilot.remote.asking import NotBegun
from copilot.remote.wire import KEY as IDEMPOTENCY
from copilot.remote.wire import NOT_BEGUN, REMAINING_MS
from copilot.roles.agent import AT_ONCE, Agent
from copilot.roles.tls import Certificate
from tests.agents_elsewhere import KEY, Elsewhere, a_certificate, an_asker, in_time
from tests.fakes import FixedClock

CHAOS = ChaosMemory(
    target=ObjectRef(kind="Deployment", namespace="demo", name="oom-demo"),
    container="app",
    limit="16Mi",
)


class Slow:
    """Breaks things as slowly as the test wants."""

    def __init__(self) -> None:
        self.n_begun = 0
        self.n_cut_off = 0
        self.go_on = asyncio.Event()

    async def propose(self, case: object, findings: object) -> tuple[()]:
        return ()

    async def recheck(self, proposal: object) -> object:
        return proposal

    async def chaos(self, action: ChaosMemory) -> Applied:
        self.n_begun += 1
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.n_cut_off += 1
            raise
        return Applied(at_us=1, resource_version="2", generation=3)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
async def there(slow: Slow) -> AsyncIterator[Elsewhere]:
    there = Elsewhere(agents=cast(Agents, slow), clock=FixedClock())
    yield there
    await there.close()


@pytest.fixture
async def http(there: Elsewhere) -> AsyncIterator[httpx.AsyncClient]:
    """Straight at the remediator's door."""
    await there.open(Agent.REMEDIATOR)
    async with httpx.AsyncClient(
        base_url=there.urls()["remediator"],
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=15,
        trust_env=False,
    ) as http:
        yield http


async def until_begun(slow: Slow, n: int) -> None:
    while slow.n_begun < n:
        await asyncio.sleep(0.01)


async def post(http: httpx.AsyncClient, **headers: str) -> httpx.Response:
    body = b'{"kind":"chaos_memory","target":{"kind":"Deployment","namespace":"demo","name":"d"},"container":"app","limit":"16Mi"}'
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await http.post("/chaos", content=body, headers=named)


# --------------------------------------------------------------------------- how many, how long


async def test_more_than_there_is_room_for_is_turned_away_before_anything_began(
    http: httpx.AsyncClient, slow: Slow
) -> None:
    inside = [asyncio.create_task(post(http)) for _ in range(AT_ONCE)]
    await in_time(until_begun(slow, AT_ONCE))

    turned_away = await post(http)

    assert turned_away.status_code == 503
    assert (turned_away.headers[NOT_BEGUN], turned_away.headers["Retry-After"]) == ("1", "1")
    assert slow.n_begun == AT_ONCE
    slow.go_on.set()
    assert {answer.status_code for answer in await asyncio.gather(*inside)} == {200}
    assert (await post(http)).status_code == 200


async def test_nobody_works_on_when_who_asked_has_gone(http: httpx.AsyncClient, slow: Slow) -> None:
    answer = await post(http, **{REMAINING_MS: "50"})

    assert answer.status_code == 503
    assert "took too long" in answer.json()["detail"]
    assert slow.n_cut_off == 1


@pytest.mark.parametrize("said", ["", "soon", "-1", "1e9", "9" * 40])
async def test_who_says_nothing_sensible_of_how_long_it_waits_is_answered_all_the_same(
    http: httpx.AsyncClient, slow: Slow, said: str
) -> None:
    slow.go_on.set()

    assert (await post(http, **{REMAINING_MS: said})).status_code == 200


async def test_the_same_question_twice_acts_once(http: httpx.AsyncClient, slow: Slow) -> None:
    slow.go_on.set()

    answers = [await post(http, **{IDEMPOTENCY: "k"}) for _ in range(2)]

    assert answers[0].content == answers[1].content
    assert slow.n_begun == 1


@pytest.mark.parametrize("token", ["", "another"])
async def test_a_stranger_is_turned_away_before_it_is_read(
    http: httpx.AsyncClient, slow: Slow, token: str
) -> None:
    answer = await http.post("/chaos", headers={"Authorization": f"Bearer {token}".strip()})

    assert answer.status_code == 401
    assert slow.n_begun == 0


async def test_a_stranger_at_the_door_is_in_the_log_once_a_minute(
    http: httpx.AsyncClient, there: Elsewhere
) -> None:
    with capture_logs() as said:
        for _ in range(3):
            await post(http, Authorization="Bearer guess")
        cast(FixedClock, there.clock).move(60)
        await post(http, Authorization="Bearer guess")

    told = [line for line in said if line["event"] == "caller.refused"]
    assert [(line["status"], line["path"], line["left_out"]) for line in told] == [
        (401, "/chaos", 0),
        (401, "/chaos", 2),
    ]
    assert "guess" not in repr(told)


# --------------------------------------------------------------------------- TLS


async def asked(there: Elsewhere, trust: ssl.SSLContext | bool, scheme: str = "https") -> Applied:
    """Over a connection of its own."""
    asker = an_asker(trust)
    try:
        urls = there.urls(scheme)
        return await RemoteAgents(urls=urls, asker=asker, local=there.agents).chaos(CHAOS)
    finally:
        await asker.close()


def trusting(certificate: Certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate.chain)


async def test_a_certificate_that_is_trusted_is_spoken_to(
    there: Elsewhere, slow: Slow, tmp_path: Path
) -> None:
    certificate = await a_certificate(tmp_path)
    await there.open(Agent.REMEDIATOR, certificate)
    slow.go_on.set()

    assert (await asked(there, trusting(certificate))).generation == 3


async def test_nothing_older_than_tls_1_2_is_spoken(tmp_path: Path) -> None:
    context = (await a_certificate(tmp_path)).context()

    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


async def test_a_certificate_of_somebody_else_gets_no_token_and_no_question(
    there: Elsewhere, slow: Slow, tmp_path: Path
) -> None:
    other = await a_certificate(tmp_path, "other")
    await there.open(Agent.REMEDIATOR, await a_certificate(tmp_path))

    for trust in (trusting(other), True):
        with pytest.raises(NotBegun, match="does not answer"):
            await asked(there, trust)

    assert slow.n_begun == 0


async def test_a_certificate_for_another_name_is_refused(
    there: Elsewhere, slow: Slow, tmp_path: Path
) -> None:
    certificate = await a_certificate(tmp_path)
    await there.open(Agent.REMEDIATOR, certificate)
    url = {"remediator": f"https://localhost:{there.ports[Agent.REMEDIATOR]}"}
    asker = an_asker(trusting(certificate))

    with pytest.raises(NotBegun):
        await RemoteAgents(urls=url, asker=asker, local=there.agents).chaos(CHAOS)

    await asker.close()


async def test_where_tls_is_served_nothing_is_answered_in_the_open(
    there: Elsewhere, slow: Slow, tmp_path: Path
) -> None:
    await there.open(Agent.REMEDIATOR, await a_certificate(tmp_path))

    with pytest.raises(Away):
        await asked(there, True, scheme="http")

    assert slow.n_begun == 0


async def test_a_certificate_that_was_exchanged_is_the_one_that_is_served(tmp_path: Path) -> None:
    served, renewed = [await a_certificate(tmp_path, name) for name in ("served", "renewed")]
    context = served.context()
    keeping = asyncio.create_task(served.keep_fresh(context, look_s=0.01))
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    await reached(port, trusting(served))

    served.chain.write_bytes(renewed.chain.read_bytes())  # half of a pair changes nothing
    await asyncio.sleep(0.05)
    served.key.write_bytes(renewed.key.read_bytes())

    await in_time(until_reached(port, trusting(renewed)))
    keeping.cancel()
    server.close()


async def reached(port: int, trust: ssl.SSLContext) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    writer.close()


async def until_reached(port: int, trust: ssl.SSLContext) -> None:
    while True:
        try:
            return await reached(port, trust)
        except ssl.SSLError:
            await asyncio.sleep(0.02)


async def test_ids_are_asked_for_over_tls_as_they_are(tmp_path: Path) -> None:
    """A whole answer of another agent, through the same door."""

    class Nothing:
        async def context(self, incident_id: IncidentId) -> IncidentId:
            return incident_id

    certificate = await a_certificate(tmp_path)
    there = Elsewhere(agents=cast(Agents, Nothing()), clock=FixedClock())
    await there.open(Agent.CONTEXT, certificate)
    async with httpx.AsyncClient(verify=trusting(certificate), trust_env=False) as http:
        answer = await http.post(
            f"{there.urls('https')['context']}/context",
            json={"incident_id": 7, "of_a_newer_release": True},
            headers={"Authorization": f"Bearer {KEY}"},
        )
    await there.close()

    assert answer.json() == 7
