"""The audit log: append-only, each row's hash covers the row and the hash before it."""

from __future__ import annotations

import hashlib

import msgspec

from copilot.ports import AuditRow
from copilot.store.coding import canonical_json
from copilot.store.database import Database, Row

_START = "0" * 64
_PAGE = 1_000


class SqlAudit:
    """Meets `copilot.ports.Audit`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def append(
        self, *, chain: str, ts_us: int, actor: str, action: str, object: str, detail: str
    ) -> AuditRow:
        """The row with its number and hash."""
        # Locked by moving it, then read: what is chained to is the newest, and stays it.
        await self._db.execute(
            self._db.dialect.insert_new("audit_heads", ("chain", "seq", "hash")),
            (chain, 0, _START),
        )
        await self._db.execute("UPDATE audit_heads SET seq = seq + 1 WHERE chain = ?", (chain,))
        head = await self._db.fetch_one(
            "SELECT seq, hash FROM audit_heads WHERE chain = ?", (chain,)
        )
        seq, before = (int(head["seq"]), str(head["hash"])) if head else (1, _START)
        row = _hashed(
            AuditRow(
                chain=chain,
                seq=seq,
                ts_us=ts_us,
                actor=actor,
                action=action,
                object=object,
                detail=detail,
                prev_hash=before,
                hash="",
            )
        )
        await self._db.execute("UPDATE audit_heads SET hash = ? WHERE chain = ?", (row.hash, chain))
        await self._db.execute(
            "INSERT INTO audit_log (chain, seq, ts_us, actor, action, object, detail, prev_hash, "
            "hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            msgspec.structs.astuple(row),
        )
        return row

    async def rows(self, *, chain: str = "", after: int = 0, limit: int) -> tuple[AuditRow, ...]:
        """Newest first; all chains where none is named."""
        which = "WHERE chain = ? " if chain else ""
        rows = await self._db.fetch_all(
            f"SELECT * FROM audit_log {which}ORDER BY ts_us DESC, chain DESC, seq DESC LIMIT ? OFFSET ?",
            (*([chain] if chain else []), limit, after),
        )
        return tuple(_row(row) for row in rows)

    async def broken(self) -> tuple[str, ...]:
        """Chains with a row changed, missing, added or cut off at the end."""
        heads = await self._db.fetch_all("SELECT chain, seq, hash FROM audit_heads")
        known = {row["chain"] for row in heads}
        strays = await self._db.fetch_all("SELECT DISTINCT chain FROM audit_log")
        found = {row["chain"] for row in strays if row["chain"] not in known}
        for head in heads:
            if await self._recompute(head["chain"]) != (head["seq"], head["hash"]):
                found.add(head["chain"])
        return tuple(sorted(found))

    async def _recompute(self, chain: str) -> tuple[int, str] | None:
        """Number and hash of the last row, None where a link does not hold."""
        seq, last = 0, _START
        while True:
            page = await self._db.fetch_all(
                "SELECT * FROM audit_log WHERE chain = ? AND seq > ? ORDER BY seq LIMIT ?",
                (chain, seq, _PAGE),
            )
            if not page:
                return seq, last
            for row in map(_row, page):
                if row.seq != seq + 1 or row.prev_hash != last or _hashed(row) != row:
                    return None
                seq, last = row.seq, row.hash


def _hashed(row: AuditRow) -> AuditRow:
    content = msgspec.structs.asdict(row)
    del content["hash"]
    return msgspec.structs.replace(row, hash=hashlib.sha256(canonical_json(content)).hexdigest())


def _row(row: Row) -> AuditRow:
    return msgspec.convert(dict(row), AuditRow)
