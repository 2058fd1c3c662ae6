"""The README's quickstart, executed as it stands on a real cluster, up to a fix that a person approves
in a real browser through the port-forward, and to the last object of it being gone again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from copilot.store.mysql import Address
from tests.browser import approves, breaks, signed_in
from tests.cluster.conftest import killed_pod, limit
from tests.contract.cluster_targets import KubeHttp, container_status
from tests.deploy.installation import (
    HOME,
    ROLES,
    Deployed,
    Shell,
    forwarded,
    inventory,
    pods,
    restarts,
    trust,
    wait_until_ready,
)
from tests.deploy.quickstart import founding_commands, readme_commands, with_values
from tests.deploy.usage import Usage, far_off, requests, table
from tests.e2e.copilot_process import (
    audited,
    chaos_target,
    cited,
    open_incident_of,
    resolved,
    wait_for,
    with_verdict,
)

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.lab,
    pytest.mark.browser,
    pytest.mark.timeout(420),
]

READY_S = 60
NOT_RESTRICTED = "kubectl -n incident-copilot run --image=docker.io/lab/busybox:1.35 loose"


@dataclass(frozen=True)
class Steps:
    """The commands between a fresh machine and the screens."""

    prepare: tuple[str, ...]
    apply: str
    watch: str
    demo: tuple[str, ...]
    token: str
    forward: str
    remove: tuple[str, ...]


def steps() -> Steps:
    todo = readme_commands()

    def until(mark: str) -> tuple[str, ...]:
        at = next(n for n, command in enumerate(todo) if mark in command)
        taken = tuple(todo[:at])
        del todo[:at]
        return taken

    return Steps(
        prepare=until("apply -k"),
        apply=todo.pop(0),
        watch=todo.pop(0),
        demo=until("incident-copilot token create"),
        token=todo.pop(0),
        forward=todo.pop(0),
        remove=tuple(todo),
    )


@dataclass(frozen=True)
class Installed:
    """After step 5."""

    steps: Steps
    ready_s: float
    usage: Usage


@pytest.fixture(scope="module")
def installed(shell: Shell, database: Address, before: set[str]) -> Iterator[Installed]:
    script = steps()
    try:
        for command in script.prepare:
            shell.run(with_values(command))
        trust(shell, database)
        started = time.monotonic()
        shell.run(script.apply)
        with shell.running(script.watch):
            wait_until_ready(shell, count=len(ROLES))
        ready_s = time.monotonic() - started
        with Usage(shell, ROLES) as usage:
            yield Installed(script, ready_s, usage)
    finally:
        shell.run("kubectl delete --ignore-not-found -k deploy/overlays/minikube", timeout_s=180)


@pytest.fixture(scope="module")
def copilot(installed: Installed, shell: Shell) -> Iterator[Deployed]:
    token = shell.run(installed.steps.token).split()[-1]
    with forwarded(shell, installed.steps.forward, access=token) as deployed:
        yield deployed


@pytest.fixture
def page(browser: Browser, copilot: Deployed) -> Iterator[Page]:
    with signed_in(browser, copilot) as page:
        yield page


def test_the_readme_has_every_founding_command_in_order() -> None:
    ours = iter(readme_commands())

    assert all(command in ours for command in founding_commands())


def test_all_pods_are_ready_within_a_minute_under_the_restricted_level(
    installed: Installed, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\napplied -> all pods ready {installed.ready_s:.1f} s (budget {READY_S})")  # noqa: T201  for whoever reads the run

    labels = shell.read(f"namespace {HOME}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert "violates PodSecurity" in shell.run(f"{NOT_RESTRICTED} 2>&1 || true")
    assert {p["metadata"]["labels"]["app.kubernetes.io/name"] for p in pods(shell)} == {*ROLES}
    assert [restarts(pod) for pod in pods(shell)] == [0] * len(ROLES)
    assert installed.ready_s < READY_S


def test_the_demo_is_killed_explained_and_healed_after_a_click(
    page: Page, copilot: Deployed, installed: Installed, shell: Shell, demo: KubeHttp
) -> None:
    for command in installed.steps.demo:
        shell.run(command)
    demo.until(lambda: killed_pod(demo), "a kill")

    with copilot.client() as client:
        incident = wait_for(lambda: open_incident_of(client, "oom-demo"), "an incident", 60)
        seen = wait_for(lambda: with_verdict(client, incident["id"]), "a verdict", 60)
        assert seen["hypotheses"][0]["cause"] == "memory_limit_too_low"
        assert len(cited(seen)) >= 3
        heals(page, copilot, demo, incident["id"])


def test_chaos_mode_breaks_it_and_it_is_healed_again(
    page: Page, copilot: Deployed, demo: KubeHttp
) -> None:
    with copilot.client() as client:
        chaos_target(client)
        breaks(page)
        incident = wait_for(lambda: open_incident_of(client, "oom-demo"), "an incident", 60)
        wait_for(lambda: with_verdict(client, incident["id"]), "a verdict", 60)
        heals(page, copilot, demo, incident["id"])


def heals(page: Page, copilot: Deployed, demo: KubeHttp, incident_id: int) -> None:
    """A click, the proof, the clock; and nobody but agent-remediator could have done it."""
    before = demo.read("apps/deployments", "oom-demo")["metadata"]["generation"]
    approves(page, copilot, incident_id)
    expect(page.get_by_test_id("stage")).to_contain_text("Resolved", timeout=150_000)
    expect(page.get_by_test_id("mttr")).to_contain_text(re.compile(r"\d"))
    artifacts = Path(__file__).parents[2] / "artifacts"
    page.screenshot(path=artifacts / f"deployed-room-{incident_id}.png", full_page=True)

    deployment = demo.rolled_out("oom-demo")
    assert limit(demo) == "64Mi"
    assert deployment["metadata"]["generation"] == before + 1
    managers = [entry["manager"] for entry in deployment["metadata"]["managedFields"]]
    assert managers.count("incident-copilot") == 1
    assert [container_status(pod)["restartCount"] for pod in demo.pods_of("oom-demo")] == [0, 0]
    with copilot.client() as client:
        assert resolved(client, incident_id)
        done = audited(client, incident_id)
    assert [done.count(f"action.{step}") for step in ("applied", "verified")] == [1, 1]


@pytest.mark.parametrize("role", ROLES)
def test_nobody_but_agent_remediator_may_have_healed_it(
    role: str, installed: Installed, shell: Shell
) -> None:
    somebody = f"--as=system:serviceaccount:{HOME}:{role}"

    answer = shell.run(f"kubectl auth can-i patch deployments -n demo {somebody} || true")

    assert answer.strip() == ("yes" if role == "agent-remediator" else "no")


def test_nothing_went_wrong_unseen(installed: Installed, shell: Shell) -> None:
    assert [restarts(pod) for pod in pods(shell)] == [0] * len(ROLES)
    for role in ROLES:
        said = shell.run(f"kubectl -n {HOME} logs deploy/{role} --tail=-1")
        assert "Traceback" not in said, f"{role}:\n{said[-3000:]}"


def test_what_is_asked_for_is_what_the_demo_uses(
    installed: Installed, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = requests(shell)
    with capsys.disabled():
        print(f"\n{table(installed.usage, asked)}")  # noqa: T201  for whoever sets the requests

    assert far_off(installed.usage, asked) == {}


def test_uninstalling_leaves_nothing(installed: Installed, shell: Shell, before: set[str]) -> None:
    for command in installed.steps.remove:
        shell.run(command, timeout_s=180)

    assert inventory(shell) - before == set()
