"""Where each kind lives in the API, and the calls we make there.

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

from copilot.domain.errors import Invalid
from copilot.domain.objects import ObjectRef
from copilot.ports import Kind, Named

Query = tuple[tuple[str, str], ...]

STRATEGIC_MERGE = "application/strategic-merge-patch+json"

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ (DNS subdomain)"""
_SEGMENT = re.compile(r"(?!\.\.?$)[^/%\s\x00-\x1f]{1,253}")
"""Names of roles and bindings, as `system:node`: whatever may be a segment of a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind's place in the API."""

    kind: Kind | Named
    api_version: str
    plural: str
    is_namespaced: bool = True

    @property
    def group(self) -> str:
        """As RBAC says it, empty for the core."""
        return self.api_version.rpartition("/")[0]

    @property
    def root(self) -> str:
        """`/api/v1` or `/apis/<group>/<version>`."""
        prefix = "apis" if "/" in self.api_version else "api"
        return f"/{prefix}/{self.api_version}"


_NETWORKING = "networking.k8s.io/v1"
_RBAC = "rbac.authorization.k8s.io/v1"
_ADMISSION = "admissionregistration.k8s.io/v1"

_RESOURCES = {
    resource.kind: resource
    for resource in (
        Resource(kind=Kind.NAMESPACE, api_version="v1", plural="namespaces", is_namespaced=False),
        Resource(kind=Kind.NODE, api_version="v1", plural="nodes", is_namespaced=False),
        Resource(kind=Kind.POD, api_version="v1", plural="pods"),
        Resource(kind=Kind.DEPLOYMENT, api_version="apps/v1", plural="deployments"),
        Resource(kind=Kind.REPLICA_SET, api_version="apps/v1", plural="replicasets"),
        Resource(kind=Kind.EVENT, api_version="v1", plural="events"),
        Resource(kind=Kind.CONFIG_MAP, api_version="v1", plural="configmaps"),
        Resource(kind=Kind.SERVICE, api_version="v1", plural="services"),
        Resource(kind=Kind.STATEFUL_SET, api_version="apps/v1", plural="statefulsets"),
        Resource(kind=Kind.DAEMON_SET, api_version="apps/v1", plural="daemonsets"),
        Resource(kind=Kind.JOB, api_version="batch/v1", plural="jobs"),
        Resource(kind=Kind.CRON_JOB, api_version="batch/v1", plural="cronjobs"),
        Resource(kind=Kind.INGRESS, api_version=_NETWORKING, plural="ingresses"),
        Resource(kind=Kind.NETWORK_POLICY, api_version=_NETWORKING, plural="networkpolicies"),
        Resource(kind=Kind.CLAIM, api_version="v1", plural="persistentvolumeclaims"),
        Resource(
            kind=Kind.VOLUME, api_version="v1", plural="persistentvolumes", is_namespaced=False
        ),
        Resource(
            kind=Kind.STORAGE_CLASS,
            api_version="storage.k8s.io/v1",
            plural="storageclasses",
            is_namespaced=False,
        ),
        Resource(kind=Kind.QUOTA, api_version="v1", plural="resourcequotas"),
        Resource(kind=Kind.LIMIT_RANGE, api_version="v1", plural="limitranges"),
        Resource(
            kind=Kind.AUTOSCALER, api_version="autoscaling/v2", plural="horizontalpodautoscalers"
        ),
        Resource(kind=Kind.BUDGET, api_version="policy/v1", plural="poddisruptionbudgets"),
        Resource(kind=Kind.SERVICE_ACCOUNT, api_version="v1", plural="serviceaccounts"),
        Resource(kind=Kind.ROLE, api_version=_RBAC, plural="roles"),
        Resource(kind=Kind.ROLE_BINDING, api_version=_RBAC, plural="rolebindings"),
        Resource(
            kind=Kind.CLUSTER_ROLE, api_version=_RBAC, plural="clusterroles", is_namespaced=False
        ),
        Resource(
            kind=Kind.CLUSTER_ROLE_BINDING,
            api_version=_RBAC,
            plural="clusterrolebindings",
            is_namespaced=False,
        ),
        Resource(
            kind=Kind.VALIDATING_WEBHOOK,
            api_version=_ADMISSION,
            plural="validatingwebhookconfigurations",
            is_namespaced=False,
        ),
        Resource(
            kind=Kind.MUTATING_WEBHOOK,
            api_version=_ADMISSION,
            plural="mutatingwebhookconfigurations",
            is_namespaced=False,
        ),
    )
}

SECRETS = Resource(kind=Named.SECRET, api_version="v1", plural="secrets")
"""Of single ones the metadata is followed. It is not among the others: no call reads a Secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, with the words that RBAC and people use for it.

    `resource` is as in an RBAC rule (`pods/log`), `subject` names the thing for people.
    """

    verb: str
    resource: str
    subject: str
    path: str
    namespace: str = ""
    method: str = "GET"
    query: Query = ()
    body: dict[str, object] | None = None
    accept: str = "application/json, */*"

    @property
    def content_type(self) -> str:
        """Of the body; always said: without it the server answers 415 to a patch."""
        return STRATEGIC_MERGE if self.method == "PATCH" else "application/json"


def resource_of(kind: str) -> Resource:
    """Raises: Invalid: a kind that we do not read (Secrets among them)."""
    try:
        return _RESOURCES[Kind(kind)]
    except ValueError:
        raise Invalid(f"kind {kind[:63]!r} is not one that the co-pilot reads") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is listed or watched: a kind, of one namespace where it is given, or one object."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    is_metadata_only: bool = False
    """The server sends nothing but metadata, or refuses."""

    @property
    def subject(self) -> str:
        """For people."""
        one = f"{self.resource.kind} {self.namespace}/{self.name}"
        return one if self.name else self.resource.plural


def one_secret(ref: ObjectRef) -> Scope:
    """The metadata of this Secret, and nothing of any other."""
    if ref.kind != Named.SECRET or not ref.namespace or not ref.name:
        raise Invalid(f"{ref} names no Secret")
    return Scope(resource=SECRETS, namespace=ref.namespace, name=ref.name, is_metadata_only=True)


def listing(scope: Scope, query: Query = ()) -> Call:
    """All objects there."""
    return _collecting(scope, "list", query, _METADATA_LIST)


def watching(scope: Scope, query: Query) -> Call:
    """The stream of changes there."""
    return _collecting(scope, "watch", query, _METADATA)


_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Nothing else is accepted beside: a server that cannot, must not send the whole.
https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches"""


def _collecting(scope: Scope, verb: str, query: Query, metadata: str) -> Call:
    # RBAC grants a list of single names only to who asks for that name by this very selector.
    chosen: Query = (("fieldSelector", f"metadata.name={scope.name}"),) if scope.name else ()
    call = Call(
        verb=verb,
        resource=scope.resource.plural,
        subject=scope.subject,
        namespace=scope.namespace,
        path=_collection(scope.resource, scope.namespace),
        query=(*chosen, *query),
    )
    return replace(call, accept=metadata) if scope.is_metadata_only else call


def reading(ref: ObjectRef) -> Call:
    """One object."""
    resource = resource_of(ref.kind)
    return Call(
        verb="get",
        resource=resource.plural,
        subject=str(ref),
        namespace=ref.namespace,
        path=_object(resource, ref),
    )


def patching(ref: ObjectRef, patch: dict[str, object], query: Query) -> Call:
    """A strategic merge patch of one object."""
    resource = resource_of(ref.kind)
    return Call(
        verb="patch",
        resource=resource.plural,
        subject=str(ref),
        namespace=ref.namespace,
        path=_object(resource, ref),
        method="PATCH",
        query=query,
        body=patch,
    )


def resizing(pod: ObjectRef, patch: dict[str, object], query: Query) -> Call:
    """A strategic merge patch of a pod's `resize` subresource."""
    return Call(
        verb="patch",
        resource="pods/resize",
        subject=f"the resources of {pod}",
        namespace=pod.namespace,
        path=f"{_object(resource_of(Kind.POD), pod)}/resize",
        method="PATCH",
        query=query,
        body=patch,
    )


def discovering(api_version: str) -> Call:
    """What the server has of one version of a group; every account may ask."""
    prefix = "apis" if "/" in api_version else "api"
    path = f"/{prefix}/{api_version}"
    return Call(verb="get", resource=path, subject=f"discovery of {api_version}", path=path)


def creating(ref: ObjectRef, manifest: dict[str, object], query: Query) -> Call:
    """A new object of that kind and namespace; its name is in the manifest."""
    resource = resource_of(ref.kind)
    if resource.is_namespaced and not ref.namespace:
        raise Invalid(f"{ref} names no namespace")
    return Call(
        verb="create",
        resource=resource.plural,
        subject=str(ref),
        namespace=ref.namespace,
        path=_collection(resource, ref.namespace),
        method="POST",
        query=query,
        body=manifest,
    )


def deleting(ref: ObjectRef, options: dict[str, object]) -> Call:
    """The end of one object; `options` are `meta/v1` DeleteOptions."""
    resource = resource_of(ref.kind)
    return Call(
        verb="delete",
        resource=resource.plural,
        subject=str(ref),
        namespace=ref.namespace,
        path=_object(resource, ref),
        method="DELETE",
        body=options,
    )


def reading_log(pod: ObjectRef, container: str, query: Query) -> Call:
    """The log of one container."""
    return Call(
        verb="get",
        resource="pods/log",
        subject=f"the log of container {container[:63]} in {pod}",
        namespace=pod.namespace,
        path=f"{_object(resource_of(Kind.POD), pod)}/log",
        query=(("container", container), *query),
    )


def asking_kubelet(node: str, path: str, query: Query = ()) -> Call:
    """A page of a node's kubelet, through the API server."""
    return Call(
        verb="get",
        resource="nodes/proxy",
        subject=f"{path} of node {node[:253]}",
        path=f"/api/v1/nodes/{_named(node)}/proxy{path}",
        query=query,
    )


TOKEN_REVIEWS = "tokenreviews"
AUTHENTICATION = "authentication.k8s.io"


def reviewing(token: str, audience: str) -> Call:
    """Whose token this is; the question is kept nowhere.
    https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
    """
    return Call(
        verb="create",
        resource=TOKEN_REVIEWS,
        subject="a review of a caller's token",
        path=f"/apis/{AUTHENTICATION}/v1/{TOKEN_REVIEWS}",
        method="POST",
        body={
            "apiVersion": f"{AUTHENTICATION}/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [audience]},
        },
    )


def asking_version() -> Call:
    """What the server is."""
    return Call(verb="get", resource="/version", subject="the server's version", path="/version")


def _collection(resource: Resource, namespace: str) -> str:
    place = f"/namespaces/{_named(namespace)}" if namespace and resource.is_namespaced else ""
    return f"{resource.root}{place}/{resource.plural}"


def _object(resource: Resource, ref: ObjectRef) -> str:
    if resource.is_namespaced and not ref.namespace:
        raise Invalid(f"{ref} names no namespace")
    allowed = _SEGMENT if resource.api_version == _RBAC else _NAME
    return f"{_collection(resource, ref.namespace)}/{_named(ref.name, allowed)}"


def _named(name: str, allowed: re.Pattern[str] = _NAME) -> str:
    """The name as a path segment; names come from hostile places and must not leave theirs."""
    if not allowed.fullmatch(name):
        raise Invalid(f"{name[:63]!r} is not a name of a Kubernetes object")
    return quote(name, safe="")
