"""The UI's files: a static export, compressed once, under a strict content security policy.

Nothing is served to a browser that is not signed in, except the page that asks for the token.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import brotli
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from copilot.domain.errors import CopilotError
from copilot.roles.people import SESSION, People
from copilot.roles.signing_in import SignInPage, check_own_form

_INLINE = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_TEXT = (".html", ".js", ".css", ".svg", ".json", ".txt", ".map")
_KINDS = {".js": "text/javascript", ".svg": "image/svg+xml; charset=utf-8", ".woff2": "font/woff2"}
"""Where what Python knows depends on the machine, or names no letters. Starlette says of `text/`
itself that it is UTF-8."""
_WEEKS = 30 * 24 * 3600

_NO_UI = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Co-Pilot</title>
<h1>The screens have not been built</h1><p>Run <code>make ui</code> in the checkout (Node 20 or
newer), then start again. The API works without them.</p></html>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One file as it is sent."""

    plain: bytes
    packed: dict[str, bytes]
    media_type: str
    etag: str
    policy: str


def screen_routes(folder: Path, people: People, sign_in: SignInPage) -> list[Route]:
    """Every page of the export; must come last, it answers every path."""
    files = _all(folder)

    async def page(request: Request) -> Response:
        given = request.query_params.get("token")
        if given is not None:
            return await _by_link(request, given)
        try:
            await people.person(request)
        except CopilotError as refusal:
            was_in = bool(people.cookies.get(request, SESSION))
            said = refusal.message if was_in and refusal.status == 401 else ""
            return sign_in.ask(request, said, status=refusal.status)
        return _answer(request, files)

    async def _by_link(request: Request, token: str) -> Response:
        """The link with a token in it signs in, and leads to the same page without it. A link of
        another site does not: it could sign people in as somebody whom they are not."""
        try:
            check_own_form(request)
            cookie = await people.sign_in_with(token, request)
        except CopilotError as refusal:
            people.turned_away(request, refusal)
            return sign_in.ask(request, refusal.message, status=refusal.status)
        rest = [(k, v) for k, v in request.query_params.multi_items() if k != "token"]
        where = "/" + request.url.path.lstrip("/") + (f"?{urlencode(rest)}" if rest else "")
        return sign_in.welcome(request, cookie, where)

    return [Route("/{path:path}", page, methods=["GET", "HEAD"])]


def _answer(request: Request, files: dict[str, _File]) -> Response:
    path = request.url.path.strip("/")
    if not files:
        return HTMLResponse(_NO_UI, 503)
    if path and f"{path}/index.html" in files and not request.url.path.endswith("/"):
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/{path}/{query}", 307)
    name = next((n for n in (path, f"{path}/index.html".strip("/")) if n in files), None)
    file = files.get(name or "404.html")
    if file is None:
        return Response("not found", 404)
    headers = {
        "Cache-Control": f"public, max-age={_WEEKS}, immutable"
        if path.startswith("_next/static/")
        else "no-cache",
        "ETag": file.etag,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Content-Security-Policy": file.policy,
    }
    if name and request.headers.get("if-none-match") == file.etag:
        return Response(None, 304, headers)
    accepted = request.headers.get("accept-encoding", "")
    coding = next((c for c in ("br", "gzip") if c in accepted and c in file.packed), None)
    if coding:
        headers["Content-Encoding"] = coding
    body = file.packed[coding] if coding else file.plain
    return Response(body, 200 if name else 404, headers, file.media_type)


@cache
def _all(folder: Path) -> dict[str, _File]:
    """Every file of the export; packing them takes seconds."""
    return {path: _load(folder / path) for path in _paths(folder)}


def _paths(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _load(path: Path) -> _File:
    plain = path.read_bytes()
    packed = {}
    if path.suffix in _TEXT and len(plain) > 512:
        packed = {"br": brotli.compress(plain, quality=6), "gzip": gzip.compress(plain, 6)}
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
        for script in _INLINE.findall(plain if path.suffix == ".html" else b"")
    )
    return _File(
        plain=plain,
        packed=packed,
        media_type=_KINDS.get(path.suffix)
        or mimetypes.guess_type(path.name)[0]
        or "application/octet-stream",
        etag=f'"{hashlib.sha256(plain).hexdigest()[:20]}"',
        policy=(
            f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
    )
