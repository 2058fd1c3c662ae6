"""Errors as RFC 9457 problem documents: the one handler that turns ours into responses."""

from __future__ import annotations

import uuid

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from copilot.domain.errors import Busy, Clash, CopilotError, Unavailable

log = structlog.get_logger(__name__)


def problem(status: int, title: str, detail: str, **members: object) -> JSONResponse:
    """A problem document; extra members are added as they are."""
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "reference": None,
        "proposal": None,
        **members,
    }
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error of ours, and every bug, with a problem document."""

    @app.exception_handler(CopilotError)
    async def expected(request: Request, error: CopilotError) -> JSONResponse:
        response = problem(error.status, type(error).__name__, error.message, **error.detail)
        if isinstance(error, Busy | Clash | Unavailable):
            response.headers["Retry-After"] = "2"
        return response

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return problem(422, "Invalid", f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), str(error.detail))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:
        reference = uuid.uuid4().hex[:12]
        log.error("request.failed", path=request.url.path, reference=reference, exc_info=error)
        return problem(
            500,
            "Internal error",
            f"internal error; the log has it under {reference}",
            reference=reference,
        )
