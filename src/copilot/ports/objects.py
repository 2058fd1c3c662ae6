"""What the cluster held when: versions of objects, changes, and what could not be seen."""

from __future__ import annotations

from typing import Protocol

from copilot.domain.change import Change, ObjectVersion
from copilot.domain.evidence import Gap


class Objects(Protocol):
    """The cluster's objects as last seen, and their versions."""

    async def save(self, version: ObjectVersion, change: Change | None) -> None:
        """Keep the newest; a change is kept as a version row of its own."""
        ...

    async def get(self, cluster: str, uid: str) -> ObjectVersion | None: ...

    async def named(
        self, cluster: str, kind: str, namespace: str, name: str
    ) -> ObjectVersion | None:
        """The newest by name, deleted ones too."""
        ...

    async def find(
        self,
        cluster: str,
        kind: str,
        namespace: str = "",
        *,
        owner_uid: str = "",
        deleted_since_us: int | None = None,
    ) -> tuple[ObjectVersion, ...]:
        """Those that exist; with `deleted_since_us` also those deleted since then."""
        ...

    async def changes(
        self, cluster: str, *, namespace: str = "", since_us: int, until_us: int, limit: int
    ) -> tuple[Change, ...]:
        """The newest `limit`, oldest first."""
        ...

    async def set_gap(self, cluster: str, gap: Gap | None, kind: str) -> None:
        """Note (or clear, with None) that a kind cannot be seen."""
        ...

    async def forget_gaps(self, cluster: str, beginning: str) -> None:
        """Clear those whose `kind` begins so."""
        ...

    async def gaps(self, cluster: str) -> tuple[Gap, ...]: ...

    async def set_listed(self, cluster: str, kind: str) -> None:
        """Note that a kind was listed whole: from now on absence means that there is none."""
        ...

    async def listed(self, cluster: str) -> frozenset[str]:
        """The kinds that were listed whole and have no gap now."""
        ...
