"""Incidents and everything that belongs to one: alerts, timeline, evidence, findings, runbooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from copilot.domain.alert import Alert
from copilot.domain.errors import Clash, NotFound
from copilot.domain.evidence import Evidence, EvidenceKind, Gap
from copilot.domain.hypothesis import Findings, Hypothesis, Statement
from copilot.domain.incident import (
    Incident,
    IncidentId,
    Status,
    TimelineEntry,
)
from copilot.domain.objects import ObjectRef
from copilot.domain.runbook import RunbookMatch
from copilot.ports import NewEntry, NewIncident
from copilot.store.coding import clip, digest16, from_json, pack, to_json, unpack, utf8
from copilot.store.database import Database, Row, Value, marks

_MUTABLE = (
    "updated_us",
    "status",
    "severity",
    "title",
    "summary",
    "namespace",
    "app",
    "workload",
    "first_signal_us",
    "acknowledged_us",
    "acknowledged_by",
    "resolution",
    "resolved_us",
    "mttr_seconds",
)


class SqlIncidents:
    """Meets `copilot.ports.Incidents`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def open(self, new: NewIncident) -> Incident:
        """See the port."""
        fingerprint = digest16(new.open_key)
        values: dict[str, Value] = {
            "created_us": new.opened_us,
            "updated_us": new.opened_us,
            "status": Status.OPEN,
            "severity": new.severity,
            "title": clip(new.title, 255),
            "summary": "",
            "cluster": new.cluster,
            "namespace": clip(new.namespace, 128),
            "app": clip(new.app, 255),
            "workload": to_json(new.workload),
            "first_signal_us": new.first_signal_us,
            "place": new.open_key,
            "fingerprint": fingerprint,
            "open_key": fingerprint,
        }
        new_id = await self._db.insert(
            self._db.dialect.insert_new("incidents", tuple(values)), tuple(values.values())
        )
        if new_id is None:
            raise Clash(f"an incident about {new.open_key} is open already")
        return await self.get(IncidentId(new_id))

    async def get(self, incident_id: IncidentId) -> Incident:
        """In a transaction nobody else moves it until that ends. Raises: NotFound."""
        row = await self._db.fetch_one(
            f"SELECT * FROM incidents WHERE id = ?{self._db.dialect.locking}", (incident_id,)
        )
        if row is None:
            raise NotFound(f"there is no incident INC-{incident_id}")
        return _incident(row)

    async def opened(self, cluster: str) -> tuple[Incident, ...]:
        """All that are open, newest first."""
        rows = await self._db.fetch_all(
            "SELECT * FROM incidents WHERE cluster = ? AND open_key IS NOT NULL "
            "ORDER BY created_us DESC, id DESC",
            (cluster,),
        )
        return tuple(_incident(row) for row in rows)

    async def page(
        self, *, status: Sequence[Status] = (), namespace: str = "", before_id: int = 0, limit: int
    ) -> tuple[Incident, ...]:
        """See the port."""
        where = ["(? = '' OR namespace = ?)"]
        params: list[Value] = [namespace, namespace]
        if status:
            where.append(f"status IN ({marks(status)})")
            params += status
        if before_id:
            at = "(SELECT created_us FROM incidents WHERE id = ?)"
            where.append(f"(created_us < {at} OR (created_us = {at} AND id < ?))")
            params += [before_id, before_id, before_id]
        rows = await self._db.fetch_all(
            f"SELECT * FROM incidents WHERE {' AND '.join(where)} "
            "ORDER BY created_us DESC, id DESC LIMIT ?",
            (*params, limit),
        )
        return tuple(_incident(row) for row in rows)

    async def last_resolved(self, open_key: str) -> Incident | None:
        """The newest resolved one of the same place."""
        row = await self._db.fetch_one(
            "SELECT * FROM incidents WHERE fingerprint = ? AND open_key IS NULL "
            "ORDER BY resolved_us DESC, created_us DESC LIMIT 1",
            (digest16(open_key),),
        )
        return _incident(row) if row else None

    async def save(self, incident: Incident) -> Incident:
        """See the port. Cluster, place and time of opening never change.

        Raises:
            Clash: its `rev` is not the stored one.
            NotFound: there is no such incident.
        """
        values = _columns(incident)
        saved = await self._db.execute(
            f"UPDATE incidents SET {', '.join(f'{name} = ?' for name in _MUTABLE)}, "
            "open_key = CASE WHEN ? THEN fingerprint ELSE NULL END, rev = rev + 1 "
            "WHERE id = ? AND rev = ?",
            (
                *(values[name] for name in _MUTABLE),
                int(incident.is_open),
                *(incident.id, incident.rev),
            ),
        )
        if saved != 1:
            stored = await self.get(incident.id)
            raise Clash(
                f"incident INC-{incident.id} changed meanwhile "
                f"(revision {stored.rev}, not {incident.rev}); look again"
            )
        return replace(incident, rev=incident.rev + 1)

    async def add_alert(self, incident_id: IncidentId, alert: Alert, reason: str) -> bool:
        """See the port. A repeat keeps the earliest start, the latest time, the greatest count and
        the first reason."""
        row = await self._db.fetch_one(
            "SELECT body FROM alerts WHERE incident_id = ? AND fingerprint = ?"
            + self._db.dialect.locking,
            (incident_id, alert.fingerprint),
        )
        if row:
            alert = _refreshed(from_json(row["body"], Alert), alert)
        values: dict[str, Value] = {
            "incident_id": incident_id,
            "fingerprint": alert.fingerprint,
            "rule": alert.rule,
            "cluster": alert.cluster,
            "starts_us": alert.starts_us,
            "last_us": alert.last_us,
            "is_firing": int(alert.is_firing),
            "body": to_json(alert),
            "reason": clip(reason, 64),
        }
        columns = tuple(values)
        sql = self._db.dialect.upsert(
            "alerts", columns, columns[:2], replace=[c for c in columns[2:] if c != "reason"]
        )
        await self._db.execute(sql, tuple(values.values()))
        return row is None

    async def alerts(self, incident_id: IncidentId) -> tuple[Alert, ...]:
        """By start."""
        rows = await self._db.fetch_all(
            "SELECT body FROM alerts WHERE incident_id = ? ORDER BY starts_us, fingerprint",
            (incident_id,),
        )
        return tuple(from_json(row["body"], Alert) for row in rows)

    async def add_entry(self, incident_id: IncidentId, entry: NewEntry) -> TimelineEntry:
        """The entry with its number. Raises: NotFound."""
        seq = await self._next_entry(incident_id)
        await self._db.execute(
            "INSERT INTO incident_events (incident_id, seq, ts_us, kind, actor, title, detail, "
            "evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(incident_id, seq, entry.ts_us, entry.kind, entry.actor),
                *(clip(entry.title, 255), entry.detail, to_json(entry.evidence)),
            ),
        )
        return TimelineEntry(
            incident_id=incident_id,
            seq=seq,
            ts_us=entry.ts_us,
            kind=entry.kind,
            actor=entry.actor,
            title=clip(entry.title, 255),
            detail=entry.detail,
            evidence=entry.evidence,
        )

    async def timeline(
        self, incident_id: IncidentId, after_seq: int = 0
    ) -> tuple[TimelineEntry, ...]:
        """By `seq`."""
        rows = await self._db.fetch_all(
            "SELECT * FROM incident_events WHERE incident_id = ? AND seq > ? ORDER BY seq",
            (incident_id, after_seq),
        )
        return tuple(
            msgspec.convert(
                dict(row) | {"evidence": from_json(row["evidence"], tuple[str, ...])},
                TimelineEntry,
            )
            for row in rows
        )

    async def keep_evidence(
        self, incident_id: IncidentId, evidence: Iterable[Evidence]
    ) -> tuple[Evidence, ...]:
        """See the port: one back for each that comes in, in the same order; what is stored already
        comes back as it was stored."""
        stored = {digest16(e.source, e.body): e for e in await self.evidence(incident_id)}
        seq, kept, new = len(stored), [], []
        for one in evidence:
            digest = digest16(one.source, one.body)
            if digest not in stored:
                seq += 1
                stored[digest] = replace(one, id=f"E{seq}")
                new.append((seq, digest, one))
            kept.append(stored[digest])
        await self._db.executemany(
            "INSERT INTO evidence (incident_id, seq, kind, title, occurred_us, source, digest, "
            "body_z) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    incident_id,
                    n,
                    e.kind,
                    e.title,
                    e.occurred_us,
                    e.source,
                    digest,
                    pack(utf8(e.body)),
                )
                for n, digest, e in new
            ],
        )
        return tuple(kept)

    async def evidence(self, incident_id: IncidentId) -> tuple[Evidence, ...]:
        """By number."""
        rows = await self._db.fetch_all(
            "SELECT * FROM evidence WHERE incident_id = ? ORDER BY seq", (incident_id,)
        )
        return tuple(_evidence(row) for row in rows)

    async def keep_findings(
        self, incident_id: IncidentId, findings: Findings, gaps: Sequence[Gap], at_us: int
    ) -> None:
        """See the port."""
        values: dict[str, Value] = {
            "incident_id": incident_id,
            "summary": to_json(findings.summary),
            "gaps": to_json(gaps),
            "dropped": findings.dropped,
            "model": findings.model,
            "tokens_in": findings.tokens_in,
            "tokens_out": findings.tokens_out,
            "created_us": at_us,
        }
        columns = tuple(values)
        sql = self._db.dialect.upsert("findings", columns, columns[:1], replace=columns[1:])
        await self._db.execute(sql, tuple(values.values()))
        await self._db.execute("DELETE FROM hypotheses WHERE incident_id = ?", (incident_id,))
        await self._db.executemany(
            "INSERT INTO hypotheses (incident_id, seq, cause, status, confidence, agent, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (incident_id, n, h.cause, h.verdict, h.confidence, h.agent, to_json(h))
                for n, h in enumerate(findings.hypotheses, start=1)
            ],
        )

    async def findings(self, incident_id: IncidentId) -> tuple[Findings, tuple[Gap, ...]] | None:
        """None before the first look."""
        row = await self._db.fetch_one(
            "SELECT * FROM findings WHERE incident_id = ?", (incident_id,)
        )
        if row is None:
            return None
        rows = await self._db.fetch_all(
            "SELECT body FROM hypotheses WHERE incident_id = ? ORDER BY seq", (incident_id,)
        )
        findings = Findings(
            summary=from_json(row["summary"], tuple[Statement, ...]),
            hypotheses=tuple(from_json(r["body"], Hypothesis) for r in rows),
            dropped=row["dropped"],
            model=row["model"],
            tokens_in=row["tokens_in"],
            tokens_out=row["tokens_out"],
        )
        return findings, from_json(row["gaps"], tuple[Gap, ...])

    async def keep_runbooks(self, incident_id: IncidentId, matches: Sequence[RunbookMatch]) -> None:
        """Replaces those of an earlier look."""
        await self._db.execute(
            "DELETE FROM incident_runbooks WHERE incident_id = ?", (incident_id,)
        )
        await self._db.executemany(
            "INSERT INTO incident_runbooks (incident_id, seq, slug, body) VALUES (?, ?, ?, ?)",
            [(incident_id, n, m.slug, to_json(m)) for n, m in enumerate(matches, start=1)],
        )

    async def runbooks(self, incident_id: IncidentId) -> tuple[RunbookMatch, ...]:
        """In the order given."""
        rows = await self._db.fetch_all(
            "SELECT body FROM incident_runbooks WHERE incident_id = ? ORDER BY seq",
            (incident_id,),
        )
        return tuple(from_json(row["body"], RunbookMatch) for row in rows)

    async def _next_entry(self, incident_id: IncidentId) -> int:
        # Moved first, read after, as for the feed; apart from `rev`, so that a note voids no look.
        moved = await self._db.execute(
            "UPDATE incidents SET last_entry = last_entry + 1 WHERE id = ?", (incident_id,)
        )
        row = await self._db.fetch_one(
            "SELECT last_entry FROM incidents WHERE id = ?", (incident_id,)
        )
        if row is None or moved != 1:
            raise NotFound(f"there is no incident INC-{incident_id}")
        return int(row["last_entry"])


def _columns(incident: Incident) -> dict[str, Value]:
    return {
        "updated_us": incident.updated_us,
        "status": incident.status,
        "severity": incident.severity,
        "title": clip(incident.title, 255),
        "summary": incident.summary,
        "namespace": clip(incident.namespace, 128),
        "app": clip(incident.app, 255),
        "workload": to_json(incident.workload),
        "first_signal_us": incident.first_signal_us,
        "acknowledged_us": incident.acknowledged_us,
        "acknowledged_by": incident.acknowledged_by,
        "resolution": incident.resolution,
        "resolved_us": incident.resolved_us,
        "mttr_seconds": incident.mttr_seconds,
    }


def _incident(row: Row) -> Incident:
    values = dict(row) | {
        "workload": from_json(row["workload"], ObjectRef),
        "opened_us": row["created_us"],
        "open_key": row["place"],
    }
    return msgspec.convert(values, Incident)


def _refreshed(stored: Alert, seen: Alert) -> Alert:
    return replace(
        seen,
        starts_us=min(stored.starts_us, seen.starts_us),
        last_us=max(stored.last_us, seen.last_us),
        count=max(stored.count, seen.count),
    )


def _evidence(row: Row) -> Evidence:
    return Evidence(
        id=f"E{row['seq']}",
        kind=EvidenceKind(row["kind"]),
        title=row["title"],
        occurred_us=row["occurred_us"],
        source=row["source"],
        body=unpack(row["body_z"]).decode(),
    )
