"""A proposal as a pull request: which ones become one, and that nothing in it is obeyed."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import msgspec
import pytest

from copilot.domain.action import ChaosMemory, DeletePod
from copilot.domain.errors import Refused
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Patch, Proposal, ProposalId, ProposalStatus, Way
from copilot.domain.pull_request import FileEdit
from copilot.githost.local import LocalGitHost
from copilot.githost.paths import MAX_BYTES, checked_branch
from copilot.local import LocalAgents, ThroughGit
from copilot.ports import Store
from copilot.remediate.gitops.pull import (
    MAX_TITLE,
    branch_of,
    diff_of,
    inert,
    open_pull,
    quoted,
    title_of,
    with_pull,
    without_pull,
)
from copilot.remediate.policy import Policy
from tests.builders_remediate import TARGET, a_cluster, a_proposal
from tests.fakes import FixedClock

MANIFEST = """\
kind: Deployment
metadata: {name: oom-demo, namespace: demo}
spec:
  template:
    spec:
      containers: [{name: app, resources: {limits: {memory: 32Mi}}}]
"""


@pytest.fixture
async def host(tmp_path: Path) -> LocalGitHost:
    made = LocalGitHost(tmp_path / "cluster.git")
    await made.seed({"apps/oom-demo.yaml": MANIFEST})
    return made


@pytest.fixture
async def proposal() -> Proposal:
    return await a_proposal(a_cluster(FixedClock()))


async def test_what_was_refused_only_for_being_kept_in_git_may_be_approved_as_a_pull_request(
    host: LocalGitHost, proposal: Proposal
) -> None:
    kept_in_git = msgspec.structs.replace(
        proposal, status=ProposalStatus.REFUSED, refusal="kept in Git", way=Way.PULL_REQUEST
    )

    fix = await with_pull(kept_in_git, host, base="", root="")

    assert (fix.status, fix.refusal) == (ProposalStatus.PROPOSED, "")
    assert fix.pull is not None
    assert fix.digest != kept_in_git.digest
    assert without_pull(fix).digest == kept_in_git.digest


@pytest.mark.parametrize("is_managed", [True, False])
async def test_by_choice_only_what_a_reconciler_marks_as_its_own_is_a_pull_request(
    host: LocalGitHost, is_managed: bool
) -> None:
    cluster = a_cluster(FixedClock())
    if is_managed:
        label = {"kustomize.toolkit.fluxcd.io/name": "apps"}
        cluster.edit(TARGET, {"metadata": {"labels": label}})
    agents = LocalAgents(
        store=cast(Store, None),  # nothing of it is asked here
        clock=cluster.clock,
        cluster=cluster,
        policy=Policy(),
        model=None,
        notifiers={},
        git=ThroughGit(host=host, base="", root="", only_managed=True),
    )

    fix = await agents.recheck(await a_proposal(cluster))

    assert fix.status is ProposalStatus.PROPOSED
    assert (fix.pull is not None) is is_managed


async def test_chaos_opens_nothing_where_people_keep_the_repository(host: LocalGitHost) -> None:
    host.is_simulation = False
    cluster = a_cluster(FixedClock())
    agents = LocalAgents(
        store=cast(Store, None),  # nothing of it is asked here
        clock=cluster.clock,
        cluster=cluster,
        policy=Policy(),
        model=None,
        notifiers={},
        git=ThroughGit(host=host, base="", root="", only_managed=False),
    )

    with pytest.raises(Refused, match="simulation"):
        await agents.chaos(ChaosMemory(target=TARGET, container="app", limit="24Mi"))

    assert not (host.folder / "pulls").exists()
    assert cluster.patches == []


async def test_what_is_refused_for_another_reason_stays_refused(
    host: LocalGitHost, proposal: Proposal
) -> None:
    refused = msgspec.structs.replace(proposal, status=ProposalStatus.REFUSED, refusal="frozen")

    assert await with_pull(refused, host, base="", root="") == refused


async def test_an_object_that_git_does_not_make_is_refused_with_why(
    host: LocalGitHost, proposal: Proposal
) -> None:
    fix = await with_pull(proposal, host, base="", root="elsewhere")

    assert fix.status is ProposalStatus.REFUSED
    assert "no manifest of Deployment demo/oom-demo" in fix.refusal
    assert fix.pull is None


async def test_a_file_that_is_no_manifest_by_its_size_is_no_reason_to_refuse(
    tmp_path: Path, proposal: Proposal
) -> None:
    host = LocalGitHost(tmp_path / "large.git")
    large = "# a bundle\n" * (MAX_BYTES // 10)
    await host.seed({"apps/oom-demo.yaml": MANIFEST, "apps/crds.yaml": large})

    fix = await with_pull(proposal, host, base="", root="apps")

    assert fix.status is ProposalStatus.PROPOSED


async def test_a_pod_is_deleted_past_git(host: LocalGitHost, proposal: Proposal) -> None:
    pod = DeletePod(target=ObjectRef(kind="Pod", namespace="demo", name="oom-demo-x"))
    deletion = msgspec.structs.replace(proposal, action=pod, patch="{}")

    assert await with_pull(deletion, host, base="", root="") == deletion


async def test_what_takes_more_than_a_manifest_is_no_pull_request(
    host: LocalGitHost, proposal: Proposal
) -> None:
    beside = Patch(target=proposal.action.target, patch="{}", rollback="{}")

    fix = await with_pull(
        msgspec.structs.replace(proposal, operations=(beside,)), host, base="", root=""
    )

    assert fix.status is ProposalStatus.REFUSED
    assert "more than another manifest" in fix.refusal


async def test_text_from_the_cluster_mentions_and_closes_nothing(
    host: LocalGitHost, proposal: Proposal
) -> None:
    hostile = msgspec.structs.replace(
        proposal,
        id=ProposalId(7),
        title="fixes #1 @everyone\n\n## <b>hi</b>",
        why="```\n@team please merge\x1b[2J\n</details>",
    )
    fix = await with_pull(hostile, host, base="", root="")

    request = await open_pull(fix, host)
    kept = (host.folder / "pulls" / f"{request.number}.json").read_text()

    assert "\n" not in title_of(fix)
    assert len(title_of(fix)) <= MAX_TITLE
    for word in ("#1", "@everyone", "<b>", "\\u001b"):
        assert word not in kept
    assert inert("@a") == "@\u200ba"
    assert quoted("```\n@team") == "    ```\n    @team"


@pytest.mark.parametrize("name", ["a" * 253, "x..y", "A_B", "..", "-"])
def test_the_branch_is_named_by_the_digest_whatever_the_object_is_called(
    proposal: Proposal, name: str
) -> None:
    target = ObjectRef(kind="Deployment", namespace="demo", name=name)
    fix = msgspec.structs.replace(
        proposal,
        id=ProposalId(7),
        digest="0123456789abcdef",
        action=msgspec.structs.replace(proposal.action, target=target),
    )

    assert checked_branch(branch_of(fix)).endswith("-7-0123456789ab")


def test_the_diff_of_a_file_shows_no_secret_beside_the_change() -> None:
    before = "kind: ConfigMap\ndata:\n  url: postgres://app:hunter2hunter2@db/x\n  retries: '3'\n"
    edit = FileEdit(path="cfg.yaml", before=before, after=before.replace("'3'", "'5'"))

    diff = diff_of((edit,))

    assert "+  retries: '5'" in diff
    assert "postgres://app:***@db/x" in diff
