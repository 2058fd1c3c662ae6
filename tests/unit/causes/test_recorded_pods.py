"""The causes over pods, revisions and nodes as a real cluster showed them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from copilot.causes import explain
from copilot.causes.failures import failing_pods
from copilot.domain.alert import Rule
from copilot.domain.hypothesis import Cause, Verdict
from copilot.domain.objects import Deployment, Node, Pod
from tests.builders_case import a_case

RECORDED = Path(__file__).parents[2] / "fixtures" / "kubernetes"


class _Pods(msgspec.Struct):
    items: list[Pod]


class _Owners(msgspec.Struct):
    items: list[Deployment]


def read(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


def a_recorded_pod(app: str) -> Pod:
    pods = msgspec.json.decode(read("pods_faults.json"), type=_Pods).items
    return next(p for p in pods if p.metadata.name.startswith(app))


NODE = msgspec.json.decode(read("node.json"), type=Node)


@pytest.mark.parametrize(
    ("app", "rule", "cause", "verdict"),
    [
        ("childoom", Rule.OOM_KILLED, Cause.MEMORY_LIMIT_TOO_LOW, Verdict.SUPPORTED),
        ("badprobe", Rule.NOT_READY, Cause.BAD_PROBE, Verdict.SUPPORTED),
        ("toolarge", Rule.UNSCHEDULABLE, Cause.UNSCHEDULABLE, Verdict.SUPPORTED),
        ("noimage", Rule.IMAGE_PULL, Cause.IMAGE_MISSING, Verdict.INCONCLUSIVE),
        ("crasher", Rule.CRASH_LOOP, Cause.UNKNOWN, Verdict.INCONCLUSIVE),
    ],
)
def test_a_recorded_fault_gets_its_cause(
    app: str, rule: Rule, cause: Cause, verdict: Verdict
) -> None:
    pod = a_recorded_pod(app)
    born = pod.metadata.creation_timestamp
    assert born is not None

    found = explain(
        a_case(app=app, pods=[pod], nodes=[NODE], rule=rule, began=born + timedelta(seconds=10))
    )

    assert (found[0].cause, found[0].verdict) == (cause, verdict)


@pytest.mark.parametrize("app", ["fine", "donejob"])
def test_a_recorded_pod_that_is_well_does_not_fail(app: str) -> None:
    assert failing_pods(a_case(app=app, pods=[a_recorded_pod(app)], alerts=[])) == ()


def test_the_recorded_crash_loop_rules_a_rollout_out_by_its_only_revision() -> None:
    pod = msgspec.json.decode(read("pod_oomkilled_crashloop.json"), type=Pod)
    owners = msgspec.json.decode(read("deployments_replicasets.json"), type=_Owners).items
    sets = [
        o for o in owners if o.metadata.uid in {r.uid for r in pod.metadata.owner_references or ()}
    ]
    born = pod.metadata.creation_timestamp
    assert born is not None

    found = explain(
        a_case(
            app="oom-demo",
            pods=[pod],
            replica_sets=sets,
            nodes=[NODE],
            began=born + timedelta(seconds=5),
        )
    )

    assert [h.cause for h in found] == [
        Cause.MEMORY_LIMIT_TOO_LOW,
        Cause.MEMORY_LEAK,
        Cause.BAD_ROLLOUT,
    ]
    assert found[2].verdict is Verdict.REFUTED
