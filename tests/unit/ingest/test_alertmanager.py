"""Alertmanager's recorded webhooks, and what was not recorded, derived from them."""

import json

from copilot.ingest.doors import Door
from tests.builders_ingest import JSON, decoded, recorded, take

NEAR_LIMIT = "alertmanager/firing_pod_memory_near_limit"


def document(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(recorded(name).body)
    return found


def test_a_firing_alert_has_a_start_and_no_end() -> None:
    (alert,) = decoded(NEAR_LIMIT).alerts

    assert alert.is_firing
    assert (alert.name, alert.fingerprint) == ("PodMemoryNearLimit", "252ede2660237b35")
    assert (alert.starts_us, alert.ends_us) == (1_795_420_177_085_000, 0)
    assert alert.labels["pod"] == "oom-demo-64fdd9cd94-wsdxp"
    assert alert.annotations["summary"].endswith("peaked at 100% of its memory limit")
    assert alert.source == "alertmanager"


def test_an_alert_about_a_node_names_no_pod() -> None:
    (alert,) = decoded("alertmanager/firing_node_oom_kill").alerts

    assert alert.labels["node"] == "dev"
    assert "pod" not in alert.labels
    assert alert.annotations["runbook_url"] == "runbooks/oomkilled"


def test_an_alert_without_annotations_is_fine() -> None:
    (alert,) = decoded("alertmanager/firing_container_restarting_no_annotations").alerts

    assert alert.annotations == {}
    assert alert.labels["container"] == "app"


def test_a_resolved_alert_has_an_end() -> None:
    body = recorded(NEAR_LIMIT).body
    body = body.replace(b'"firing"', b'"resolved"')
    body = body.replace(b"0001-01-01T00:00:00Z", b"2026-11-23T07:55:00.000Z")

    (alert,) = take(body, JSON, Door.ALERTMANAGER).alerts

    assert not alert.is_firing
    assert alert.ends_us == 1_795_420_500_000_000


def test_a_repeat_has_the_same_fingerprint_and_start() -> None:
    first, again = (decoded(NEAR_LIMIT).alerts[0] for _ in range(2))

    assert (first.fingerprint, first.starts_us) == (again.fingerprint, again.starts_us)


def test_the_common_cluster_label_names_the_cluster() -> None:
    webhook = document(NEAR_LIMIT) | {"commonLabels": {"cluster": "prod-7"}}

    batch = take(json.dumps(webhook).encode(), JSON, Door.ALERTMANAGER)

    assert batch.cluster == "prod-7"


def test_a_bad_alert_is_set_aside_and_the_others_stay() -> None:
    webhook = document(NEAR_LIMIT)
    alerts = webhook["alerts"]
    assert isinstance(alerts, list)
    webhook |= {"alerts": [*alerts, {"labels": 5}, "text"], "truncatedAlerts": 3}

    batch = take(json.dumps(webhook).encode(), JSON, Door.ALERTMANAGER)

    assert len(batch.alerts) == 1
    assert len(batch.set_aside) == 2
    assert batch.notes == ["Alertmanager left off 3 alerts (max_alerts)"]


def test_an_alert_without_a_fingerprint_gets_one_from_its_labels() -> None:
    webhook = document(NEAR_LIMIT)
    bare = {"status": "firing", "labels": {"alertname": "X", "a": "b"}}
    webhook |= {"alerts": [bare, bare | {"startsAt": "2026-11-23T07:49:37Z"}]}

    first, second = take(json.dumps(webhook).encode(), JSON, Door.ALERTMANAGER).alerts

    assert first.fingerprint == second.fingerprint
    assert len(first.fingerprint) == 16
