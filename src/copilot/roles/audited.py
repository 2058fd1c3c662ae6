"""Whether the audit log holds together, found out without reading all of it for every look.

All is read at the first look and once an hour; in between, what was added, and every chain's head is
held against what it was. So what lay in the log before and was changed since the last whole reading
is not known yet: whoever shows the outcome shows its time, too. `incident-copilot audit verify`
reads all there is whenever somebody asks.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from copilot.ports import Clock, Held, Store

WHOLE_US = 3_600_000_000
"""How old a whole reading may be."""
_CHAINS = 200
"""That are read in one view: none stays open for as long as a large log takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """What was found."""

    broken: tuple[str, ...]
    n: int
    """Entries of chains that hold."""
    checked_us: int
    whole_us: int
    """When the last reading of all of them began."""


class AuditCheck:
    """Of one process: it remembers up to where each chain held, and the hash of that entry."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._held: dict[str, Held] = {}
        self._broken: set[str] = set()
        """Not forgotten: hashes that add up again were made to."""
        self._whole_us = 0
        self._turn = asyncio.Lock()

    async def look(self) -> Integrity:
        """Raises: Unavailable, as the store is; the next look goes on where the last one ended."""
        async with self._turn:
            now_us = self._clock.now_us()
            is_whole = not self._whole_us or now_us - self._whole_us >= WHOLE_US
            found = await self._read(is_whole=is_whole)
            self._broken.update(self._held.keys() - found.keys())
            self._held = found
            if is_whole:
                self._whole_us = now_us
            return Integrity(
                broken=tuple(sorted(self._broken)),
                n=sum(held.seq for held in found.values()),
                checked_us=now_us,
                whole_us=self._whole_us,
            )

    async def _read(self, *, is_whole: bool) -> dict[str, Held]:
        found: dict[str, Held] = {}
        after = ""
        while True:
            async with self._store.view() as view:
                checked = await view.audit.check(
                    after=after, limit=_CHAINS, held=self._held, is_whole=is_whole
                )
            if not checked:
                return found
            self._broken.update(one.chain for one in checked if one.fault)
            found |= {one.chain: Held(seq=one.n, hash=one.hash) for one in checked if not one.fault}
            after = checked[-1].chain
