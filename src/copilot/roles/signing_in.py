"""Signing in and out: the one page that a stranger gets, and what it posts to.

The page is made here and not with the screens: it needs no script, and a stranger gets nothing else
of the product.
"""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from copilot.domain.errors import CopilotError, Refused
from copilot.roles.browsers import check_origin, own_path
from copilot.roles.people import SESSION, People

MAX_FORM_BYTES = 4096
"""Nobody has signed in yet: no more than this is read."""

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Sign in · Co-Pilot</title>
<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:15vh auto;
max-width:24rem;padding:0 1rem;background:#0d0e12;color:#e7e8ea}input,button,.other{font:inherit;
width:100%%;box-sizing:border-box;padding:.6rem .7rem;margin:.3rem 0;border-radius:6px;
border:1px solid #3a3d45;background:#17181d;color:inherit}button{background:#5a5fe0;border-color:
#5a5fe0;color:#fff}.other{display:block;text-align:center;text-decoration:none}code{background:
#1d1f25;padding:0 .3em}p{color:#a9adb6}[role=alert]{color:#ffb4a9}</style>
<main><h1>Incident Co-Pilot</h1>%(said)s%(other)s
<form method="post" action="/session"><label for="token">Access token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<input type="hidden" name="to" value="%(to)s"><button>Sign in</button></form>
<p>On your own machine it was printed at first start, and <code>incident-copilot token</code> shows it
again. Of a shared co-pilot, ask an admin, who makes one with
<code>incident-copilot token create</code>.</p></main></html>"""


class SignInPage:
    """The page that asks who one is; `issuer` names who else may vouch, empty for nobody."""

    def __init__(self, people: People, issuer: str = "") -> None:
        self._people = people
        self._issuer = issuer

    def ask(self, request: Request, said: str, *, status: int, to: str = "") -> Response:
        """The page, with what went wrong; back to `to` after it."""
        to = own_path(to or _asked_for(request))
        other = ""
        if self._issuer:
            link = escape("/login?" + urlencode({"to": to}))
            other = f'<a class="other" href="{link}">Sign in with {escape(self._issuer)}</a>'
        html = _PAGE % {
            "said": f"<p role=alert>{escape(said)}</p>" if said else "",
            "other": other,
            "to": escape(to),
        }
        headers = {
            "Content-Security-Policy": _POLICY,
            "Cache-Control": "no-store",
            # Not `no-referrer`: with that, browsers call the origin of the form `null`.
            "Referrer-Policy": "same-origin",
        }
        return HTMLResponse(html, status, headers)

    def welcome(self, request: Request, cookie: str, to: str) -> Response:
        """Off to where they wanted to go, with the new cookie."""
        answer = RedirectResponse(own_path(to), 303, {"Referrer-Policy": "no-referrer"})
        people = self._people
        people.cookies.set(request, answer, SESSION, cookie, people.lifetime_s)
        return answer


def session_routes(people: People, page: SignInPage) -> list[Route]:
    """Signing in by a token, and out again."""

    async def sign_in(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM_BYTES:
                return page.ask(request, "That is not the access token.", status=413, to="/")
        form = dict(parse_qsl(body.decode(errors="replace")))
        to = form.get("to", "/")
        try:
            check_own_form(request)
            cookie = await people.sign_in_with(form.get("token", "").strip(), request)
        except CopilotError as refusal:
            people.turned_away(request, refusal)
            return page.ask(request, refusal.message, status=refusal.status, to=to)
        return page.welcome(request, cookie, to)

    async def sign_out(request: Request) -> Response:
        person = await people.person(request)
        if person.sign_in is None:
            raise Refused("a bearer token is not signed in; revoke it instead")
        everywhere = request.query_params.get("everywhere") == "1"
        await people.sign_out(person, everywhere=everywhere)
        answer = Response(status_code=204, headers={"Clear-Site-Data": '"cache", "storage"'})
        people.cookies.drop(request, answer, SESSION)
        return answer

    return [
        Route("/session", sign_in, methods=["POST"]),
        Route("/session/end", sign_out, methods=["POST"]),
    ]


def check_own_form(request: Request) -> None:
    """Raises: Refused where another site signs somebody in here, as somebody it chose."""
    check_origin(request)
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refused("another page sent you here; sign in yourself")


def _asked_for(request: Request) -> str:
    if request.method not in ("GET", "HEAD"):
        return "/"
    rest = [(k, v) for k, v in request.query_params.multi_items() if k != "token"]
    return request.url.path + (f"?{urlencode(rest)}" if rest else "")
