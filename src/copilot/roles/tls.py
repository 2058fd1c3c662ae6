"""The certificate to serve with, read again when it changes."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

import structlog

from copilot.domain.errors import Invalid

LOOK_S = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A chain and its key, as PEM files that somebody may replace."""

    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 and up, with what the files hold now.

        Raises:
            Invalid: they cannot be used.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            self._load(context)
        except (OSError, ssl.SSLError) as error:
            raise Invalid(
                f"COPILOT_TLS_CERT and COPILOT_TLS_KEY cannot be used: {error}"
            ) from error
        return context

    async def keep_fresh(self, context: ssl.SSLContext, look_s: float = LOOK_S) -> None:
        """For ever: connections made after a change of the files get the new certificate. One that
        cannot be used leaves the old one in place."""
        loaded = self._stamp()
        while True:
            await asyncio.sleep(look_s)
            if (stamp := self._stamp()) == loaded:
                continue
            try:
                Certificate(chain=self.chain, key=self.key).context()  # whole and fitting?
                self._load(context)
            except (Invalid, OSError, ssl.SSLError) as error:
                log.warning("certificate.unusable", error=str(error))
            else:
                log.info("certificate.renewed")
                loaded = stamp

    def _load(self, context: ssl.SSLContext) -> None:
        context.load_cert_chain(self.chain, self.key)

    def _stamp(self) -> tuple[object, ...]:
        """Mounted secrets are exchanged by a link, so that even the inode is another."""
        try:
            return tuple(
                (stat.st_ino, stat.st_mtime_ns) for stat in (self.chain.stat(), self.key.stat())
            )
        except OSError:
            return ()


def certificate_in(chain: str, key: str) -> Certificate | None:
    """Where the settings name one.

    Raises:
        Invalid: they name half of one.
    """
    if not chain and not key:
        return None
    if not chain or not key:
        raise Invalid("COPILOT_TLS_CERT and COPILOT_TLS_KEY go together")
    return Certificate(chain=Path(chain), key=Path(key))
