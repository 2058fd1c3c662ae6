"""Other systems' alerts, placed in our cluster."""

import json
from datetime import datetime

import msgspec
import pytest

from copilot.detect.rules.external import check
from copilot.detect.rules.oom_killed import check as check_oom
from copilot.domain.alert import Alert, Rule
from copilot.domain.event import ReceivedAlert
from copilot.domain.objects import Pod, epoch_us
from tests.builders_detect import FIXTURES, seen, watched_pods
from tests.builders_objects import a_pod, ago_us, an_oom_killed_pod


def received(name: str = "PodNotHappy", **labels: str) -> ReceivedAlert:
    return ReceivedAlert(
        source="alertmanager",
        fingerprint="8315145566372852",
        name=name,
        is_firing=True,
        starts_us=ago_us(60),
        ends_us=0,
        labels={"alertname": name} | labels,
        annotations={},
    )


def recorded(name: str) -> ReceivedAlert:
    """The alert in a recorded webhook, taken apart just as far as this rule needs."""
    body = json.loads((FIXTURES / "alertmanager" / f"{name}.body").read_text())
    (alert,) = body["alerts"]
    return ReceivedAlert(
        source="alertmanager",
        fingerprint=alert["fingerprint"],
        name=alert["labels"]["alertname"],
        is_firing=alert["status"] == "firing",
        starts_us=epoch_us(datetime.fromisoformat(alert["startsAt"])),
        ends_us=0,
        labels=alert["labels"],
        annotations=alert["annotations"],
    )


def the_alert(*alerts: ReceivedAlert, pods: list[Pod] | None = None) -> Alert:
    (alert,) = check(seen(*(pods or []), received=alerts))
    return alert


def test_a_recorded_alert_about_a_pod_is_placed_on_its_deployment() -> None:
    pod = watched_pods()[0]

    alert = the_alert(recorded("firing_pod_memory_near_limit"), pods=[pod])

    assert (alert.rule, alert.workload.key) == (Rule.EXTERNAL, "Deployment/demo/oom-demo")
    assert alert.title == ("demo/oom-demo-64fdd9cd94-wsdxp peaked at 100% of its memory limit")
    assert (alert.severity, alert.node, alert.source) == (3, "dev", "alertmanager")


def test_a_recorded_alert_without_annotations_gets_a_title_of_our_own() -> None:
    alert = the_alert(
        recorded("firing_container_restarting_no_annotations"), pods=[watched_pods()[0]]
    )

    assert alert.title == "ContainerRestartingFast on oom-demo/app"
    assert "severity=warning" in alert.message


def test_a_recorded_alert_about_a_node_is_placed_on_the_node() -> None:
    alert = the_alert(recorded("firing_node_oom_kill"))

    assert (alert.rule, alert.workload.key) == (Rule.EXTERNAL, "Node//dev")
    assert (alert.node, alert.severity) == ("dev", 2)


def test_an_alert_that_says_oom_is_the_same_trouble_as_our_own_rule_sees() -> None:
    pod = an_oom_killed_pod()
    theirs = received("KubeContainerOOMKilled", namespace="demo", pod=pod.metadata.name)

    alert = the_alert(theirs, pods=[pod])
    (ours,) = check_oom(seen(pod))

    assert alert.rule is Rule.OOM_KILLED
    assert alert.fingerprint == ours.fingerprint


@pytest.mark.parametrize(
    ("name", "labels", "rule"),
    [
        ("ContainerOomKilled", {}, Rule.OOM_KILLED),
        ("container_oom_kill", {}, Rule.OOM_KILLED),
        ("ContainerTerminated", {"reason": "OOMKilled"}, Rule.OOM_KILLED),
        ("ChatRoomSlow", {}, Rule.EXTERNAL),
        ("ZoomLatency", {"pod": "oom-demo-1"}, Rule.EXTERNAL),
    ],
)
def test_only_name_and_reason_can_say_oom(name: str, labels: dict[str, str], rule: Rule) -> None:
    alert = the_alert(received(name, namespace="demo", deployment="oom-demo", **labels))

    assert alert.rule is rule


@pytest.mark.parametrize(
    ("labels", "place"),
    [
        ({"namespace": "shop", "deployment": "web"}, "Deployment/shop/web"),
        ({"namespace": "shop", "statefulset": "db"}, "StatefulSet/shop/db"),
        ({"namespace": "shop", "job_name": "nightly"}, "Job/shop/nightly"),
        ({"namespace": "demo", "app": "oom-demo"}, "Deployment/demo/oom-demo"),
        ({"namespace": "shop", "app": "unheard-of"}, "App/shop/unheard-of"),
        ({"namespace": "demo", "pod": "oom-demo-64fdd9cd94-gone1"}, "Deployment/demo/oom-demo"),
        ({"namespace": "shop", "pod": "lonely"}, "Pod/shop/lonely"),
        ({"node": "dev"}, "Node//dev"),
        ({"namespace": "shop"}, "Namespace//shop"),
        ({}, "Cluster//dev"),
        (
            {"job": "node-exporter", "namespace": "mon", "pod": "exp-1", "instance": "n2:9100"},
            "Node//n2",
        ),
        (
            {"namespace": "mon", "pod": "ksm", "exported_namespace": "shop", "exported_pod": "p"},
            "Pod/shop/p",
        ),
    ],
)
def test_labels_say_where(labels: dict[str, str], place: str) -> None:
    alert = the_alert(received(**labels), pods=[a_pod()])

    assert alert.workload.key == place


def test_an_alert_that_ended_is_not_firing() -> None:
    firing = the_alert(received(namespace="demo", deployment="web"))
    resolved = msgspec.structs.replace(
        received(namespace="demo", deployment="web"), is_firing=False, ends_us=ago_us(1)
    )
    ended = the_alert(resolved)

    assert ended.fingerprint == firing.fingerprint
    assert (firing.is_firing, ended.is_firing) == (True, False)


def test_two_alerts_about_one_workload_are_told_apart_by_name() -> None:
    one = the_alert(received("A", namespace="demo", deployment="web"))
    other = the_alert(received("B", namespace="demo", deployment="web"))

    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("said", "severity"), [("page", 1), ("critical", 2), ("Warning", 3), ("info", 4), ("odd", 3)]
)
def test_their_severity_becomes_ours(said: str, severity: int) -> None:
    assert the_alert(received(severity=said)).severity == severity


def test_an_alert_that_is_always_on_is_quiet() -> None:
    assert list(check(seen(received=[received("Watchdog", severity="none")]))) == []
