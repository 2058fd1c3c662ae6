"""Alertmanager's webhook, version 4.

The same alert comes again every `repeat_interval`; fingerprint and start tell that it is the same.
While firing, `endsAt` is year 1, which is "not yet".
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from copilot.domain.errors import BadInput
from copilot.domain.event import ReceivedAlert
from copilot.domain.secrets import mask
from copilot.ingest.normalise import YEAR_2000_US, BatchBuilder, parse_time


class _Webhook(msgspec.Struct, rename="camel"):
    alerts: list[msgspec.Raw]
    common_labels: dict[str, str] = {}
    truncated_alerts: int = 0


class _Alert(msgspec.Struct, rename="camel"):
    status: str
    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    starts_at: str = ""
    ends_at: str = ""
    fingerprint: str = ""


def decode(body: bytes, batch: BatchBuilder) -> None:
    """Adds each alert to the batch; a `cluster` label that all share names the batch's cluster.

    Raises:
        BadInput: it is not a webhook of Alertmanager's.
    """
    try:
        webhook = msgspec.json.decode(body.decode("utf-8", "replace"), type=_Webhook)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadInput(f"not an Alertmanager webhook: {error}") from None
    batch.cluster = webhook.common_labels.get("cluster") or batch.cluster
    batch.check_size(len(webhook.alerts))
    for raw in webhook.alerts:
        try:
            alert = msgspec.json.decode(raw, type=_Alert)
        except (msgspec.MsgspecError, RecursionError) as error:
            batch.set_aside(f"an alert that cannot be read: {error}", bytes(raw))
            continue
        batch.alerts.append(_received(alert, batch.received_us))
    if webhook.truncated_alerts > 0:
        batch.notes.append(f"Alertmanager left off {webhook.truncated_alerts} alerts (max_alerts)")


def _received(alert: _Alert, received_us: int) -> ReceivedAlert:
    ends_us = parse_time(alert.ends_at)
    return ReceivedAlert(
        source="alertmanager",
        fingerprint=alert.fingerprint or _fingerprint(alert.labels),
        name=alert.labels.get("alertname", ""),
        is_firing=alert.status != "resolved",
        starts_us=parse_time(alert.starts_at) or received_us,
        ends_us=ends_us if ends_us >= YEAR_2000_US else 0,
        labels={k: mask(v) for k, v in alert.labels.items()},
        annotations={k: mask(v) for k, v in (alert.annotations or {}).items()},
    )


def _fingerprint(labels: dict[str, str]) -> str:
    text = "\0".join(f"{k}\0{v}" for k, v in sorted(labels.items()))
    return blake2b(text.encode(), digest_size=8).hexdigest()
