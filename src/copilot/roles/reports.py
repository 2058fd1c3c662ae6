"""What operators' commands print, as tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from copilot.domain.retention import DAY_US, HOUR_US, Keep, Policy, Retired, Tier
from copilot.ports import AuditRow
from copilot.roles.terminal import plain
from copilot.store.copying import Copied


def retention_table(policy: Policy, found: Iterable[Retired], *, is_dry: bool) -> Table:
    """One row a tier: how long it is kept, and what went or would go."""
    title = "would go, nothing was changed" if is_dry else "went"
    table = Table("tier", "kept", title, "older than (UTC)", "because of its")
    table.columns[2].justify = "right"
    for one in found:
        table.add_row(
            one.tier,
            kept(one.tier, policy[one.tier]),
            _amount(one),
            _when(one.before_us) if one.before_us else "",
            one.reason,
        )
    return table


def copied_table(found: Iterable[Copied]) -> Table:
    """What a copy brought, table by table; both sides had the same count and hash."""
    table = Table("table", "rows", "hash, equal in both")
    table.columns[1].justify = "right"
    for one in found:
        table.add_row(one.table, f"{one.n:,}", one.hash)
    return table


def audit_line(row: AuditRow) -> Text:
    """An entry of the audit log in a line."""
    when = datetime.fromtimestamp(row.ts_us // 1_000_000, UTC)
    place, did = f"{row.chain}#{row.seq}", f"{row.action} {row.object}"
    return Text.assemble(
        (f"{when:%Y-%m-%dT%H:%M:%S} ", "dim"),
        (f"{plain(place):<16} ", "dim"),
        (f"{plain(row.actor):<18} ", "cyan"),
        f"{plain(did)}  {plain(row.detail)}",
    )


def kept(tier: Tier, keep: Keep) -> str:
    """`14 d, 20.0 GiB`."""
    parts = []
    if keep.age_us is not None:
        is_days = keep.age_us >= DAY_US
        parts.append(
            f"{keep.age_us / (DAY_US if is_days else HOUR_US):g} {'d' if is_days else 'h'}"
        )
    if keep.size is not None:
        parts.append(_size(keep.size) if tier is Tier.LINES else f"{keep.size:,} rows")
    return ", ".join(parts) or "for ever"


def _amount(one: Retired) -> str:
    if one.tier is Tier.LINES:
        return f"{one.n:,} lines, {_size(one.bytes)}"
    return f"{one.n:,}"


def _size(n: int) -> str:
    return f"{n / (1 << 30):.1f} GiB" if n >= 1 << 30 else f"{n / (1 << 20):.1f} MiB"


def _when(us: int) -> str:
    return f"{datetime.fromtimestamp(us // 1_000_000, UTC):%Y-%m-%d %H:%M}"
