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
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import brotli
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from copilot.domain.errors import CopilotError
from copilot.roles.security import COOKIE, Doorkeeper

_INLINE = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_TEXT = (".html", ".js", ".css", ".svg", ".json", ".txt", ".map")
MAX_FORM_BYTES = 4096
"""Nobody has signed in yet: no more than this is read."""
_WEEKS = 30 * 24 * 3600

_SIGN_IN = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Sign in · Co-Pilot</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:24rem;padding:0 1rem;
background:#0d0e12;color:#e7e8ea}input,button{font:inherit;width:100%;box-sizing:border-box;
padding:.6rem .7rem;margin:.3rem 0;border-radius:6px;border:1px solid #3a3d45;background:#17181d;
color:inherit}button{background:#5a5fe0;border:0;color:#fff}code{background:#1d1f25;padding:0 .3em}
p{color:#a9adb6}</style><main><h1>Incident Co-Pilot</h1>
<form method="post" action="/session"><label for="token">Access token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button></form>
<p>The token was printed at first start; <code>incident-copilot token</code> shows it again.</p>
</main></html>"""

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


def screen_routes(folder: Path, doorkeeper: Doorkeeper) -> list[Route]:
    """Sign-in and every page of the export; must come last, it answers every path."""
    files = {path: _load(folder / path) for path in _paths(folder)}

    async def sign_in(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM_BYTES:
                return _ask("That is not the access token.", status=413)
        token = dict(parse_qsl(body.decode(errors="replace"))).get("token", "")
        if not doorkeeper.is_access_token(token):
            return _ask("That is not the access token.", status=401)
        return _with_cookie(RedirectResponse("/", 303), token)

    async def sign_out(request: Request) -> Response:
        response = RedirectResponse("/", 303)
        response.delete_cookie(COOKIE)
        return response

    async def page(request: Request) -> Response:
        given = request.query_params.get("token")
        if given is not None and doorkeeper.is_access_token(given):
            rest = [(k, v) for k, v in request.query_params.multi_items() if k != "token"]
            where = request.url.path + (f"?{urlencode(rest)}" if rest else "")
            return _with_cookie(RedirectResponse("/" + where.lstrip("/"), 303), given)
        try:
            doorkeeper.person(request)
        except CopilotError as refusal:
            return _ask("", status=refusal.status)
        return _answer(request, files)

    return [
        Route("/session", sign_in, methods=["POST"]),
        Route("/session/end", sign_out, methods=["POST"]),
        Route("/{path:path}", page, methods=["GET", "HEAD"]),
    ]


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


def _with_cookie(response: Response, token: str) -> Response:
    response.set_cookie(COOKIE, token, max_age=_WEEKS, httponly=True, samesite="strict")
    response.headers["Cache-Control"] = "no-store"
    return response


def _ask(message: str, *, status: int) -> Response:
    html = _SIGN_IN.replace("<form", f"<p role=alert>{message}</p><form" if message else "<form", 1)
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return HTMLResponse(
        html, status, {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    )


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
        media_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        etag=f'"{hashlib.sha256(plain).hexdigest()[:20]}"',
        policy=(
            f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
    )
