"""`/healthz`, `/readyz` and `/metrics`: for the kubelet, for people, for Prometheus."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from copilot.domain.errors import CopilotError, Unauthenticated
from copilot.ports import Embedder
from copilot.roles.drain import Drain
from copilot.roles.figures import Figures
from copilot.roles.health import Health
from copilot.roles.index_view import index_view
from copilot.wiring import Parts

LetIn = Callable[[Request], Awaitable[None]]
"""Raises: Unauthenticated."""


def health_routes(
    parts: Parts,
    figures: Figures,
    health: Health,
    drain: Drain,
    *,
    let_in: LetIn,
    metrics_token: str,
) -> list[BaseRoute]:
    """The three. `metrics_token` opens the last two as well; empty is none."""

    async def scraper_or_known(request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        is_scraper = bool(metrics_token) and scheme.lower() == "bearer"
        if not (is_scraper and hmac.compare_digest(given.strip().encode(), metrics_token.encode())):
            await let_in(request)

    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        if drain.is_on:
            return JSONResponse({"status": "going"}, status_code=503)
        try:
            await scraper_or_known(request)
        except Unauthenticated:
            return await _is_ready(parts)
        async with parts.store.view() as view:
            gaps = await view.objects.gaps(parts.cluster_name)
            is_verbose = "verbose" in request.query_params
            index = await index_view(view, parts.embedder) if is_verbose else None
            stored = await view.telemetry.counts() if is_verbose else None
        answer: dict[str, object] = {
            "status": "ok",
            "cluster": parts.cluster_name,
            "gaps": [{"what": gap.what, "reason": gap.reason} for gap in gaps],
        }
        if index is not None and stored is not None:
            answer["troubles"] = [asdict(one) for one in health.look()]
            answer["index"] = asdict(index)
            answer["stored"] = {name: getattr(stored, name) for name in stored.__struct_fields__}
            answer["store"] = asdict(await parts.store.capabilities())
        return JSONResponse(answer)

    async def metrics(request: Request) -> Response:
        await scraper_or_known(request)
        note_use(figures, parts)
        return PlainTextResponse(
            figures.text(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]


async def _is_ready(parts: Parts) -> Response:
    """All that a stranger is told, which a probe of Kubernetes is: whether the store answers."""
    try:
        async with parts.store.view() as view:
            await view.objects.gaps(parts.cluster_name)
    except CopilotError:
        return JSONResponse({"status": "unavailable"}, status_code=503)
    return JSONResponse({"status": "ok"})


def note_use(figures: Figures, parts: Parts) -> None:
    """What models were asked and what it cost, as they count it themselves."""
    _note_embedder(figures, parts.embedder)
    if parts.model is None:
        return
    use = parts.model.use
    figures.model_calls.replace({("ok",): use.answers, ("failed",): use.failures})
    figures.model_tokens.replace({("in",): use.tokens_in, ("out",): use.tokens_out})
    figures.model_seconds.set(value=use.seconds)
    figures.model_cost.set(value=use.cost_usd)


def _note_embedder(figures: Figures, embedder: Embedder) -> None:
    use = embedder.use
    figures.embedder_texts.set(value=use.texts)
    figures.embedder_tokens.set(value=use.tokens)
    figures.embedder_cost.set(value=use.cost_usd)
    figures.embedder_failures.set(value=use.failures)
