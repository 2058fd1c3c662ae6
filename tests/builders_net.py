"""A caller, whom it calls, and what stands between them, for tests.

The log lines and event messages are those of real programs and a real kubelet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from copilot.agents.remedies import Remedy
from copilot.domain.action import Action
from copilot.domain.alert import Alert, Rule
from copilot.domain.case import Case
from copilot.domain.change import Change, FieldChange
from copilot.domain.event import Series, SeriesPoint
from copilot.domain.hypothesis import Hypothesis, Verdict
from copilot.domain.objects import (
    Container,
    ContainerPort,
    Deployment,
    EnvVar,
    KubeEvent,
    LabelSelector,
    Metadata,
    ObjectRef,
    Pod,
    PodSpec,
    PodTemplate,
    Probe,
    ResourceRequirements,
    Service,
    ServicePort,
    ServiceSpec,
    epoch_us,
)
from copilot.domain.proposal import Draft
from copilot.domain.surroundings import (
    ConfigMap,
    EgressRule,
    IngressRule,
    NetworkPeer,
    NetworkPolicy,
    NetworkPolicySpec,
    NetworkPort,
    PolicyRule,
    Role,
    RoleBinding,
    RoleRef,
    Subject,
    Surroundings,
)
from tests.builders_around import EVERY_KIND, meta, with_surroundings
from tests.builders_case import a_case, a_line, an_alert
from tests.builders_objects import a_container, a_deployment, a_pod, a_status, ago, ago_us, running

LISTED = EVERY_KIND | {"NetworkPolicy", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
REFUSED = (
    'request failed: Get "http://{host}/": dial tcp 10.96.0.87:{port}: connect: connection refused'
)
LATE = (
    'request failed: Get "http://{host}/": context deadline exceeded (Client.Timeout exceeded while '
    "awaiting headers)"
)
UNRESOLVED = (
    'request failed: Get "http://{host}/": dial tcp: lookup {host} on 10.99.0.1:53: no such host'
)


def refused(host: str, port: int = 80) -> str:
    return REFUSED.format(host=host, port=port)


def late(host: str) -> str:
    return LATE.format(host=host)


def unresolved(host: str) -> str:
    return UNRESOLVED.format(host=host)


# ------------------------------------------------------------------ the caller


def a_caller(
    env: Mapping[str, str] | None = None,
    *,
    args: Sequence[str] = (),
    spec: PodSpec | None = None,
    labels: Mapping[str, str] | None = None,
) -> Pod:
    """A pod of Deployment `shop` that runs and calls others."""
    container = msgspec.structs.replace(
        a_container(),
        env=[EnvVar(name=n, value=v) for n, v in (env or {}).items()] or None,
        args=list(args) or None,
    )
    pod = a_pod("shop", containers=[container])
    own = msgspec.structs.replace(spec or pod.spec, containers=[container])
    carried = {**(pod.metadata.labels or {}), **(labels or {})}
    return msgspec.structs.replace(
        pod, spec=own, metadata=msgspec.structs.replace(pod.metadata, labels=carried)
    )


def a_caller_case(
    *logged: str,
    caller: Pod | None = None,
    services: Sequence[Service] = (),
    workloads: Sequence[Deployment] = (),
    pods: Sequence[Pod] = (),
    policies: Sequence[NetworkPolicy] = (),
    config_maps: Sequence[ConfigMap] = (),
    roles: Sequence[Role] = (),
    bindings: Sequence[RoleBinding] = (),
    namespaces: Sequence[str] = ("default", "demo", "kube-system"),
    remote: Sequence[tuple[str, str]] = (),
    changes: Sequence[Change] = (),
    events: Sequence[KubeEvent] = (),
    alerts: Sequence[Alert] | None = None,
    listed: frozenset[str] = LISTED,
) -> Case:
    """Deployment `shop` logs these lines, 20 s ago and on; around it stands what is given, as
    namespace and name where it is remote."""
    own = caller or a_caller()
    workload = a_deployment("shop", containers=own.spec.containers)
    template = msgspec.structs.replace(workload.spec.template, spec=own.spec)
    workload = msgspec.structs.replace(
        workload, spec=msgspec.structs.replace(workload.spec, template=template)
    )
    lines = [
        a_line(body, own, at=ago(20 - n), address=f"3:{n + 1}", level="error")
        for n, body in enumerate(logged)
    ]
    case = a_case(
        app="shop",
        pods=[own],
        workload=workload,
        lines=lines,
        changes=changes,
        events=events,
        alerts=alerts,
        rule=Rule.ERROR_BURST,
    )
    around = Surroundings(
        listed=listed,
        services=tuple(services),
        workloads=tuple(workloads),
        pods=tuple(pods),
        network_policies=tuple(policies),
        config_maps=tuple(config_maps),
        roles=tuple(roles),
        role_bindings=tuple(bindings),
        namespaces=tuple(namespaces),
        remote_services=tuple(
            ObjectRef(kind="Service", namespace=place, name=name) for place, name in remote
        ),
    )
    return with_surroundings(case, around)


def no_endpoints(kind: str = "Service", name: str = "api") -> Alert:
    """As the rule lays it on a Service, or on the workload behind it."""
    bare = an_alert(Rule.NO_ENDPOINTS, name, starts_us=ago_us(40))
    own = ObjectRef(kind=kind, namespace="demo", name=name, uid=f"uid-{name}")
    return replace(bare, workload=own, container="")


# ------------------------------------------------------------------ whom it calls


def a_service(
    name: str = "api",
    *,
    selector: Mapping[str, str] | None = None,
    port: int = 80,
    target: int | str | None = 8080,
    protocol: str = "TCP",
    ip: str = "10.96.0.87",
    kind: str = "ClusterIP",
) -> Service:
    return Service(
        metadata=meta(name, kind="service"),
        spec=ServiceSpec(
            selector=dict(selector) if selector is not None else {"app": name},
            ports=[ServicePort(port=port, name="http", target_port=target, protocol=protocol)],
            type=kind,
            cluster_ip=ip,
        ),
    )


def a_peer(
    name: str = "api",
    *,
    labels: Mapping[str, str] | None = None,
    port: int = 8080,
    port_name: str = "http",
    protocol: str = "TCP",
    replicas: int = 1,
    readiness: Probe | None = None,
) -> Deployment:
    """A workload that somebody calls; its pods carry `app: <name>` unless told otherwise."""
    carried = dict(labels) if labels is not None else {"app": name}
    bare = a_deployment(name, replicas=replicas, containers=[_server(port, port_name, protocol)])
    spec = PodSpec(
        containers=[
            msgspec.structs.replace(_server(port, port_name, protocol), readiness_probe=readiness)
        ]
    )
    return msgspec.structs.replace(
        bare,
        kind="Deployment",
        spec=msgspec.structs.replace(
            bare.spec,
            selector=LabelSelector(match_labels=carried),
            template=PodTemplate(metadata=Metadata(labels=carried), spec=spec),
        ),
    )


def a_peer_pod(peer: Deployment, *, ready: bool = True, restarts: int = 0) -> Pod:
    """One of its pods."""
    name = peer.metadata.name
    status = a_status(state=running(ago(600)), ready=ready, restart_count=restarts)
    pod = a_pod(name, uid=f"uid-pod-{name}", statuses=[status])
    labels = dict(peer.spec.template.metadata.labels or {})
    return msgspec.structs.replace(
        pod,
        spec=msgspec.structs.replace(
            peer.spec.template.spec, node_name="dev", termination_grace_period_seconds=30
        ),
        metadata=msgspec.structs.replace(pod.metadata, labels=labels),
    )


def _server(port: int, name: str, protocol: str) -> Container:
    return msgspec.structs.replace(
        a_container(),
        ports=[ContainerPort(container_port=port, name=name, protocol=protocol)],
    )


def a_change_of(
    kind: str,
    name: str,
    path: str,
    before: object,
    after: object,
    *,
    at: datetime | None = None,
    actor: str = "kubectl-edit",
) -> Change:
    """Of any object, one field."""
    was, now = (None if v is None else msgspec.json.encode(v).decode() for v in (before, after))
    uids = {"Service": f"service-{name}-uid", "NetworkPolicy": f"policy-{name}-uid"}
    return Change(
        object=ObjectRef(kind=kind, namespace="demo", name=name, uid=uids.get(kind, f"uid-{name}")),
        ts_us=epoch_us(at or ago(60)),
        actor=actor,
        generation=2,
        fields=(FieldChange(path=path, before=was, after=now),),
        title=f"{path} {before} → {after}",
    )


# ------------------------------------------------------------------ what stands between


def a_policy(
    name: str = "deny",
    *,
    pods: Mapping[str, str] | None = None,
    types: Sequence[str] | None = None,
    ingress: Sequence[IngressRule] | None = None,
    egress: Sequence[EgressRule] | None = None,
) -> NetworkPolicy:
    """Of all pods of the namespace, with no rules, unless told otherwise."""
    return NetworkPolicy(
        metadata=meta(name, kind="policy"),
        spec=NetworkPolicySpec(
            pod_selector=LabelSelector(match_labels=dict(pods) if pods else None),
            policy_types=list(types) if types is not None else None,
            ingress=list(ingress) if ingress is not None else None,
            egress=list(egress) if egress is not None else None,
        ),
    )


def a_pod_peer(labels: Mapping[str, str] | None = None, *, place: str = "") -> NetworkPeer:
    """Pods with these labels; of a namespace by its name where `place` says one, `*` for any."""
    by_name = {} if place == "*" else {"kubernetes.io/metadata.name": place}
    return NetworkPeer(
        pod_selector=LabelSelector(match_labels=dict(labels)) if labels is not None else None,
        namespace_selector=LabelSelector(match_labels=by_name or None) if place else None,
    )


def a_port(port: int | str | None, protocol: str = "TCP") -> NetworkPort:
    return NetworkPort(port=port, protocol=protocol)


# ------------------------------------------------------------------ rights


def a_role(
    name: str = "reader",
    *,
    verbs: Sequence[str] = ("get", "list"),
    resources: Sequence[str] = ("pods",),
    groups: Sequence[str] = ("",),
    namespace: str = "demo",
) -> Role:
    """A ClusterRole where `namespace` is empty."""
    rule = PolicyRule(verbs=list(verbs), api_groups=list(groups), resources=list(resources))
    return Role(metadata=meta(name, kind="role", namespace=namespace), rules=[rule])


def a_binding(
    name: str = "reader",
    *,
    role: str = "reader",
    kind: str = "Role",
    account: str = "default",
    account_namespace: str = "demo",
    namespace: str = "demo",
) -> RoleBinding:
    """A ClusterRoleBinding where `namespace` is empty."""
    return RoleBinding(
        metadata=meta(name, kind="binding", namespace=namespace),
        role_ref=RoleRef(kind=kind, name=role),
        subjects=[Subject(kind="ServiceAccount", name=account, namespace=account_namespace)],
    )


# ------------------------------------------------------------------ CPU


def cpu_limited(container: Container, limit: str, request: str | None = None) -> Container:
    old = container.resources or ResourceRequirements()
    requests = {**(old.requests or {}), **({"cpu": request} if request else {})}
    return msgspec.structs.replace(
        container,
        resources=ResourceRequirements(
            limits={**(old.limits or {}), "cpu": limit}, requests=requests or None
        ),
    )


def a_cpu_series(pod: Pod, name: str, values: Sequence[float], *, container: str = "app") -> Series:
    """One value every 15 s up to now."""
    return Series(
        name=name,
        unit="1",
        namespace="demo",
        pod=pod.metadata.name,
        container=container,
        points=tuple(
            SeriesPoint(ts_us=ago_us(15 * (len(values) - n)), value=v, low=v, high=v)
            for n, v in enumerate(values)
        ),
    )


# ------------------------------------------------------------------ what may be done


def drafts_and_notes(
    case: Case, hypothesis: Hypothesis | None, remedy: Remedy
) -> tuple[list[Draft], list[str]]:
    """What a remedy gives for a cause that holds."""
    assert hypothesis is not None
    assert hypothesis.verdict is Verdict.SUPPORTED
    found = list(remedy(case, replace(hypothesis, id="H1")))
    return [f for f in found if isinstance(f, Draft)], [f for f in found if isinstance(f, str)]


def the_action(case: Case, hypothesis: Hypothesis | None, remedy: Remedy) -> Action:
    """The only draft's action; it rests on evidence."""
    (draft,), _ = drafts_and_notes(case, hypothesis, remedy)
    assert draft.evidence
    return draft.action
