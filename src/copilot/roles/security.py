"""The tokens that a co-pilot makes at its first start, the door between roles, and our own names.

Nothing but `/healthz` answers without a token. Who people and senders are is in `people.py`.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from copilot.domain.errors import Refused

HEALTH_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """One token a kind; each opens only its own doors."""

    access: str
    sender: str
    agent: str


def load_tokens(path: Path, given: Mapping[str, str | None]) -> tuple[Tokens, bool]:
    """The tokens, and whether they were made just now.

    Given ones win; others come from the file, or are made and written there, readable by the owner
    only.
    """
    is_new = _write_once(
        path, {kind: secrets.token_urlsafe(24) for kind in ("access", "sender", "agent")}
    )
    kept: dict[str, str] = json.loads(path.read_text())
    return Tokens(**{kind: given.get(kind) or token for kind, token in kept.items()}), is_new


def _write_once(path: Path, tokens: Mapping[str, str]) -> bool:
    """Whether this process made the file; of several that start at once exactly one does."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as draft:
        json.dump(tokens, draft)
        draft.flush()
        try:
            path.hardlink_to(draft.name)
        except FileExistsError:
            return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorkeeper:
    """The tokens of the first start, and the names that are ours."""

    tokens: Tokens
    user: str
    allowed_hosts: frozenset[str]

    def check_host(self, host: str, path: str = "") -> None:
        """Raises: Refused where the request is addressed to a name that is not ours. Scrapers and
        probes address a pod by its number, which is nobody's to point elsewhere."""
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if path in HEALTH_PATHS and _is_address(name):
            return
        if name not in self.allowed_hosts and "*" not in self.allowed_hosts:
            raise Refused(f"host {name!r} is not in COPILOT_ALLOWED_HOSTS")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
