"""Whose trace a request belongs to: that of a role that asks, never that of a stranger."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from copilot.roles.callers import Nobody, SharedKey
from copilot.roles.figures import Figures
from copilot.roles.measured import Measured
from copilot.telemetry import set_up_tracing

KEY = "key-of-all-roles"
TRACE = "0af7651916cd43dd8448eb211c80319c"
KEPT, DROPPED = f"00-{TRACE}-b7ad6b7169203331-01", f"00-{TRACE}-b7ad6b7169203331-00"


async def spans_of(
    headers: Mapping[str, str], *, sample: float, callers: SharedKey | Nobody | None = None
) -> tuple[ReadableSpan, ...]:
    """What is told of one request."""
    exporter = InMemorySpanExporter()
    app = Starlette(routes=[Route("/api/status", _answer)])
    measured = Measured(app, Figures(roles="gateway"), callers=callers or SharedKey(KEY))
    end = set_up_tracing(
        endpoint="", headers={}, sample=sample, role="gateway", cluster="home", exporter=exporter
    )
    try:
        transport = httpx.ASGITransport(app=measured)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            assert (await client.get("/api/status", headers=headers)).status_code == 200
    finally:
        end()
    return exporter.get_finished_spans()


async def _answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("well")


STRANGERS = [
    pytest.param({}, None, id="a-browser"),
    pytest.param({"authorization": "Bearer token-of-ada"}, None, id="somebody-signed-in"),
    pytest.param({"authorization": f"Bearer {KEY}"}, Nobody(), id="where-no-role-asks"),
]


@pytest.mark.parametrize(("shown", "callers"), STRANGERS)
async def test_a_stranger_forces_no_sampling(shown: dict[str, str], callers: Nobody | None) -> None:
    asked = {**shown, "traceparent": KEPT}

    assert await spans_of(asked, sample=0.0, callers=callers) == ()


@pytest.mark.parametrize("given", [KEPT, DROPPED], ids=["kept", "dropped"])
@pytest.mark.parametrize(("shown", "callers"), STRANGERS)
async def test_a_stranger_neither_hides_a_request_nor_puts_it_in_a_trace_of_its_own(
    shown: dict[str, str], callers: Nobody | None, given: str
) -> None:
    asked = {**shown, "traceparent": given}

    [span] = await spans_of(asked, sample=1.0, callers=callers)

    assert span.parent is None
    assert f"{span.context.trace_id:032x}" != TRACE
    assert span.links == ()


async def test_a_role_that_asks_decides_for_whom_it_asks() -> None:
    shown = {"authorization": f"Bearer {KEY}"}

    [span] = await spans_of({**shown, "traceparent": KEPT}, sample=0.0)

    assert f"{span.context.trace_id:032x}" == TRACE
    assert await spans_of({**shown, "traceparent": DROPPED}, sample=1.0) == ()
