"""Where a server is and how to get in. Pure, but for reading the authority's certificate."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from copilot.domain.errors import Invalid

SCHEMES = ("tidb", "mysql", "mariadb")
PORTS = {"tidb": 4000, "mysql": 3306, "mariadb": 3306}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One database on one server. Shown without the password."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    authority: Path | None = None
    """Certificate of the authority that signed the server's; None takes the system's."""
    is_plain: bool = False
    """Without TLS: on loopback only."""

    def __post_init__(self) -> None:
        if self.is_plain and self.host not in _LOOPBACK:
            raise Invalid(f"the database at {self.host} is not on loopback: TLS stays on")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"

    def tls(self) -> ssl.SSLContext | None:
        """A context that verifies the server, None for no TLS.

        Raises:
            Invalid: the authority's certificate cannot be read.
        """
        if self.is_plain:
            return None
        try:
            context = ssl.create_default_context(cafile=self.authority)
        except OSError as error:  # ssl.SSLError is one
            raise Invalid(f"no certificate can be read from {self.authority}: {error}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def parse_address(url: str) -> Address:
    """`tidb://user:password@host:4000/database?ssl_ca=path`; `mysql:` and `mariadb:` mean the same
    with another port. `?ssl=off` goes without TLS, on loopback only. Percent signs escape.

    Raises:
        Invalid: a part is missing or makes no sense.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # what it says may quote a password whose signs are not escaped
        raise Invalid(
            "the store's address makes no sense: escape / ? # @ : in a password with percent signs"
        ) from None
    if parts.scheme not in SCHEMES:
        raise Invalid(f"the store's address starts with none of {', '.join(SCHEMES)}")
    database = unquote(parts.path.removeprefix("/"))
    if not parts.hostname or not parts.username or not database or "/" in database:
        raise Invalid("the store's address lacks host, user or database: tidb://user@host/database")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := ", ".join(sorted(given.keys() - {"ssl_ca", "ssl"})):
        raise Invalid(f"the store's address has unknown options: {unknown}")
    if given.get("ssl", "on") not in ("on", "off"):
        raise Invalid("the store's address says neither ssl=on nor ssl=off")
    return Address(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        database=database,
        authority=Path(given["ssl_ca"]) if given.get("ssl_ca") else None,
        is_plain=given.get("ssl") == "off",
    )
