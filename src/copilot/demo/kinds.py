"""The kinds that are served, and the shape in which their objects are kept.

Every kind that a real cluster is followed by can be listed and watched here, too. Of some no object
can be created, because nothing in this cluster would bring it to life: a Job that is stored and
never runs would be a lie about the cluster. Those have a `refusal`. What is kept although nothing
acts on it acts on nothing in real clusters of some set-ups, too: Ingresses (no ingress controller),
NetworkPolicies (a network that does not enforce them), roles and bindings (everybody who may come
in may do everything).

Objects are plain JSON values: an API server has to keep fields it does not know. They are never
changed in place, a change is a new value (see `world.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ALL = ("all",)
Obj = dict[str, Any]
"""A Kubernetes object without `kind` and `apiVersion`: the items of a list lack them too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind as discovery tells of it."""

    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    is_namespaced: bool = True
    has_status: bool = True
    has_generation: bool = False
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    is_told_when_deleted: bool = False
    """A deletion is answered with the object, not with a `Status`."""
    refusal: str = ""
    """Why none can be created, empty where one can."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified_plural(self) -> str:
        """As error messages name it: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """As validation messages name it: `Deployment.apps`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def render(self, obj: Obj) -> Obj:
        """The object with its `kind` and `apiVersion` in front."""
        return {"kind": self.kind, "apiVersion": self.api_version, **obj}


NAMESPACE = Resource(
    kind="Namespace", plural="namespaces", is_namespaced=False, short_names=("ns",)
)
NODE = Resource(kind="Node", plural="nodes", is_namespaced=False, short_names=("no",))
POD = Resource(
    kind="Pod",
    plural="pods",
    has_generation=True,
    short_names=("po",),
    categories=ALL,
    subresources=("log",),
)
EVENT = Resource(kind="Event", plural="events", has_status=False, short_names=("ev",))
CONFIG_MAP = Resource(kind="ConfigMap", plural="configmaps", has_status=False, short_names=("cm",))
SERVICE = Resource(
    kind="Service",
    plural="services",
    short_names=("svc",),
    categories=ALL,
    is_told_when_deleted=True,
)
SERVICE_ACCOUNT = Resource(
    kind="ServiceAccount",
    plural="serviceaccounts",
    has_status=False,
    short_names=("sa",),
    is_told_when_deleted=True,
)
DEPLOYMENT = Resource(
    kind="Deployment",
    plural="deployments",
    group="apps",
    has_generation=True,
    short_names=("deploy",),
    categories=ALL,
    subresources=("scale",),
)
REPLICA_SET = Resource(
    kind="ReplicaSet",
    plural="replicasets",
    group="apps",
    has_generation=True,
    short_names=("rs",),
    categories=ALL,
    subresources=("scale",),
)

INGRESS = Resource(
    kind="Ingress",
    plural="ingresses",
    group="networking.k8s.io",
    has_generation=True,
    short_names=("ing",),
)
NETWORK_POLICY = Resource(
    kind="NetworkPolicy",
    plural="networkpolicies",
    group="networking.k8s.io",
    has_status=False,
    has_generation=True,
    short_names=("netpol",),
)
BUDGET = Resource(
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    group="policy",
    has_generation=True,
    short_names=("pdb",),
)


def _of_access(kind: str, plural: str, *, is_namespaced: bool) -> Resource:
    return Resource(
        kind=kind,
        plural=plural,
        group="rbac.authorization.k8s.io",
        is_namespaced=is_namespaced,
        has_status=False,
    )


ROLE = _of_access("Role", "roles", is_namespaced=True)
ROLE_BINDING = _of_access("RoleBinding", "rolebindings", is_namespaced=True)
CLUSTER_ROLE = _of_access("ClusterRole", "clusterroles", is_namespaced=False)
CLUSTER_ROLE_BINDING = _of_access("ClusterRoleBinding", "clusterrolebindings", is_namespaced=False)

_NO_CONTROLLER = "has no controller for it: it would never run"
_NO_STORAGE = "has no storage: nothing would be provisioned, bound or mounted"
_NO_ADMISSION = "has no such admission: nothing would be counted or limited by it"
_NO_WEBHOOKS = "calls no webhooks: it would never be asked"

REFUSED = (
    Resource(
        kind="StatefulSet",
        plural="statefulsets",
        group="apps",
        has_generation=True,
        short_names=("sts",),
        categories=ALL,
        subresources=("scale",),
        refusal=_NO_CONTROLLER,
    ),
    Resource(
        kind="DaemonSet",
        plural="daemonsets",
        group="apps",
        has_generation=True,
        short_names=("ds",),
        categories=ALL,
        refusal=_NO_CONTROLLER,
    ),
    Resource(
        kind="Job",
        plural="jobs",
        group="batch",
        has_generation=True,
        categories=ALL,
        refusal=_NO_CONTROLLER,
    ),
    Resource(
        kind="CronJob",
        plural="cronjobs",
        group="batch",
        has_generation=True,
        short_names=("cj",),
        categories=ALL,
        refusal=_NO_CONTROLLER,
    ),
    Resource(
        kind="HorizontalPodAutoscaler",
        plural="horizontalpodautoscalers",
        group="autoscaling",
        version="v2",
        short_names=("hpa",),
        categories=ALL,
        refusal="has no controller for it: it would never scale anything",
    ),
    Resource(
        kind="PersistentVolumeClaim",
        plural="persistentvolumeclaims",
        short_names=("pvc",),
        refusal=_NO_STORAGE,
    ),
    Resource(
        kind="PersistentVolume",
        plural="persistentvolumes",
        is_namespaced=False,
        short_names=("pv",),
        refusal=_NO_STORAGE,
    ),
    Resource(
        kind="StorageClass",
        plural="storageclasses",
        group="storage.k8s.io",
        is_namespaced=False,
        has_status=False,
        short_names=("sc",),
        refusal=_NO_STORAGE,
    ),
    Resource(
        kind="ResourceQuota",
        plural="resourcequotas",
        short_names=("quota",),
        refusal=_NO_ADMISSION,
    ),
    Resource(
        kind="LimitRange",
        plural="limitranges",
        has_status=False,
        short_names=("limits",),
        refusal=_NO_ADMISSION,
    ),
    Resource(
        kind="ValidatingWebhookConfiguration",
        plural="validatingwebhookconfigurations",
        group="admissionregistration.k8s.io",
        is_namespaced=False,
        has_status=False,
        has_generation=True,
        categories=("api-extensions",),
        refusal=_NO_WEBHOOKS,
    ),
    Resource(
        kind="MutatingWebhookConfiguration",
        plural="mutatingwebhookconfigurations",
        group="admissionregistration.k8s.io",
        is_namespaced=False,
        has_status=False,
        has_generation=True,
        categories=("api-extensions",),
        refusal=_NO_WEBHOOKS,
    ),
)
"""Listed and watched like all others, and always empty."""

RESOURCES = (
    NAMESPACE,
    NODE,
    POD,
    EVENT,
    CONFIG_MAP,
    SERVICE,
    SERVICE_ACCOUNT,
    DEPLOYMENT,
    REPLICA_SET,
    INGRESS,
    NETWORK_POLICY,
    BUDGET,
    ROLE,
    ROLE_BINDING,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    *REFUSED,
)
NOTHING_COUNTED: Obj = {
    "disruptionsAllowed": 0,
    "currentHealthy": 0,
    "desiredHealthy": 0,
    "expectedPods": 0,
}
"""The status of a budget that nobody has looked at yet."""

GROUPS = tuple(dict.fromkeys((r.group, r.version) for r in RESOURCES))
"""Groups and their versions, of which each has one."""

_BY_PATH = {(r.group, r.version, r.plural): r for r in RESOURCES}


def served(group: str, version: str, plural: str) -> Resource | None:
    """The kind at this place of the API."""
    return _BY_PATH.get((group, version, plural))
