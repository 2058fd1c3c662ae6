"""The cluster: what it holds, what changes in it, and the few things done to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Protocol

import msgspec

from copilot.domain.change import ObjectVersion
from copilot.domain.event import Point
from copilot.domain.evidence import Gap
from copilot.domain.objects import ObjectRef


class Kind(StrEnum):
    """The kinds we list and watch. Secrets are not among them."""

    NAMESPACE = "Namespace"
    NODE = "Node"
    POD = "Pod"
    DEPLOYMENT = "Deployment"
    REPLICA_SET = "ReplicaSet"
    EVENT = "Event"
    CONFIG_MAP = "ConfigMap"
    SERVICE = "Service"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    JOB = "Job"
    CRON_JOB = "CronJob"
    INGRESS = "Ingress"
    NETWORK_POLICY = "NetworkPolicy"
    CLAIM = "PersistentVolumeClaim"
    VOLUME = "PersistentVolume"
    STORAGE_CLASS = "StorageClass"
    QUOTA = "ResourceQuota"
    LIMIT_RANGE = "LimitRange"
    AUTOSCALER = "HorizontalPodAutoscaler"
    BUDGET = "PodDisruptionBudget"
    SERVICE_ACCOUNT = "ServiceAccount"
    ROLE = "Role"
    ROLE_BINDING = "RoleBinding"
    CLUSTER_ROLE = "ClusterRole"
    CLUSTER_ROLE_BINDING = "ClusterRoleBinding"
    VALIDATING_WEBHOOK = "ValidatingWebhookConfiguration"
    MUTATING_WEBHOOK = "MutatingWebhookConfiguration"


class Named(StrEnum):
    """Kinds of which only single objects are followed, and only their metadata, where people name
    them: nothing is known of all others."""

    SECRET = "Secret"


class ClusterInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: str
    is_demo: bool
    """The API server says so itself, in `/version` (`gitVersion` ends in `+demo`)."""


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """What a watch hands over: the next versions, once each, in the server's order.

    `is_synced` is true on the first delta after a full list: until then absence means nothing.
    `gap` says why a kind cannot be seen (forbidden, unavailable); it is empty again once it can.
    """

    kind: Kind | Named
    versions: tuple[ObjectVersion, ...] = ()
    is_synced: bool = False
    gap: Gap | None = None
    only: str = ""
    """`namespace/name` of the one object that is followed, where it is not the whole kind."""


class Cluster(Protocol):
    """One Kubernetes API server. Errors: `NotFound` 404, `Refused` 403 (names verb and resource),
    `Conflict` 409, `Invalid` 422 (names the field), `Busy` 429, `Unavailable` 5xx, no answer."""

    async def info(self) -> ClusterInfo: ...

    async def get(self, ref: ObjectRef) -> bytes:
        """The object's JSON."""
        ...

    async def list_objects(
        self, kind: Kind, namespace: str = "", selector: str = ""
    ) -> list[bytes]:
        """The JSON of each object (with `kind` and `apiVersion` filled in); all pages."""
        ...

    async def patch(
        self, ref: ObjectRef, patch: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        """Strategic merge patch with strict field validation; the resulting object's JSON.

        A `metadata.resourceVersion` in the patch makes a stale one a `Conflict`.
        """
        ...

    async def serves(self, resource: str) -> bool:
        """Whether the server's discovery lists this resource of the core group, `pods/resize` say:
        a version tells nothing of what was turned off."""
        ...

    async def resize(
        self, pod: ObjectRef, patch: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        """As `patch`, of the pod's `resize` subresource: CPU and memory of its containers and
        nothing else, annotations neither; the pod goes on.

        Raises:
            NotFound: there is no such pod, or the server resizes none.
        """
        ...

    async def create(
        self, ref: ObjectRef, manifest: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        """A new object, with strict field validation; its JSON as the server completed it.

        Raises:
            Conflict: one of that name exists already (also in a dry run).
        """
        ...

    async def delete(self, ref: ObjectRef, *, resource_version: str = "", dry_run: bool) -> None:
        """The object with this uid is deleted, what it owns in the background; it may stay for a
        while: a pod ends gracefully, a finalizer is waited for.

        Raises:
            Conflict: another one has that name by now, or it is not at that version any more.
            Invalid: no uid is given.
        """
        ...

    def watch(self, kind: Kind) -> AsyncIterator[Delta]:
        """List, then watch, for ever: survives 410, cut streams and a server that restarts.

        Never ends by itself and never raises for an outage: it yields a delta with a gap.
        """
        ...

    def watch_named(self, ref: ObjectRef) -> AsyncIterator[Delta]:
        """The same for this one object of a kind in `Named`: which keys it has, who wrote each
        and when, as `copilot.domain.change.NamedKeys`. Only metadata is asked for."""
        ...

    async def logs(
        self, pod: ObjectRef, container: str, *, previous: bool, max_bytes: int
    ) -> tuple[str, ...]:
        """The last lines, each with its RFC 3339 timestamp in front.

        Raises:
            NotFound: there is no such log (any more), also where the kubelet says so in a 200.
        """
        ...

    async def usage(self, node: str) -> list[Point]:
        """Memory and CPU of the node's containers from the kubelet, through the API server."""
        ...


class TokenReviews(Protocol):
    """Who the cluster says somebody is."""

    async def whose(self, token: str, *, audience: str) -> str:
        """Whose token this is (`system:serviceaccount:<namespace>:<name>`), empty where it is no
        token that the cluster takes for this audience.

        Raises:
            Refused: we may not ask.
        """
        ...
