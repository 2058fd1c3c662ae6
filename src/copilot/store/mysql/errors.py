"""What servers answer, in the domain's words. Codes above 8000 are TiDB's own.

Four classes: safe to repeat and transient become `Clash` (nothing was kept, do the transaction
again); a lost connection becomes `Unavailable`, and at COMMIT says that the outcome is unknown; all
others will be the same next time.
"""

from __future__ import annotations

import ssl

from asyncmy.errors import InterfaceError, MySQLError

from copilot.domain.errors import Clash, CopilotError, Invalid, TooLarge, Unavailable

SAFE = {1205, 1213, 8002, 8005, 8022, 8028, 8147, 9007}
"""Deadlock, lock wait, write conflict, changed schema: the server has kept nothing."""
TRANSIENT = {8027, 8120, 8229, 8252, *range(9001, 9006), 9008, 9010, 9011, 9012, 9013}
"""A part of TiDB is away or busy for a moment."""
GIVEN_UP = {1317, 1969, 3024, 8175, 8176, 8253, 8254, 9006}
"""Killed by an administrator or a limit of time or memory, or its snapshot was cleared away."""
LOST = {0, 1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2014, 2055, 4031}
"""The connection is gone, or is of no use any more."""
TAKEN = {1022, 1062, 1586}
"""The key is there already; the transaction goes on."""
_TOO_LARGE = {1105, 1118, 1153, 1301, 1406, 8004, 8025, 9500}
_OUT_OF_RANGE = {1264, 1366, 1690, 3140}
_NO_SCHEMA = {1054, 1146}
_AWAY = {
    1021: "the disk is full",
    1037: "it is out of memory",
    1038: "it is out of memory",
    1040: "it takes no more connections",
    1041: "it is out of memory",
    1044: "this user may not use the database",
    1045: "user or password is wrong",
    1049: "there is no such database",
    1114: "the disk is full",
    1129: "it refuses this host",
    1130: "it refuses this host",
    1142: "this user may not do that",
    1143: "this user may not do that",
    1203: "this user has too many connections",
    1226: "this user is over a limit",
    1227: "this user may not do that",
    1290: "it is read-only",
    1698: "user or password is wrong",
    1792: "it is read-only",
    1836: "it is read-only",
    2002: "it cannot be reached",
    2003: "it cannot be reached",
    2005: "its name is not known",
    2026: "TLS failed",
    3159: "it insists on TLS",
}
_PLAIN_ANSWER = "WRONG_VERSION_NUMBER"
"""How OpenSSL calls what was said without TLS."""
_OUT_OF_MEMORY = "Out Of Memory Quota"
_MOST = 300
"""Characters of a server's message, at most: it may quote what was sent."""


def is_lost(error: Exception) -> bool:
    """Whether the connection is of no further use."""
    return isinstance(error, OSError | InterfaceError | EOFError) or code_of(error) in LOST


def code_of(error: Exception) -> int:
    """The server's number, -1 for none."""
    code = error.args[0] if isinstance(error, MySQLError) and error.args else -1
    return code if isinstance(code, int) else -1


def translated(error: Exception, *, is_commit: bool = False) -> CopilotError | None:
    """The error in the domain's words, None for a bug of ours."""
    code, said = code_of(error), _said(error)
    if code in SAFE or (code in TRANSIENT and not is_commit):
        return Clash(f"somebody else was at the same rows, or the store moved: {said}")
    if is_lost(error) or code in TRANSIENT | GIVEN_UP:
        if is_commit:
            return Unavailable(
                f"the store went away while it was committing; whether it did is not known: {said}"
            )
        what = "gave the statement up" if code in GIVEN_UP else "went away"
        return Unavailable(f"the store {what}, nothing was kept: {said}")
    if code in TAKEN:
        return Clash(f"somebody else was first: {said}")
    if code in _AWAY:
        return Unavailable(f"the store does not work: {_reason(error, code)} ({said})")
    if (
        code == 1105 and _OUT_OF_MEMORY in said
    ):  # so TiDB said it before 8175 was a number of its own
        return Unavailable(f"the store gave the statement up, nothing was kept: {said}")
    if code in _TOO_LARGE and (code != 1105 or "too large" in said):
        return TooLarge(f"too large for the store: {said}")
    if code in _OUT_OF_RANGE:
        return Invalid(f"a value is out of the store's range: {said}")
    if code in _NO_SCHEMA:
        return Unavailable(f"the store's schema is not up to date, migrate it: {said}")
    return None


def _reason(error: Exception, code: int) -> str:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "its certificate is not signed by an authority we trust, or not for this host"
    if isinstance(cause, ssl.SSLError):
        return "it offers no TLS" if _PLAIN_ANSWER in str(cause) else "TLS failed"
    return _AWAY[code]


def _said(error: Exception) -> str:
    text = str(error.args[1] if isinstance(error, MySQLError) and len(error.args) > 1 else error)
    return f"{text[:_MOST]} ({code_of(error)})" if code_of(error) > 0 else text[:_MOST]
