"""The kinds that are served, and the shape in which their objects are kept.

Objects are plain JSON values: an API server has to keep fields it does not know. They are never
changed in place, a change is a new value (see `world.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    is_in_all: bool = False
    subresources: tuple[str, ...] = ()

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
    is_in_all=True,
    subresources=("log",),
)
EVENT = Resource(kind="Event", plural="events", has_status=False, short_names=("ev",))
CONFIG_MAP = Resource(kind="ConfigMap", plural="configmaps", has_status=False, short_names=("cm",))
SERVICE = Resource(kind="Service", plural="services", short_names=("svc",), is_in_all=True)
DEPLOYMENT = Resource(
    kind="Deployment",
    plural="deployments",
    group="apps",
    has_generation=True,
    short_names=("deploy",),
    is_in_all=True,
    subresources=("scale",),
)
REPLICA_SET = Resource(
    kind="ReplicaSet",
    plural="replicasets",
    group="apps",
    has_generation=True,
    short_names=("rs",),
    is_in_all=True,
    subresources=("scale",),
)

RESOURCES = (NAMESPACE, NODE, POD, EVENT, CONFIG_MAP, SERVICE, DEPLOYMENT, REPLICA_SET)
BY_PLURAL = {(r.group, r.plural): r for r in RESOURCES}
BY_KIND = {r.kind: r for r in RESOURCES}
GROUPS = (("", "v1"), ("apps", "v1"))
