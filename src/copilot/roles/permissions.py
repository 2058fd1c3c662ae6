"""Who may do what: one table from routes to roles. A change that is not in it is an admin's, and
reading is everybody's."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.routing import compile_path

from copilot.domain.errors import Refused
from copilot.domain.people import Role

NEEDS: Mapping[tuple[str, str], Role] = {
    ("POST", "/incidents"): Role.RESPONDER,
    ("POST", "/incidents/{incident_id}/ack"): Role.RESPONDER,
    ("POST", "/incidents/{incident_id}/notes"): Role.RESPONDER,
    ("POST", "/incidents/{incident_id}/remediate"): Role.RESPONDER,
    ("POST", "/incidents/{incident_id}/resolve"): Role.RESPONDER,
    ("POST", "/proposals/{proposal_id}/approve"): Role.RESPONDER,
    ("POST", "/proposals/{proposal_id}/merge"): Role.RESPONDER,
    ("POST", "/proposals/{proposal_id}/reject"): Role.RESPONDER,
    ("POST", "/chaos"): Role.ADMIN,
    ("GET", "/tokens"): Role.ADMIN,
    ("POST", "/tokens"): Role.ADMIN,
    ("POST", "/tokens/{token_id}/revoke"): Role.ADMIN,
}
"""Paths without `/api`: the founding ones at the root need the same."""

READING = frozenset({"GET", "HEAD", "OPTIONS"})

_COMPILED = [(method, compile_path(path)[0], role) for (method, path), role in NEEDS.items()]


def needed(method: str, path: str) -> Role:
    """The role that a request takes."""
    plain = path.removeprefix("/api")
    asked = "GET" if method == "HEAD" else method
    for known, pattern, role in _COMPILED:
        if asked == known and pattern.match(plain):
            return role
    return Role.VIEWER if method in READING else Role.ADMIN


def check(role: Role, method: str, path: str) -> None:
    """Raises: Refused where it takes more."""
    wanted = needed(method, path)
    if not role.may(wanted):
        raise Refused(
            f"this takes the role {wanted}; yours is {role}. Ask an admin of this co-pilot"
        )
