"""The cluster's objects as last seen, what changed, and what could not be seen."""

from __future__ import annotations

from collections.abc import Iterable

from copilot.domain.change import Change, FieldChange, ObjectVersion
from copilot.domain.evidence import Gap
from copilot.domain.objects import ObjectRef
from copilot.store.coding import clip, from_json, to_json
from copilot.store.database import Database, Row

_OBJECT = (
    "cluster",
    "uid",
    "kind",
    "namespace",
    "name",
    "owner_uid",
    "resource_version",
    "generation",
    "actor",
    "spec",
    "deleted_us",
    "updated_us",
)
_VERSION = (
    "cluster",
    "uid",
    "resource_version",
    "is_deleted",
    "kind",
    "namespace",
    "name",
    "ts_us",
    "seen_us",
    "generation",
    "actor",
    "title",
    "changed",
    "spec",
)


class SqlObjects:
    """Meets `copilot.ports.Objects`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def save(self, version: ObjectVersion, change: Change | None) -> None:
        """See the port. A version seen before the stored one changes nothing but the history; the
        same change again is kept once."""
        spec = version.json.decode("utf-8", "replace")
        if await self._is_newest(version):
            await self._db.execute(
                self._db.dialect.upsert(
                    "k8s_objects", _OBJECT, ("cluster", "uid"), replace=_OBJECT[2:]
                ),
                (
                    version.cluster,
                    version.object.uid,
                    version.object.kind,
                    version.object.namespace,
                    version.object.name,
                    version.owner_uid,
                    version.resource_version,
                    version.generation,
                    version.actor,
                    spec,
                    version.seen_us if version.is_deleted else None,
                    version.seen_us,
                ),
            )
        if change is not None:
            await self._keep(version, change, spec)

    async def get(self, cluster: str, uid: str) -> ObjectVersion | None:
        """The newest version, deleted or not."""
        row = await self._db.fetch_one(
            "SELECT * FROM k8s_objects WHERE cluster = ? AND uid = ?", (cluster, uid)
        )
        return _version(row) if row else None

    async def named(
        self, cluster: str, kind: str, namespace: str, name: str
    ) -> ObjectVersion | None:
        """The newest by name; one that exists before any deleted one."""
        row = await self._db.fetch_one(
            "SELECT * FROM k8s_objects WHERE cluster = ? AND kind = ? AND namespace = ? "
            "AND name = ? ORDER BY CASE WHEN deleted_us IS NULL THEN 0 ELSE 1 END, "
            "updated_us DESC LIMIT 1",
            (cluster, kind, namespace, name),
        )
        return _version(row) if row else None

    async def find(
        self,
        cluster: str,
        kind: str,
        namespace: str = "",
        *,
        owner_uid: str = "",
        deleted_since_us: int | None = None,
    ) -> tuple[ObjectVersion, ...]:
        """See the port; by namespace and name."""
        rows = await self._db.fetch_all(
            "SELECT * FROM k8s_objects WHERE cluster = ? AND kind = ? "
            "AND (? = '' OR namespace = ?) AND (? = '' OR owner_uid = ?) "
            "AND (deleted_us IS NULL OR deleted_us >= ?) ORDER BY namespace, name, updated_us",
            (
                cluster,
                kind,
                *(namespace, namespace),
                *(owner_uid, owner_uid),
                _NEVER if deleted_since_us is None else deleted_since_us,
            ),
        )
        return _versions(rows)

    async def changes(
        self, cluster: str, *, namespace: str = "", since_us: int, until_us: int, limit: int
    ) -> tuple[Change, ...]:
        """See the port; both ends of the range are in it."""
        rows = await self._db.fetch_all(
            "SELECT * FROM k8s_object_versions WHERE cluster = ? AND (? = '' OR namespace = ?) "
            "AND ts_us >= ? AND ts_us <= ? ORDER BY ts_us DESC, seen_us DESC LIMIT ?",
            (cluster, namespace, namespace, since_us, until_us, limit),
        )
        return tuple(_change(row) for row in reversed(rows))

    async def set_gap(self, cluster: str, gap: Gap | None, kind: str) -> None:
        """See the port."""
        if gap is None:
            await self._db.execute(
                "DELETE FROM watch_gaps WHERE cluster = ? AND kind = ?", (cluster, kind)
            )
            return
        columns = ("cluster", "kind", "what", "reason")
        await self._db.execute(
            self._db.dialect.upsert("watch_gaps", columns, columns[:2], replace=columns[2:]),
            (cluster, kind, gap.what, gap.reason),
        )

    async def gaps(self, cluster: str) -> tuple[Gap, ...]:
        """By kind."""
        rows = await self._db.fetch_all(
            "SELECT what, reason FROM watch_gaps WHERE cluster = ? ORDER BY kind", (cluster,)
        )
        return tuple(Gap(what=row["what"], reason=row["reason"]) for row in rows)

    async def set_listed(self, cluster: str, kind: str) -> None:
        """See the port."""
        await self._db.execute(
            self._db.dialect.insert_new("watch_listed", ("cluster", "kind")), (cluster, kind)
        )

    async def listed(self, cluster: str) -> frozenset[str]:
        """See the port."""
        rows = await self._db.fetch_all(
            "SELECT kind FROM watch_listed WHERE cluster = ? AND kind NOT IN "
            "(SELECT kind FROM watch_gaps WHERE cluster = ?)",
            (cluster, cluster),
        )
        return frozenset(row["kind"] for row in rows)

    async def _is_newest(self, version: ObjectVersion) -> bool:
        row = await self._db.fetch_one(
            "SELECT updated_us FROM k8s_objects WHERE cluster = ? AND uid = ?"
            + self._db.dialect.locking,
            (version.cluster, version.object.uid),
        )
        return row is None or version.seen_us >= int(row["updated_us"])

    async def _keep(self, version: ObjectVersion, change: Change, spec: str) -> None:
        await self._db.execute(
            self._db.dialect.insert_new("k8s_object_versions", _VERSION),
            (
                version.cluster,
                change.object.uid,
                version.resource_version,
                int(version.is_deleted),
                change.object.kind,
                change.object.namespace,
                change.object.name,
                change.ts_us,
                version.seen_us,
                change.generation,
                change.actor,
                clip(change.title, 255),
                to_json(change.fields),
                spec,
            ),
        )


_NEVER = 2**62
"""Later than any deletion."""


def _versions(rows: Iterable[Row]) -> tuple[ObjectVersion, ...]:
    return tuple(_version(row) for row in rows)


def _version(row: Row) -> ObjectVersion:
    return ObjectVersion(
        cluster=row["cluster"],
        object=_ref(row),
        resource_version=row["resource_version"],
        generation=row["generation"],
        owner_uid=row["owner_uid"],
        actor=row["actor"],
        seen_us=row["updated_us"],
        is_deleted=row["deleted_us"] is not None,
        json=row["spec"].encode(),
    )


def _change(row: Row) -> Change:
    return Change(
        object=_ref(row),
        ts_us=row["ts_us"],
        actor=row["actor"],
        generation=row["generation"],
        fields=from_json(row["changed"], tuple[FieldChange, ...]),
        title=row["title"],
    )


def _ref(row: Row) -> ObjectRef:
    return ObjectRef(kind=row["kind"], namespace=row["namespace"], name=row["name"], uid=row["uid"])
