"""The cluster as it stands: whole, healthy, and the same as the manifests."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from copilot.demo.kinds import (
    BUDGET,
    DEPLOYMENT,
    NAMESPACE,
    NETWORK_POLICY,
    NODE,
    POD,
    SERVICE_ACCOUNT,
)
from copilot.demo.scene import DEMO_LABEL, OOM_DEMO
from tests.builders_demo import HandMoved

MANIFEST = Path(__file__).parents[3] / "demo" / "oom-demo.yaml"


def test_the_scene_has_about_forty_pods_and_all_are_ready() -> None:
    demo = HandMoved()

    pods = demo.cluster.world.objects(POD)

    assert 35 <= len(pods) <= 45
    statuses = [status for pod in pods for status in pod["status"]["containerStatuses"]]
    assert all(status["ready"] and status["restartCount"] == 0 for status in statuses)
    assert len(demo.cluster.world.objects(NODE)) == 3


def test_nothing_in_the_scene_is_new() -> None:
    demo = HandMoved()

    assert demo.events() == []
    young = [
        d["metadata"]["name"]
        for d in demo.cluster.world.objects(DEPLOYMENT)
        if d["metadata"]["creationTimestamp"] > "2026-11-17T12"
    ]
    assert demo.clock.now_us() // 1_000_000 == 1_795_000_000  # 2026-11-18T11:06:40Z
    assert young == []


def test_a_healthy_cluster_stays_quiet_for_ten_minutes() -> None:
    demo = HandMoved()

    demo.wait(600)

    assert demo.events() == []
    lines = [heard.line.text for heard in demo.cluster.kubelet.unsent]
    assert len(lines) > 1000
    assert not [line for line in lines if re.search("error|warn|fail|panic", line, re.IGNORECASE)]
    containers = [c for pod in demo.cluster.kubelet.pods.values() for c in pod.containers]
    assert all(c.memory_bytes < 0.8 * c.limit_bytes for c in containers)


def test_the_demo_namespace_alone_carries_the_label() -> None:
    demo = HandMoved()

    labelled = [
        namespace["metadata"]["name"]
        for namespace in demo.cluster.world.objects(NAMESPACE)
        if namespace["metadata"]["labels"].get(DEMO_LABEL) == "true"
    ]

    assert labelled == ["demo"]


def test_budgets_of_the_scene_leave_one_pod_free_to_go() -> None:
    budgets = HandMoved().cluster.world.objects(BUDGET)

    assert len(budgets) == 3
    assert {budget["status"]["disruptionsAllowed"] for budget in budgets} == {1}


def test_network_policies_of_the_scene_select_pods_and_let_pods_in() -> None:
    world = HandMoved().cluster.world
    policies = world.objects(NETWORK_POLICY)

    assert len(policies) == 2
    for policy in policies:
        apps = {
            pod["metadata"]["labels"]["app"]
            for pod in world.objects(POD, policy["metadata"]["namespace"])
        }
        (rule,) = policy["spec"]["ingress"]
        selectors = [policy["spec"], *rule["from"]]
        assert {one["podSelector"]["matchLabels"]["app"] for one in selectors} <= apps


def test_every_pod_of_the_scene_runs_under_an_account_that_exists() -> None:
    world = HandMoved().cluster.world

    used = {
        (pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"])
        for pod in world.objects(POD)
    }

    assert ("observability", "otel-collector") in used
    assert all(world.find(SERVICE_ACCOUNT, namespace, name) for namespace, name in used)


def test_the_manifest_of_oom_demo_is_what_runs() -> None:
    _, manifest = yaml.safe_load_all(MANIFEST.read_text())

    assert manifest["spec"] == OOM_DEMO["spec"]
    assert manifest["metadata"] == {**OOM_DEMO["metadata"], "namespace": "demo"}


def test_the_same_seed_gives_the_same_cluster_and_another_one_new_names() -> None:
    names = [
        {pod["metadata"]["name"] for pod in HandMoved(seed=seed).cluster.world.objects(POD)}
        for seed in (7, 7, 8)
    ]

    assert names[0] == names[1]
    assert names[0].isdisjoint(names[2])
