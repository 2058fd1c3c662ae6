"""The table of rights holds what the code does: no kind, no action and no call without a right."""

from __future__ import annotations

from contextlib import suppress
from typing import get_args

import pytest

from copilot.domain.action import (
    Action,
    ChaosMemory,
    DeletePod,
    ReplaceClaim,
    RerunJob,
    Restart,
    RollBack,
    SetConfigValue,
    SetImage,
    SetQuota,
    SetSuspended,
)
from copilot.domain.errors import NotFound
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import ProposalStatus
from copilot.kube.resources import resource_of
from copilot.kube.rights import (
    ANSWERS,
    CALLERS,
    TALKS_TO_CLUSTER,
    WATCHED,
    WRITES,
    Account,
    Grant,
    Right,
    remediator_writes,
    rights_of,
)
from copilot.ports import Kind
from copilot.remediate.apply import apply
from copilot.remediate.edits.others import KINDS
from copilot.remediate.operate import undo
from copilot.remediate.policy import Policy
from copilot.remediate.sight import SEEN, look
from copilot.roles.agent import Agent
from copilot.roles.app import ACTING_ROLES, ROLES
from tests.builders_objects import a_container, a_deployment
from tests.builders_remediate import a_claim, a_namespace, a_proposal
from tests.builders_workloads import (
    Json,
    a_claim_object,
    a_config_map,
    a_failed_job,
    a_workload,
    an_object,
    ref,
    with_claims,
)
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster
from tests.unit.remediate.test_claim_templates import LESS
from tests.unit.remediate.test_edits import OTHERS, TEMPLATE_ACTIONS
from tests.unit.remediate.test_operate import RESTORE
from tests.unit.remediate.test_resizing import TO_64, a_pod

READING = {"get", "list", "watch"}
OWNER: Json = {
    "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}]
}


def may(account: Account, verb: str, kind: str) -> bool:
    """`kind` may name a subresource, `Pod/resize`."""
    whole, slash, part = kind.partition("/")
    resource = resource_of(whole)
    return any(
        (r.group, r.resource) == (resource.group, f"{resource.plural}{slash}{part}")
        and verb in r.verbs
        for r in rights_of(account)
    )


class RuledCluster(FakeCluster):
    """Refuses agent-remediator what the table does not give it, as RBAC would."""

    def _rule(self, verb: str, kind: str) -> None:
        if not may(Account.REMEDIATOR, verb, kind):
            raise AssertionError(f"the table of rights lacks {verb} {kind}")

    async def get(self, ref: ObjectRef) -> bytes:
        self._rule("get", ref.kind)
        return await super().get(ref)

    async def list_objects(
        self, kind: Kind, namespace: str = "", selector: str = ""
    ) -> list[bytes]:
        self._rule("list", kind)
        return await super().list_objects(kind, namespace, selector)

    async def patch(
        self, ref: ObjectRef, patch: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        self._rule("patch", ref.kind)
        return await super().patch(ref, patch, dry_run=dry_run, field_manager=field_manager)

    async def resize(
        self, pod: ObjectRef, patch: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        self._rule("patch", f"{pod.kind}/resize")
        return await super().resize(pod, patch, dry_run=dry_run, field_manager=field_manager)

    async def create(
        self, ref: ObjectRef, manifest: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        self._rule("create", ref.kind)
        return await super().create(ref, manifest, dry_run=dry_run, field_manager=field_manager)

    async def delete(self, ref: ObjectRef, *, resource_version: str = "", dry_run: bool) -> None:
        self._rule("delete", ref.kind)
        await super().delete(ref, resource_version=resource_version, dry_run=dry_run)


def ruled(*objects: Json) -> RuledCluster:
    cluster = RuledCluster(FixedClock())
    cluster.put("Namespace", a_namespace("shop", {"incident-copilot.io/demo": "true"}))
    for thing in objects:
        cluster.put(thing["kind"], thing)
    return cluster


def an_earlier_revision() -> Json:
    web = a_workload()
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/web:0"
    owner = {"kind": "Deployment", "name": "web", "uid": web["metadata"]["uid"], "controller": True}
    return an_object(
        "ReplicaSet",
        "web-1",
        annotations={"deployment.kubernetes.io/revision": "1"},
        ownerReferences=[owner],
        spec={"template": web["spec"]["template"]},
    )


# What acts beside its own object, or by other means than a patch; the simple ones are in test_edits.
EXAMPLES: list[tuple[Action, tuple[Json, ...], ObjectRef | None]] = [
    *((action, (a_workload(),), None) for action in TEMPLATE_ACTIONS),
    *(
        (action, (live,), None)
        if action.target.kind in SEEN
        else (action, (live, a_workload()), ref("Deployment"))
        for action, live in OTHERS
    ),
    (Restart(target=ref("DaemonSet"), at_us=60_000_000), (a_workload("DaemonSet"),), None),
    (
        RollBack(target=ref("Deployment"), to_revision=1, replica_set="web-1"),
        (a_workload(), an_earlier_revision()),
        None,
    ),
    (
        SetImage(target=ref("StatefulSet"), container="app", image="shop/web:2"),
        (a_workload("StatefulSet"),),
        None,
    ),
    (
        SetImage(target=ref("CronJob"), container="app", image="shop/web:2"),
        (a_workload("CronJob"),),
        None,
    ),
    *(
        (
            SetConfigValue(target=ref("ConfigMap", "cfg"), key="k", value="2"),
            (a_config_map(), a_workload(kind)),
            ref(kind),
        )
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "CronJob")
    ),
    *(
        (
            SetQuota(target=ref("ResourceQuota", "quota"), entries=(("pods", "8"),)),
            (an_object("ResourceQuota", "quota", spec={"hard": {"pods": "4"}}), workload),
            ref(workload["kind"]),
        )
        for workload in (
            *(a_workload(kind) for kind in ("Deployment", "StatefulSet", "CronJob")),
            an_object("ReplicaSet", spec={"replicas": 1}),
            an_object("Job", spec={}),
        )
    ),
    (SetSuspended(target=ref("Job"), is_suspended=True), (an_object("Job", spec={}),), None),
    (
        ReplaceClaim(target=ref("PersistentVolumeClaim", "data"), storage_class="fast"),
        (a_claim_object(),),
        None,
    ),
    (TO_64, (a_pod(),), None),
    (RESTORE, (a_workload(),), ref("Deployment")),
    (LESS, (with_claims(), a_claim_object()), None),
    (RerunJob(target=ref("Job", "load")), (a_failed_job(),), None),
    (DeletePod(target=ref("Pod")), (an_object("Pod", spec={}, status={}, **OWNER),), None),
    (
        ChaosMemory(target=ref("Deployment", "oom-demo", "demo"), container="app", limit="16Mi"),
        (),
        None,
    ),
]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_an_account(role: str) -> None:
    assert Account(role) in set(Account)
    assert (Account(role) in TALKS_TO_CLUSTER) is (role in ACTING_ROLES)
    assert (Account(role) in ANSWERS) is (role in set(Agent))


@pytest.mark.parametrize("account", Account)
def test_who_is_asked_by_other_roles_may_ask_whose_token_they_show(account: Account) -> None:
    assert (CALLERS in rights_of(account)) is (account in ANSWERS)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_that_is_watched_has_its_right_and_a_reason(kind: Kind) -> None:
    assert WATCHED[kind]
    assert may(Account.WATCHER, "list", kind)
    assert may(Account.WATCHER, "watch", kind)


@pytest.mark.parametrize("action", get_args(Action), ids=lambda action: action.__name__)
def test_every_action_says_what_it_writes(action: type) -> None:
    assert WRITES[action]
    for kind in KINDS.get(action, ()):
        assert ("patch", Kind(kind)) in WRITES[action]


@pytest.mark.parametrize("kind", sorted(SEEN))
def test_what_shows_whether_a_change_helps_may_be_read(kind: str) -> None:
    assert may(Account.REMEDIATOR, "get", kind)


@pytest.mark.parametrize("account", Account)
def test_only_agent_remediator_may_write_and_nothing_of_it_comes_with_the_installation(
    account: Account,
) -> None:
    # A review is created to ask a question; the cluster keeps nothing of it.
    writing = [r for r in rights_of(account) if not set(r.verbs) <= READING and r is not CALLERS]

    assert not writing or account is Account.REMEDIATOR
    assert all(r.grant in (Grant.NAMESPACE, Grant.NODES) for r in writing)


def test_secrets_are_read_by_nobody_and_followed_only_where_they_are_named() -> None:
    found = [(a, r) for a in Account for r in rights_of(a) if "secret" in r.resource]

    assert [(a, r.grant, r.verbs) for a, r in found] == [
        (Account.WATCHER, Grant.SECRET, ("list", "watch"))
    ]


def test_nobody_may_run_commands_or_give_rights() -> None:
    every: list[Right] = [r for account in Account for r in rights_of(account)]
    writing = [r for r in every if not set(r.verbs) <= READING]

    assert not [r for r in every if {"*", "bind", "escalate", "impersonate"} & {*r.verbs}]
    assert not [r for r in every if r.resource in ("pods/exec", "pods/attach", "*")]
    assert not [r for r in writing if r.group == "rbac.authorization.k8s.io"]
    assert not [r for r in writing if "webhook" in r.resource or r.resource == "namespaces"]


def test_what_reaches_a_kubelet_is_given_only_where_it_is_asked_for() -> None:
    (right,) = [r for r in rights_of(Account.WATCHER) if r.resource == "nodes/proxy"]

    assert (right.grant, right.verbs) == (Grant.KUBELET_USAGE, ("get",))


def test_fewer_actions_take_fewer_rights() -> None:
    assert [(r.verbs, r.resource) for r in remediator_writes(["set_service_port"])] == [
        (("patch",), "services")
    ]


def test_a_subresource_is_a_right_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WRITES, DeletePod, {("patch", "Pod/resize"): "why"})

    assert remediator_writes(["delete_pod"])[0].full_name == "pods/resize"


def test_every_action_has_an_example_here() -> None:
    assert {type(action) for action, _, _ in EXAMPLES} == set(get_args(Action))


@pytest.mark.parametrize(
    ("action", "objects", "workload"),
    EXAMPLES,
    ids=lambda value: type(value).__name__ if not isinstance(value, tuple) else "",
)
async def test_an_action_from_plan_to_way_back_asks_for_nothing_beyond_the_table(
    action: Action, objects: tuple[Json, ...], workload: ObjectRef | None
) -> None:
    cluster = ruled(*objects)
    if isinstance(action, ChaosMemory):
        cluster.put("Namespace", a_namespace("demo", {"incident-copilot.io/demo": "true"}))
        cluster.put("Deployment", a_deployment(containers=[a_container()]))
    policy = Policy(max_limit_factor=100)

    proposal = await a_proposal(cluster, action, policy=policy, workload=workload)
    assert proposal.status is ProposalStatus.PROPOSED, proposal.refusal
    await apply(a_claim(proposal), cluster, cluster.clock)
    with suppress(NotFound):  # a pod that was deleted
        await look(proposal.proves_on, cluster)
    for operation in proposal.operations:
        await undo(operation, cluster, cluster.clock)
