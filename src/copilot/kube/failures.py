"""What the API server's refusals mean in the domain's words.

Messages say which verb on which resource and what to do. The server's own text is quoted by its
last clause only: a strict-validation error repeats the whole object in it (14 kB seen).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from copilot.domain.errors import (
    BadInput,
    Busy,
    Conflict,
    CopilotError,
    Invalid,
    NotFound,
    Refused,
    TooLarge,
    Unavailable,
)
from copilot.kube.manifests import how_to_allow
from copilot.kube.resources import Call

_MAX_QUOTE = 300
_USER = re.compile(r'User "([^"\s]{1,253})" cannot ')


class Expired(Unavailable):
    """410: the resourceVersion or continue token is too old; list anew."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One `details.causes` entry."""

    field: str = ""
    message: str = ""


class Details(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """As much of a Status' details as we read."""

    causes: list[Cause] | None = None
    retry_after_seconds: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A `meta/v1` Status."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: Details | None = None


def failure(call: Call, code: int, headers: Mapping[str, str], body: bytes) -> CopilotError:
    """The error for an answer of 300 and above."""
    status = _status(body)
    match code:
        case 400:
            return BadInput(f"cannot {call.verb} {call.subject}: {_last_clause(status.message)}")
        case 401:
            return Refused(
                f"the cluster does not accept our credentials (to {call.verb} {call.resource});"
                " renew them in the kubeconfig or the service account"
            )
        case 403:
            return _refused(call, status)
        case 404:
            return NotFound(f"{call.subject} does not exist (any more)")
        case 409 if status.reason == "AlreadyExists":
            return Conflict(f"{call.subject} exists already")
        case 409:
            return Conflict(f"{call.subject} has changed since it was read; read it again")
        case 410:
            return Expired(f"the resource version to {call.verb} {call.subject} is too old")
        case 413:
            return TooLarge(f"the cluster finds the {call.verb} of {call.subject} too large")
        case 422:
            return _invalid(call, status)
        case 429:
            return Busy(
                f"the API server is overloaded and put off to {call.verb} {call.subject}",
                detail={"retry_after_s": _retry_after_s(status, headers)},
            )
        case _:
            reason = _last_clause(status.message) or "no reason given"
            return Unavailable(
                f"the API server failed to {call.verb} {call.subject} ({code}): {reason}"
            )


def failure_in_stream(call: Call, status_json: bytes) -> CopilotError:
    """The error for an ERROR event inside a 200 watch stream."""
    return failure(call, _status(status_json).code or 500, {}, status_json)


def retry_after_s(error: CopilotError) -> float:
    """How long the server asked us to stay away, 0 for not said."""
    asked = error.detail.get("retry_after_s", 0)
    return float(asked) if isinstance(asked, int | float) else 0.0


def _refused(call: Call, status: Status) -> Refused:
    """Missing rights are named; admission (quota, policy, webhooks) speaks for itself."""
    place = f" in namespace {call.namespace}" if call.namespace else ""
    detail: dict[str, object] = {"verb": call.verb, "resource": call.resource}
    if "cannot " in status.message or not status.message:
        named = _USER.search(status.message)
        user = named[1] if named else ""
        command = how_to_allow(user, call.verb, call.resource, call.namespace)
        what_to_do = (
            f"to allow it, run: {command}"
            if command
            else f'grant the verb "{call.verb}" on "{call.resource}" to this account'
        )
        who = f"{user} is " if user else ""
        return Refused(
            f"{who}not allowed to {call.verb} {call.resource}{place}; {what_to_do}",
            detail=detail,
        )
    return Refused(
        f"the cluster refused to {call.verb} {call.subject}: {_quote(status.message)}",
        detail=detail,
    )


def _invalid(call: Call, status: Status) -> Invalid:
    causes = (status.details.causes if status.details else None) or []
    first = causes[0] if causes else Cause(message=status.message)
    field = _quote(first.field)
    more = f" (and {len(causes) - 1} more)" if len(causes) > 1 else ""
    clause = _last_clause(first.message) or "not valid"
    return Invalid(
        f"the cluster does not accept this {call.verb} of {call.subject}:"
        f" {field + ': ' if field else ''}{clause}{more}",
        detail={"field": field},
    )


def _last_clause(message: str) -> str:
    """`must be ...`; two clauses where the last is only a value (`supported values: "A"`)."""
    clauses = message.strip().split(": ")
    last = clauses[-1]
    if last.startswith('"') and len(clauses) > 1:
        last = f"{clauses[-2]}: {last}"
    return _quote(last)


def _quote(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_QUOTE else f"{line[: _MAX_QUOTE - 1]}…"


def _retry_after_s(status: Status, headers: Mapping[str, str]) -> int:
    asked = headers.get("Retry-After", "")
    if asked.isdecimal() and len(asked) < 6:
        return int(asked)
    return status.details.retry_after_seconds if status.details else 0


def _status(body: bytes) -> Status:
    """Proxies in between answer in plain text: that is the message then."""
    try:
        return msgspec.json.decode(body, type=Status)
    except msgspec.DecodeError:
        return Status(message=body[: 4 * _MAX_QUOTE].decode(errors="replace"))
