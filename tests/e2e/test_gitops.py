"""The GitOps simulation, over HTTP: a bad commit, its incident, and the fix as a merged pull request."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.copilot_process import (
    Copilot,
    break_it,
    open_incident,
    room,
    the_fix,
    up_with_demo,
    wait_for,
)

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def copilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copilot]:
    with up_with_demo(tmp_path_factory.mktemp("gitops"), "--gitops") as running:
        yield running


def git(copilot: Copilot, *arguments: str) -> str:
    folder = copilot.data / "demo" / "cluster.git"
    command = ["git", "--git-dir", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_bad_commit_is_healed_by_a_pull_request_that_a_person_merges(copilot: Copilot) -> None:
    path = "cluster/demo/oom-demo.yaml"
    with copilot.client() as client:
        break_it(client)
        bad = git(copilot, "show", f"main:{path}")
        incident = wait_for(lambda: open_incident(client), "an incident", 40)["id"]
        planned = wait_for(lambda: the_fix(client, incident, "planned"), "a proposal", 20)
        assert git(copilot, "for-each-ref", "--format=%(refname:short)").count("oom-demo-1-") == 0

        client.post(
            f"/api/proposals/{planned['id']}/approve", json={"digest": planned["digest"]}
        ).raise_for_status()
        opened = wait_for(lambda: the_fix(client, incident, "open"), "a pull request", 20)
        branch = opened["pull_request"]["branch"]
        assert opened["pull_request"]["files"] == [path]
        assert git(copilot, "show", f"main:{path}") == bad
        fixed = git(copilot, "show", f"{branch}:{path}")
        assert fixed == bad.replace("memory: 32Mi #", "memory: 64Mi #")

        merged = client.post(f"/api/proposals/{opened['id']}/merge")
        assert merged.status_code == 202
        wait_for(lambda: the_fix(client, incident, "verified"), "the proof", 90)

        assert git(copilot, "show", f"main:{path}") == fixed
        assert room(client, incident)["incident"]["status"] == "resolved"
        again = client.post(f"/api/proposals/{opened['id']}/merge")
        assert again.status_code == 202  # it is merged, and no second time


def test_merging_from_here_is_for_people_who_are_signed_in(copilot: Copilot) -> None:
    answer = httpx.post(f"{copilot.url}/api/proposals/1/merge", trust_env=False)

    assert answer.status_code == 401


def test_the_repository_holds_the_demo_as_it_was_with_its_comments(copilot: Copilot) -> None:
    files = git(copilot, "ls-tree", "-r", "--name-only", "main").splitlines()

    assert "cluster/payments/payments-api.yaml" in files
    assert Path("cluster/demo/oom-demo.yaml").name in {Path(file).name for file in files}
    assert "# measured" in git(copilot, "show", "main:cluster/demo/oom-demo.yaml")
