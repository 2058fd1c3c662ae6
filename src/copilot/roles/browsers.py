"""What a browser brings and may be told: cookies, the page a request came from, where to go next."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from copilot.domain.errors import Refused
from copilot.roles.permissions import READING

PROOF = "x-requested-by"
"""A header that another site's page cannot send without asking us first, which we never allow."""
MAX_TARGET_CHARS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """The cookies of a browser. On https no other host of the domain can set them."""

    public_url: str = ""

    def is_https(self, request: HTTPConnection) -> bool:
        """Whether the browser speaks https, to us or to what stands before us."""
        public = urlsplit(self.public_url)
        is_public = public.scheme == "https" and request.headers.get("host") == public.netloc
        return is_public or request.scope["scheme"] in ("https", "wss")

    def get(self, request: HTTPConnection, name: str) -> str:
        """Its value, empty for none."""
        return request.cookies.get(self._called(request, name), "")

    def set(
        self, request: HTTPConnection, response: Response, name: str, value: str, age_s: int
    ) -> None:
        """For this browser, and no script in it. Not `strict`: who follows a link from a chat is
        signed in; what changes anything asks for more than a cookie."""
        response.set_cookie(
            self._called(request, name),
            value,
            max_age=age_s,
            path="/",
            secure=self.is_https(request),
            httponly=True,
            samesite="lax",
        )
        response.headers["Cache-Control"] = "no-store"

    def drop(self, request: HTTPConnection, response: Response, name: str) -> None:
        """The browser forgets it."""
        self.set(request, response, name, "", 0)

    def _called(self, request: HTTPConnection, name: str) -> str:
        return f"__Host-{name}" if self.is_https(request) else name


def check_page(request: HTTPConnection) -> None:
    """For a request that a browser signed with its cookie: it comes from a page of ours.

    Raises:
        Refused: it comes from another site, or does not show that it does not.
    """
    check_origin(request)
    if request.scope["type"] == "http" and request.scope["method"] not in READING:
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise Refused("a request of another site may not use this session")
        if PROOF not in request.headers:
            raise Refused(f"a change by a browser carries the header {PROOF}")


def check_origin(request: HTTPConnection) -> None:
    """Raises: Refused where a page of another site sent it."""
    origin = request.headers.get("origin")
    if origin is not None and _host_of(origin) != request.headers.get("host"):
        raise Refused(f"a request from {origin[:200]!r} may not use this session")


def _host_of(origin: str) -> str:
    """With its port; empty where it is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def own_path(text: str) -> str:
    """Where to go after signing in: a page of ours, never another site's, nor a link that would sign
    in somebody else at once."""
    is_ours = (
        text.startswith("/")
        and not text.startswith("//")
        and len(text) <= MAX_TARGET_CHARS
        and text.isascii()
        and text.isprintable()
        and "\\" not in text
        and "token" not in dict(parse_qsl(text.partition("?")[2], keep_blank_values=True))
    )
    return text if is_ours else "/"


def address_of(request: HTTPConnection) -> str:
    """Who is at the other end of the line."""
    return request.client.host if request.client else ""
