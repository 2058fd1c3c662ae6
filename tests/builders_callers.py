"""Tokens as kubelet projects them, and a cluster that says whose they are."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field

from copilot.domain.errors import CopilotError
from copilot.roles.callers import AUDIENCE

HOME = "incident-copilot"


def account(role: str, namespace: str = HOME) -> str:
    return f"system:serviceaccount:{namespace}:{role}"


def a_token(
    role: str = "gateway", *, ends_us: int, namespace: str = HOME, audience: str = AUDIENCE
) -> str:
    """What such a token says of itself; its signature is nobody's."""
    claims = {"sub": account(role, namespace), "exp": ends_us // 1_000_000, "aud": [audience]}
    parts = (b'{"alg":"RS256"}', json.dumps(claims).encode(), b"signed")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def shown(token: str) -> dict[str, str]:
    """As headers."""
    return {"authorization": f"Bearer {token}"}


@dataclass
class FakeAccounts:
    """Knows the tokens it was told of, each for one audience."""

    known: dict[str, str] = field(default_factory=dict)
    """User names by token."""
    trouble: CopilotError | None = None
    asked: list[str] = field(default_factory=list)

    async def whose(self, token: str, *, audience: str) -> str:
        self.asked.append(token)
        if self.trouble:
            raise self.trouble
        return self.known.get(token, "") if audience == AUDIENCE else ""
