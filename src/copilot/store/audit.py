"""The audit log: append-only, each row's hash covers the row and the hash before it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from copilot.ports import AuditRow, CheckedChain, Held
from copilot.store.coding import canonical_json
from copilot.store.database import Database, Row

_START = "0" * 64
_BEGINNING = Held(seq=0, hash=_START)
_PAGE = 1_000
_CHAINS = 200


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

    async def entries(
        self, *, after: tuple[str, int] = ("", 0), limit: int
    ) -> tuple[AuditRow, ...]:
        """All there are, chain by chain and oldest first, from after a chain and number."""
        chain, seq = after
        rows = await self._db.fetch_all(
            "SELECT * FROM audit_log WHERE chain = ? AND seq > ? ORDER BY seq LIMIT ?",
            (chain, seq, limit),
        )
        if len(rows) < limit:
            rows += await self._db.fetch_all(
                "SELECT * FROM audit_log WHERE chain > ? ORDER BY chain, seq LIMIT ?",
                (chain, limit - len(rows)),
            )
        return tuple(map(_row, rows))

    async def broken(self) -> tuple[str, ...]:
        """Chains with an entry changed, missing, added or cut off at the end."""
        found: list[str] = []
        after = ""
        while checked := await self.check(after=after, limit=_CHAINS):
            found += [one.chain for one in checked if one.fault]
            after = checked[-1].chain
        return tuple(found)

    async def check(
        self,
        *,
        after: str = "",
        limit: int,
        held: Mapping[str, Held] | None = None,
        is_whole: bool = False,
    ) -> tuple[CheckedChain, ...]:
        """See the port."""
        heads = await self._db.fetch_all(
            "SELECT chain, seq, hash FROM audit_heads WHERE chain > ? ORDER BY chain LIMIT ?",
            (after, limit),
        )
        known = {str(r["chain"]): Held(seq=int(r["seq"]), hash=str(r["hash"])) for r in heads}
        names = set(known)
        if held is None or is_whole:
            strays = await self._db.fetch_all(
                "SELECT DISTINCT chain FROM audit_log WHERE chain > ? ORDER BY chain LIMIT ?",
                (after, limit),
            )
            names.update(str(row["chain"]) for row in strays)
        return tuple(
            [
                await self._check(name, known.get(name), (held or {}).get(name), is_whole)
                for name in sorted(names)[:limit]
            ]
        )

    async def _check(
        self, chain: str, head: Held | None, held: Held | None, is_whole: bool
    ) -> CheckedChain:
        at = _BEGINNING if held is None or is_whole else held
        if at == head:
            return _whole(chain, at)
        while page := await self._after(chain, at.seq):
            for row in page:
                if fault := _fault(row, at, held):
                    return _broken(chain, at.seq + 1, fault)
                at = Held(seq=row.seq, hash=row.hash)
        if head is None:
            return _broken(chain, 1, "the chain has no head")
        if at.seq < head.seq or (held is not None and head.seq < held.seq):
            missing = min(at.seq, head.seq) + 1
            return _broken(chain, missing, "it is missing, with all that followed")
        if at.seq > head.seq:
            return _broken(chain, head.seq + 1, "it was added")
        if at.hash != head.hash:
            return _broken(chain, at.seq, "the head of the chain says another hash")
        return _whole(chain, at)

    async def _after(self, chain: str, seq: int) -> list[AuditRow]:
        rows = await self._db.fetch_all(
            "SELECT * FROM audit_log WHERE chain = ? AND seq > ? ORDER BY seq LIMIT ?",
            (chain, seq, _PAGE),
        )
        return [_row(row) for row in rows]


def _whole(chain: str, last: Held) -> CheckedChain:
    return CheckedChain(chain=chain, n=last.seq, broken_at=0, fault="", hash=last.hash)


def _broken(chain: str, at: int, fault: str) -> CheckedChain:
    return CheckedChain(chain=chain, n=at - 1, broken_at=at, fault=fault, hash="")


def _fault(row: AuditRow, last: Held, held: Held | None) -> str:
    """What is wrong with the entry that follows `last`."""
    if row.seq != last.seq + 1:
        return "it is missing"
    if row.prev_hash != last.hash:
        return "it does not follow from the entry before it"
    if held is not None and row.seq == held.seq and row.hash != held.hash:
        return "it is not the one that was there before"
    return "" if _hashed(row) == row else "it was changed"


def _hashed(row: AuditRow) -> AuditRow:
    content = msgspec.structs.asdict(row)
    del content["hash"]
    return msgspec.structs.replace(row, hash=hashlib.sha256(canonical_json(content)).hexdigest())


def _row(row: Row) -> AuditRow:
    return msgspec.convert(dict(row), AuditRow)
