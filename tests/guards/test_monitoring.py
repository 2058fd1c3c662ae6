"""Dashboard, alerts and senders' manifests: what they name exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from copilot.detect.rules.external import OWN
from copilot.roles.figures import Figures
from copilot.roles.health import Ailment
from copilot.settings import Settings

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy/monitoring"
RUNBOOK = "docs/how-to/watch-the-copilot.md"
_NAME = re.compile(r"\b((?:copilot|process)_[a-z0-9_]+)")
_PARTS = re.compile(r"_(bucket|sum|count)$")


def alerts() -> list[dict[str, object]]:
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_queries() -> list[str]:
    panels = json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def told() -> dict[str, str]:
    """Every metric that a co-pilot tells, with its kind."""
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", Figures().text(), re.MULTILINE))


def named_in(query: str) -> set[str]:
    """The metrics that a query asks for; the parts of a histogram are the histogram."""
    kinds = told()
    plain = re.sub(r'"[^"]*"', "", query)
    names = {(name, _PARTS.sub("", name)) for name in _NAME.findall(plain)}
    return {whole if kinds.get(whole) == "histogram" else name for name, whole in names}


@pytest.mark.parametrize(
    "query", sorted({*dashboard_queries(), *(str(a["expr"]) for a in alerts())})
)
def test_every_metric_that_is_asked_for_is_told(query: str) -> None:
    assert named_in(query) - told().keys() == set()


def test_every_metric_that_is_told_is_on_the_dashboard() -> None:
    shown = set().union(*map(named_in, dashboard_queries()))

    assert told().keys() - shown == set()


def test_every_alert_says_whose_it_is_and_leads_to_what_to_do() -> None:
    headings = set(re.findall(r"^## (\w+)", (ROOT / RUNBOOK).read_text(), re.MULTILINE))

    for alert in alerts():
        labels, annotations = alert["labels"], alert["annotations"]
        assert isinstance(labels, dict)
        assert isinstance(annotations, dict)
        assert labels[OWN[0]] == OWN[1], alert["alert"]
        page, _, section = annotations["runbook_url"].partition("#")
        assert page == RUNBOOK
        assert section in {heading.lower() for heading in headings}, alert["alert"]


@pytest.mark.parametrize("ailment", Ailment)
def test_every_trouble_is_explained(ailment: Ailment) -> None:
    assert re.search(
        rf"^## {ailment.value}$", (ROOT / RUNBOOK).read_text(), re.MULTILINE | re.IGNORECASE
    )


@pytest.mark.parametrize(
    "manifest", ["base/every-role.yaml", "overlays/embedded/incident-copilot.yaml"]
)
def test_every_pod_says_what_the_how_to_tells_prometheus_to_look_for(manifest: str) -> None:
    said = re.findall(r"`(prometheus\.io/\w+): \"?([^`\"]+)", (ROOT / RUNBOOK).read_text())
    deployment = next(yaml.safe_load_all((ROOT / "deploy" / manifest).read_text()))

    assert deployment["spec"]["template"]["metadata"]["annotations"] == dict(said)


@pytest.mark.parametrize("folder", ["fluentbit", "otel"])
def test_each_sender_has_a_token_of_its_own_from_a_secret_that_is_not_in_the_repository(
    folder: str,
) -> None:
    texts = [path.read_text() for path in sorted((ROOT / folder).glob("*.yaml"))]
    documents = [one for text in texts for one in yaml.safe_load_all(text) if one]
    workload = next(one for one in documents if one.get("kind") in ("DaemonSet", "Deployment"))
    (container,) = workload["spec"]["template"]["spec"]["containers"]

    tokens = [
        e["valueFrom"]["secretKeyRef"] for e in container["env"] if e["name"] == "SENDER_TOKEN"
    ]
    names = {one.get("kind") for one in documents}

    assert tokens == [{"name": workload["metadata"]["name"] + "-sender", "key": "token"}]
    assert "Secret" not in names
    assert {one["metadata"].get("namespace") for one in documents if "metadata" in one} <= {
        "incident-copilot-telemetry",
        None,
    }


@pytest.mark.parametrize("folder", ["fluentbit", "otel"])
def test_a_senders_kustomization_lists_what_is_beside_it(folder: str) -> None:
    said = yaml.safe_load((ROOT / folder / "kustomization.yaml").read_text())
    made = [name for one in said.get("configMapGenerator", ()) for name in one["files"]]
    beside = {path.name for path in (ROOT / folder).glob("*.yaml")} - {"kustomization.yaml"}

    assert {*said["resources"], *made} == beside


def test_where_senders_live_counts_as_ours() -> None:
    own = Settings.model_fields["own_namespaces"].default
    namespace = yaml.safe_load((ROOT / "fluentbit/namespace.yaml").read_text())

    assert namespace["metadata"]["name"] in own
    assert (
        yaml.safe_load((ROOT / "deploy/base/namespace.yaml").read_text())["metadata"]["name"] in own
    )


def test_fluent_bit_leaves_out_the_logs_of_the_co_pilot_and_its_own() -> None:
    tail = fluent_bit()["pipeline"]["inputs"][0]

    for namespace in Settings.model_fields["own_namespaces"].default:
        assert f"/var/log/containers/*_{namespace}_*.log" in tail["exclude_path"].split(",")


def test_fluent_bit_waits_on_the_disk_and_tries_for_ever() -> None:
    pipeline = fluent_bit()["pipeline"]
    (out,) = pipeline["outputs"]

    assert {one["storage.type"] for one in pipeline["inputs"]} == {"filesystem"}
    assert out["retry_limit"] == "no_limits"
    assert out["storage.total_limit_size"]
    assert "Authorization Bearer ${SENDER_TOKEN}" in out["header"]


def fluent_bit() -> dict[str, dict[str, list[dict[str, str]]]]:
    manifest = yaml.safe_load((ROOT / "fluentbit/fluent-bit-configmap.yaml").read_text())
    read: dict[str, dict[str, list[dict[str, str]]]] = yaml.safe_load(
        manifest["data"]["fluent-bit.yaml"]
    )
    return read
