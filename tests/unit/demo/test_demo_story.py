"""The story of the demo: a lowered limit, kills, a back-off, and a limit that heals."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest

from copilot.demo.kinds import NAMESPACE, NODE, Obj
from copilot.demo.writing import delete
from tests.builders_demo import TERMS, HandMoved, image_patch, limit_patch

CRASHING: Obj = {
    "metadata": {"name": "crashing"},
    "spec": {
        "selector": {"matchLabels": {"app": "crashing"}},
        "template": {
            "metadata": {"labels": {"app": "crashing"}},
            "spec": {
                "containers": [
                    {
                        "name": "app",
                        "image": "docker.io/lab/busybox:1.35",
                        "command": ["/bin/sh", "-c", "sleep 2; exit 1"],
                    }
                ]
            },
        },
    },
}


@pytest.fixture
def demo() -> HandMoved:
    return HandMoved()


def test_a_lowered_limit_kills_within_five_seconds(demo: HandMoved) -> None:
    demo.patch("oom-demo", limit_patch("32Mi"))

    seconds = demo.until(lambda: "OOMKilled" in _states(demo))

    assert seconds < 5
    assert not [e for e in demo.events() if "oom" in e["message"].lower().replace("oom-demo", "")]


def test_the_first_restart_comes_at_once_and_the_next_ones_later(demo: HandMoved) -> None:
    demo.create(CRASHING)

    times = []
    for count in (1, 2, 3, 4):
        demo.until(partial(_has_restarted, demo, "crashing", count))
        times.append(demo.clock.now_us() / 1e6)

    pauses = [round(later - earlier) for earlier, later in pairwise(times)]
    assert pauses == [13, 23, 23]  # two seconds of life, one of delay, and 10, 20, 20 of back-off


def test_a_back_off_is_forgotten_after_a_quiet_time(demo: HandMoved) -> None:
    slow = CRASHING["spec"]["template"]["spec"]["containers"][0]
    body = {**CRASHING, "spec": {**CRASHING["spec"]}}
    container = {**slow, "command": ["/bin/sh", "-c", "sleep 60; exit 1"]}
    template = {**CRASHING["spec"]["template"], "spec": {"containers": [container]}}
    body["spec"]["template"] = template
    demo.create(body)

    demo.until(lambda: _restarts(demo, "crashing") == 3, 300)

    assert demo.events("BackOff") == []


def test_a_raised_limit_heals_and_the_pods_stay(demo: HandMoved) -> None:
    demo.patch("oom-demo", limit_patch("32Mi"))
    demo.until(lambda: "CrashLoopBackOff" in _states(demo))

    demo.patch("oom-demo", limit_patch("64Mi"))
    demo.until(lambda: demo.deployment("oom-demo")["status"].get("readyReplicas") == 2)
    demo.wait(120)

    assert _states(demo) == {"running"}
    assert [_restarts(demo, "oom-demo"), len(demo.pods("oom-demo"))] == [0, 2]


def test_a_limit_raised_too_little_kills_again(demo: HandMoved) -> None:
    demo.patch("oom-demo", limit_patch("40Mi"))

    demo.wait(60)

    assert _restarts(demo, "oom-demo") >= 2


def test_a_rollout_never_has_fewer_pods_ready_than_wanted(demo: HandMoved) -> None:
    demo.patch(
        "payments-api", b'{"spec":{"template":{"metadata":{"annotations":{"a":"1"}}}}}', "payments"
    )
    ready, total = [], []

    for _ in range(200):
        demo.wait(0.1)
        status = demo.deployment("payments-api", "payments")["status"]
        ready.append(status.get("readyReplicas", 0))
        total.append(status["replicas"])

    assert min(ready) == 3
    assert max(total) == 4
    assert (ready[-1], total[-1]) == (3, 3)


def test_a_rollout_that_does_not_move_is_told_after_its_deadline(demo: HandMoved) -> None:
    demo.patch("payments-api", b'{"spec":{"progressDeadlineSeconds":30}}', "payments")
    patch = image_patch("docker.io/demo/payments-api:9.9.9")
    demo.patch("payments-api", patch, "payments")

    demo.wait(60)

    status = demo.deployment("payments-api", "payments")["status"]
    progressing = next(c for c in status["conditions"] if c["type"] == "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert status["readyReplicas"] == 3  # the old ones serve on
    assert demo.events("Failed")


def test_the_next_version_of_a_service_is_pulled_and_rolled_out(demo: HandMoved) -> None:
    patch = image_patch("docker.io/demo/payments-api:2.14.1")
    demo.patch("payments-api", patch, "payments")

    demo.wait(30)

    images = {p["spec"]["containers"][0]["image"] for p in demo.pods("payments-api")}
    assert images == {"docker.io/demo/payments-api:2.14.1"}
    assert any("Successfully pulled" in e["message"] for e in demo.events("Pulled"))


def test_a_cordoned_node_gets_no_new_pods(demo: HandMoved) -> None:
    world = demo.cluster.world
    for name in ("demo-1", "demo-2"):
        node = world.get(NODE, "", name)
        world.put(NODE, {**node, "spec": {"unschedulable": True}})

    demo.create(CRASHING)
    demo.wait(2)

    assert demo.pods("crashing")[0]["spec"]["nodeName"] == "demo-3"


def test_a_deleted_namespace_takes_everything_along(demo: HandMoved) -> None:
    world = demo.cluster.world
    delete(world, NAMESPACE, world.get(NAMESPACE, "", "checkout"), {}, TERMS)

    demo.until(lambda: world.find(NAMESPACE, "", "checkout") is None, 60)

    assert demo.pods("cart") == []


def _states(demo: HandMoved) -> set[str]:
    found = set()
    for pod in demo.pods("oom-demo"):
        for status in pod["status"].get("containerStatuses") or []:
            for kind, told in status["state"].items():
                found.add(told.get("reason", kind))
    return found


def _has_restarted(demo: HandMoved, app: str, times: int) -> bool:
    return _restarts(demo, app) >= times


def _restarts(demo: HandMoved, app: str) -> int:
    return sum(
        status["restartCount"]
        for pod in demo.pods(app)
        for status in pod["status"].get("containerStatuses") or []
    )
