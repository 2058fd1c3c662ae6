"""Everything that can go wrong on purpose.

    CopilotError
    ├── BadInput         400  what was sent makes no sense; the message says which part and why
    │   ├── TooLarge     413  over a stated limit
    │   ├── UnknownFormat 415 no decoder for this content type
    │   └── Invalid      422  well formed, but not allowed by a rule or by the cluster's schema
    ├── Unauthenticated  401  no token, or not one of ours
    ├── Refused          403  known, but not allowed: a guard, a mode, or the cluster's RBAC
    ├── NotFound         404  no such thing (never used for "not allowed to look")
    │   └── Gone         410  it was here, and is kept no longer; the message says since when
    ├── Conflict         409  somebody else was first, or what was seen is no longer so
    │   └── Clash        503  two did the same at the same time; nothing was kept, do it again
    ├── Busy             429  come back later; senders keep their data
    └── Unavailable      503  something we need does not answer; a retry is harmless
        └── Away         503  an agent could not be asked; `detail["agent"]` says which

`roles/problems.py` turns each into an RFC 9457 problem document. Anything else that is raised is a
bug: the log gets the traceback, the user gets a reference.
"""


class CopilotError(Exception):
    """Base of all expected errors; `status` is the HTTP status it becomes."""

    status = 500

    def __init__(self, message: str, *, detail: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail or {}


class BadInput(CopilotError):
    """What was sent makes no sense."""

    status = 400


class TooLarge(BadInput):
    """Over a stated limit."""

    status = 413


class UnknownFormat(BadInput):
    """No decoder for this content type."""

    status = 415


class Invalid(BadInput):
    """Well formed, but not allowed by a rule or by the cluster's schema."""

    status = 422


class Unauthenticated(CopilotError):
    """No token, or not one of ours."""

    status = 401


class Refused(CopilotError):
    """Known, but not allowed."""

    status = 403


class NotFound(CopilotError):
    """No such thing."""

    status = 404


class Gone(NotFound):
    """It was here, and is kept no longer."""

    status = 410


class Conflict(CopilotError):
    """Somebody else was first, or what was seen is no longer so."""

    status = 409


class Clash(Conflict):
    """Two did the same at the same time; nothing was kept, and doing it again is right.

    `Store.run` does. Who meets it all the same may come back later.
    """

    status = 503


class Busy(CopilotError):
    """Come back later."""

    status = 429


class Unavailable(CopilotError):
    """Something we need does not answer; a retry is harmless."""

    status = 503


class Away(Unavailable):
    """An agent could not be asked: what the others say stands all the same."""
