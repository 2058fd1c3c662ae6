"""What each role may do in the cluster, and why: the one table that manifests, documentation, tests
and the words of a refusal come from. Pure.

Reading is for the whole cluster; writing is agent-remediator's alone, and only in namespaces that
opt in. Derived where it can be: the watcher reads what `Kind` names, and what an action needs stands
beside the action.
https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import get_args

from copilot.domain.action import (
    Action,
    DeletePod,
    ReplaceClaim,
    RerunJob,
    RestoreConfigMap,
    Scale,
    SetClaimTemplate,
    SetConfigValue,
    SetCordon,
    SetLimitRange,
    SetMemory,
    SetQuota,
    SetResources,
    SetSelector,
    SetServicePort,
    SetSuspended,
    TemplateAction,
)
from copilot.kube.resources import AUTHENTICATION, SECRETS, TOKEN_REVIEWS, resource_of
from copilot.ports import Kind


class Account(StrEnum):
    """The roles, each under a service account of its own."""

    GATEWAY = "gateway"
    INGESTION = "ingestion"
    WATCHER = "watcher"
    CONTEXT = "agent-context"
    DETECTIVE = "agent-detective"
    RUNBOOK = "agent-runbook"
    REMEDIATOR = "agent-remediator"
    REPORTER = "agent-reporter"


class Grant(StrEnum):
    """How a right is given; all but the first only where somebody asks for it."""

    BASE = "base"
    """With the installation, for the whole cluster."""
    NAMESPACE = "namespace"
    """In a namespace that opts in."""
    NODES = "nodes"
    """For every node."""
    KUBELET_USAGE = "kubelet-usage"
    """For every node's kubelet."""
    SECRET = "secret"
    """For Secrets that are named one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Some verbs on one resource, as in a rule of RBAC."""

    verbs: tuple[str, ...]
    group: str
    """API group, empty for the core."""
    resource: str
    """Plural, with a subresource where it is one: `pods/log`."""
    why: str
    grant: Grant = Grant.BASE

    @property
    def full_name(self) -> str:
        """`deployments.apps`, as kubectl says it."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


TALKS_TO_CLUSTER = frozenset({Account.GATEWAY, Account.WATCHER, Account.REMEDIATOR})
"""The gateway asks for the version, which every account may."""

ANSWERS = frozenset(
    {
        Account.CONTEXT,
        Account.DETECTIVE,
        Account.RUNBOOK,
        Account.REMEDIATOR,
        Account.REPORTER,
    }
)
"""The agents: other roles ask them, and the cluster is asked who is calling."""
HAS_TOKEN = TALKS_TO_CLUSTER | ANSWERS
"""For whom a token of the API server is mounted."""

WATCHED: dict[Kind, str] = {
    Kind.NAMESPACE: "their labels, and that they come and go",
    Kind.NODE: "conditions, taints, capacity, cordons",
    Kind.POD: "kills, crashes, readiness; whether a run is still the one whose log is read",
    Kind.DEPLOYMENT: "rollouts, and who changed what",
    Kind.REPLICA_SET: "the revisions of a Deployment; pods that are refused",
    Kind.EVENT: "what kubelet, scheduler and controllers say",
    Kind.CONFIG_MAP: "settings that are missing or were changed",
    Kind.SERVICE: "selectors and ports with nothing behind them",
    Kind.STATEFUL_SET: "rollouts, and who changed what",
    Kind.DAEMON_SET: "rollouts, and who changed what",
    Kind.JOB: "runs that failed",
    Kind.CRON_JOB: "runs that are late",
    Kind.INGRESS: "which Service is behind an address, and changes of it",
    Kind.NETWORK_POLICY: "traffic that no policy lets through",
    Kind.CLAIM: "claims that wait for a volume",
    Kind.VOLUME: "volumes that would fit a claim",
    Kind.STORAGE_CLASS: "classes that a claim names",
    Kind.QUOTA: "why pods are refused",
    Kind.LIMIT_RANGE: "why pods are refused",
    Kind.AUTOSCALER: "who sets the replicas",
    Kind.BUDGET: "how many pods may be away at a time",
    Kind.SERVICE_ACCOUNT: "accounts and pull secrets, by name, that a pod asks for",
    Kind.ROLE: "what a workload that is refused by the API may do",
    Kind.ROLE_BINDING: "what a workload that is refused by the API may do",
    Kind.CLUSTER_ROLE: "what a workload that is refused by the API may do",
    Kind.CLUSTER_ROLE_BINDING: "what a workload that is refused by the API may do",
    Kind.VALIDATING_WEBHOOK: "admission that refuses, or does not answer",
    Kind.MUTATING_WEBHOOK: "admission that refuses, or does not answer",
}
"""Every kind that is listed and watched, and what for."""

_WORKLOADS = (Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET)
_LOOKED_AT = "what is changed, and the workload whose recovery proves it"
_REMEDIATOR_READS: dict[Kind, tuple[tuple[str, ...], str]] = {
    **{
        kind: (("get", "list"), f"{_LOOKED_AT}; who else a change reaches")
        for kind in (*_WORKLOADS, Kind.CRON_JOB)
    },
    Kind.REPLICA_SET: (("get", "list"), "the revision to go back to; whose pods are the new ones"),
    Kind.JOB: (("get", "list"), f"{_LOOKED_AT}; what a CronJob ran"),
    Kind.POD: (("get", "list"), "whether the new pods run and stay well"),
    Kind.NODE: (("get", "list"), "how much memory a node has"),
    **{
        kind: (("get",), _LOOKED_AT)
        for kind in (*(Kind.SERVICE, Kind.CONFIG_MAP, Kind.CLAIM, Kind.QUOTA, Kind.LIMIT_RANGE),)
    },
    Kind.NAMESPACE: (("get",), "whether it is labelled as a demo, where chaos is allowed"),
    Kind.BUDGET: (("list",), "how many pods may be away at a time"),
    Kind.AUTOSCALER: (("list",), "whether an autoscaler sets the replicas"),
}

Writes = Mapping[tuple[str, str], str]
"""Verb and kind, or `Kind/subresource`, and why."""

_TEMPLATE: Writes = {
    **{("patch", kind): "its pod template" for kind in (*_WORKLOADS, Kind.CRON_JOB)},
    ("create", Kind.JOB): "a CronJob's run at once, which shows whether the change helps",
    ("delete", Kind.JOB): "that run, when the change is taken back",
    ("delete", Kind.POD): "pods that an ordered StatefulSet would wait for",
}
_RESIZED: Writes = {
    ("patch", "Pod/resize"): "the same of a pod that stands alone, where it runs",
    ("patch", Kind.POD): "our mark on such a pod",
}
_BESIDE: Writes = {
    ("create", Kind.JOB): _TEMPLATE["create", Kind.JOB],
    ("delete", Kind.JOB): _TEMPLATE["delete", Kind.JOB],
}
_WOKEN: Writes = {
    **{
        ("patch", kind): "an annotation that wakes a controller which was refused"
        for kind in (*_WORKLOADS, Kind.REPLICA_SET, Kind.JOB)
    },
    **_BESIDE,
}
WRITES: dict[type, Writes] = {
    **dict.fromkeys(get_args(TemplateAction), _TEMPLATE),
    **{action: {**_TEMPLATE, **_RESIZED} for action in (SetMemory, SetResources)},
    Scale: {("patch", kind): "its replicas" for kind in (Kind.DEPLOYMENT, Kind.STATEFUL_SET)},
    SetServicePort: {("patch", Kind.SERVICE): "its ports"},
    SetSelector: {("patch", Kind.SERVICE): "its selector"},
    SetConfigValue: {
        ("patch", Kind.CONFIG_MAP): "one value",
        **{("patch", kind): "a restart, to read the value" for kind in _WORKLOADS},
        ("delete", Kind.POD): _TEMPLATE["delete", Kind.POD],
        **_BESIDE,
    },
    SetQuota: {("patch", Kind.QUOTA): "its hard limits", **_WOKEN},
    SetLimitRange: {("patch", Kind.LIMIT_RANGE): "one of its bounds", **_WOKEN},
    ReplaceClaim: {
        ("delete", Kind.CLAIM): "a claim that never was bound",
        ("create", Kind.CLAIM): "the same on other terms",
    },
    SetClaimTemplate: {
        ("delete", Kind.STATEFUL_SET): "one of which no pod is ready",
        ("create", Kind.STATEFUL_SET): "the same with another claim template",
        ("delete", Kind.CLAIM): "its claims that wait",
    },
    RestoreConfigMap: {
        ("create", Kind.CONFIG_MAP): "one that was deleted, as it was last seen",
        ("delete", Kind.CONFIG_MAP): "it again, when the change is taken back",
    },
    SetCordon: {("patch", Kind.NODE): "whether new pods may come"},
    SetSuspended: {
        ("patch", kind): "whether it is suspended" for kind in (Kind.CRON_JOB, Kind.JOB)
    },
    RerunJob: {
        ("delete", Kind.JOB): "a failed run",
        ("create", Kind.JOB): "the same again",
    },
    DeletePod: {("delete", Kind.POD): "a pod that is stuck"},
}
"""What each action writes: on its own object, and beside it."""

ACTIONS = {str(kind.__struct_config__.tag): kind for kind in get_args(Action)}
"""By the name that settings use: `set_memory`, ..."""


CALLERS = Right(
    verbs=("create",),
    group=AUTHENTICATION,
    resource=TOKEN_REVIEWS,
    why="whose token a caller shows; it asks, and changes nothing",
)
"""https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/"""


def rights_of(account: Account) -> tuple[Right, ...]:
    """All that the account may ever be given, by resource."""
    match account:
        case Account.WATCHER:
            return tuple(_watcher())
        case Account.REMEDIATOR:
            return (CALLERS, *_remediator_reads(), *remediator_writes())
        case _ if account in ANSWERS:
            return (CALLERS,)
        case _:
            return ()


def remediator_writes(actions: Collection[str] = ()) -> tuple[Right, ...]:
    """What these actions write, all of them where none is named."""
    chosen = [ACTIONS[name] for name in actions] or list(WRITES)
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for action in chosen:
        for (verb, written), why in WRITES[action].items():
            reasons.setdefault((written, verb), {})[why] = None
    order = list(Kind)
    found = []
    for written, verb in sorted(reasons, key=lambda one: order.index(_kind_in(one[0]))):
        is_namespaced = resource_of(_kind_in(written)).is_namespaced
        grant = Grant.NAMESPACE if is_namespaced else Grant.NODES
        found.append(_on(written, (verb,), "; ".join(reasons[written, verb]), grant))
    return tuple(found)


def _watcher() -> Iterator[Right]:
    for kind in Kind:
        verbs = ("get", "list", "watch") if kind is Kind.POD else ("list", "watch")
        yield _on(kind, verbs, WATCHED[kind])
    yield Right(
        verbs=("get",),
        group="",
        resource="pods/log",
        why="the log of a container that failed, or is not ready, where nobody sends it",
    )
    yield Right(
        verbs=("get",),
        group="",
        resource="nodes/proxy",
        why="use of memory and CPU from the kubelets, where nobody sends it",
        grant=Grant.KUBELET_USAGE,
    )
    yield Right(
        verbs=("list", "watch"),
        group="",
        resource=SECRETS.plural,
        why="that it was changed, and the names of its keys; only its metadata is asked for",
        grant=Grant.SECRET,
    )


def _remediator_reads() -> Iterator[Right]:
    for kind in Kind:
        if kind in _REMEDIATOR_READS:
            verbs, why = _REMEDIATOR_READS[kind]
            yield _on(kind, verbs, why)


def _on(written: str, verbs: tuple[str, ...], why: str, grant: Grant = Grant.BASE) -> Right:
    resource = resource_of(_kind_in(written))
    plural = f"{resource.plural}{written.removeprefix(_kind_in(written))}"
    return Right(verbs=verbs, group=resource.group, resource=plural, why=why, grant=grant)


def _kind_in(written: str) -> Kind:
    """Of `Pod/resize` the `Pod`."""
    return Kind(written.partition("/")[0])
