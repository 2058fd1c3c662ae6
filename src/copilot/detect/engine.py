"""One look with every rule: what is seen in, alerts out."""

from __future__ import annotations

from dataclasses import replace

from copilot.detect.rules import RULES
from copilot.domain.alert import Alert, Seen


def detect(seen: Seen) -> tuple[Alert, ...]:
    """Every alert that any rule gives, one for each fingerprint, in the order of the rules."""
    merged: dict[str, Alert] = {}
    for check in RULES.values():
        for alert in check(seen):
            known = merged.get(alert.fingerprint)
            merged[alert.fingerprint] = _merge(known, alert) if known else alert
    return tuple(merged.values())


def _merge(first: Alert, second: Alert) -> Alert:
    """The words of the one that fires, of the first where both do; times and count of both."""
    if first.is_firing != second.is_firing:
        return first if first.is_firing else second
    return replace(
        first,
        severity=min(first.severity, second.severity),
        starts_us=min(first.starts_us, second.starts_us),
        last_us=max(first.last_us, second.last_us),
        count=max(first.count, second.count),
    )
