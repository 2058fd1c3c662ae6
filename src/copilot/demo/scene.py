"""The cluster as it stands when the demo starts: everything healthy, and nothing new.

Nothing in here fails by itself. `oom-demo` needs 48 MiB and may use 64: it fails when somebody
lowers that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from copilot.demo.kinds import (
    BUDGET,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    NETWORK_POLICY,
    NODE,
    ROLE,
    SERVICE,
    SERVICE_ACCOUNT,
    Obj,
)
from copilot.demo.times import SECOND_US, to_second
from copilot.demo.workloads import Profile, Registry
from copilot.demo.world import World
from copilot.demo.writing import Terms, create

DEMO_LABEL = "incident-copilot.io/demo"
NODES = ("demo-1", "demo-2", "demo-3")
VERSION = "v1.34.4"

_HOUR_US = 3600 * SECOND_US
_MANAGER = Terms(manager="kubectl-client-side-apply")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A deployment of the scene; `age_h` is for how many hours it has been as it is."""

    namespace: str
    name: str
    version: str
    replicas: int
    memory_mib: int
    limit_mib: int
    paths: tuple[str, ...]
    age_h: int
    pause_s: float = 4.0
    is_json: bool = True
    settings: dict[str, str] = field(default_factory=dict)
    min_available: int = 0
    """Pods that a budget keeps; 0 for no budget."""
    callers: tuple[str, ...] = ()
    """Neighbours that a network policy lets in; without any there is no policy."""
    reads_cluster: bool = False
    """It has an account of its own that may read what runs."""

    @property
    def repository(self) -> str:
        return f"docker.io/demo/{self.name}"


SERVICES = (
    Service(
        namespace="payments",
        name="payments-api",
        version="2.14.0",
        replicas=3,
        memory_mib=92,
        limit_mib=192,
        paths=("/v1/charges", "/v1/charges/{id}", "/v1/refunds/{id}"),
        age_h=31,
        pause_s=2.5,
        settings={"CURRENCY": "EUR", "RETRY_LIMIT": "3"},
        min_available=2,
    ),
    Service(
        namespace="payments",
        name="ledger",
        version="1.9.3",
        replicas=2,
        memory_mib=118,
        limit_mib=256,
        paths=("/entries/{id}", "/balance/{id}"),
        age_h=120,
        is_json=False,
        callers=("payments-api",),
    ),
    Service(
        namespace="payments",
        name="fraud-scoring",
        version="0.31.2",
        replicas=2,
        memory_mib=210,
        limit_mib=384,
        paths=("/score/{id}",),
        age_h=52,
        settings={"MODEL": "gbt-2026-10", "THRESHOLD": "0.82"},
    ),
    Service(
        namespace="checkout",
        name="storefront",
        version="5.2.1",
        replicas=4,
        memory_mib=74,
        limit_mib=160,
        paths=("/", "/cart", "/orders", "/orders/{id}"),
        age_h=27,
        pause_s=2.0,
        settings={"FEATURE_EXPRESS": "on"},
        min_available=3,
    ),
    Service(
        namespace="checkout",
        name="cart",
        version="3.8.0",
        replicas=3,
        memory_mib=58,
        limit_mib=128,
        paths=("/cart/{id}", "/cart/{id}/items"),
        age_h=75,
    ),
    Service(
        namespace="checkout",
        name="order-worker",
        version="2.0.5",
        replicas=2,
        memory_mib=66,
        limit_mib=128,
        paths=("/jobs/{id}",),
        age_h=170,
        pause_s=6.0,
        is_json=False,
    ),
    Service(
        namespace="catalog",
        name="catalog-api",
        version="7.4.2",
        replicas=3,
        memory_mib=88,
        limit_mib=192,
        paths=("/products", "/products/{id}", "/categories/{id}"),
        age_h=44,
        pause_s=3.0,
    ),
    Service(
        namespace="catalog",
        name="product-search",
        version="1.22.0",
        replicas=3,
        memory_mib=236,
        limit_mib=448,
        paths=("/search", "/suggest"),
        age_h=98,
        settings={"INDEX": "products-v12"},
    ),
    Service(
        namespace="catalog",
        name="image-resizer",
        version="0.9.7",
        replicas=2,
        memory_mib=134,
        limit_mib=288,
        paths=("/resize/{id}",),
        age_h=210,
        is_json=False,
    ),
    Service(
        namespace="identity",
        name="login",
        version="4.1.0",
        replicas=3,
        memory_mib=62,
        limit_mib=128,
        paths=("/login", "/logout", "/session/{id}"),
        age_h=63,
        min_available=2,
    ),
    Service(
        namespace="identity",
        name="token-issuer",
        version="2.6.4",
        replicas=2,
        memory_mib=48,
        limit_mib=96,
        paths=("/token", "/keys"),
        age_h=140,
        callers=("login", "user-profile"),
    ),
    Service(
        namespace="identity",
        name="user-profile",
        version="3.3.3",
        replicas=2,
        memory_mib=70,
        limit_mib=160,
        paths=("/users/{id}", "/users/{id}/settings"),
        age_h=88,
        is_json=False,
    ),
    Service(
        namespace="observability",
        name="otel-collector",
        version="0.139.0",
        replicas=2,
        memory_mib=112,
        limit_mib=256,
        paths=("/v1/metrics", "/v1/traces"),
        age_h=190,
        pause_s=15.0,
        is_json=False,
        reads_cluster=True,
    ),
    Service(
        namespace="observability",
        name="dashboards",
        version="11.6.1",
        replicas=1,
        memory_mib=142,
        limit_mib=320,
        paths=("/api/dashboards/{id}", "/api/query"),
        age_h=190,
        pause_s=8.0,
    ),
    Service(
        namespace="kube-system",
        name="coredns",
        version="1.15.0",
        replicas=2,
        memory_mib=24,
        limit_mib=96,
        paths=("/metrics",),
        age_h=216,
        pause_s=20.0,
        is_json=False,
    ),
)

OOM_DEMO: Obj = {
    "metadata": {"name": "oom-demo", "labels": {"app": "oom-demo"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "oom-demo"}},
        "template": {
            "metadata": {
                "labels": {"app": "oom-demo"},
                "annotations": {"fluentbit.io/parser": "json"},
            },
            "spec": {
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": "app",
                        "image": "docker.io/lab/oom-demo:1",
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["/bin/memhog", "2", "200", "48"],
                        "resources": {
                            "requests": {"memory": "16Mi", "cpu": "10m"},
                            "limits": {"memory": "64Mi"},
                        },
                    }
                ],
            },
        },
    },
}
"""The same object as in `demo/oom-demo.yaml`."""


def registry() -> Registry:
    """The images of the scene, each also in its next patch version."""
    images = Registry()
    for service in SERVICES:
        profile = Profile(
            name=service.name,
            memory_mib=service.memory_mib,
            pause_s=service.pause_s,
            paths=service.paths,
            is_json=service.is_json,
        )
        major, minor, patch = service.version.split(".")
        following = f"{major}.{minor}.{int(patch) + 1}"
        images.publish(service.repository, profile, service.version, following)
    return images


def images() -> set[str]:
    """What lies on every node already."""
    lab = {"docker.io/lab/oom-demo:1", "docker.io/lab/busybox:1.35"}
    return lab | {f"{service.repository}:{service.version}" for service in SERVICES}


def add_nodes(world: World) -> None:
    """Three ready nodes of 4 cores and 8 GiB, and the namespaces."""
    for place, name in enumerate(NODES, start=1):
        create(world, NODE, "", {"metadata": _node_metadata(name)}, _MANAGER)
        node = world.get(NODE, "", name)
        world.put(NODE, {**node, "spec": {}, "status": _node_status(name, place, world.now_us())})
    names = dict.fromkeys(["default", "kube-system", "demo", *(s.namespace for s in SERVICES)])
    for name in names:
        labels = {DEMO_LABEL: "true"} if name == "demo" else {}
        create(world, NAMESPACE, "", {"metadata": {"name": name, "labels": labels}}, _MANAGER)


def add_service(world: World, service: Service) -> None:
    """Its Deployment and Service, and what it has of settings, account and policies."""
    namespace, name = service.namespace, service.name
    labels = {"app": name}
    if service.reads_cluster:
        _add_account(world, service)
    if service.settings:
        settings = {"metadata": {"name": f"{name}-settings"}, "data": dict(service.settings)}
        create(world, CONFIG_MAP, namespace, settings, _MANAGER)
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    spec = {"selector": {"app": name}, "ports": ports}
    create(world, SERVICE, namespace, _named(name, labels, spec), _MANAGER)
    create(world, DEPLOYMENT, namespace, _deployment(service), _MANAGER)
    if service.min_available:
        kept = {"minAvailable": service.min_available, "selector": {"matchLabels": labels}}
        create(world, BUDGET, namespace, _named(name, labels, kept), _MANAGER)
    if service.callers:
        policy = _named(f"{name}-callers", labels, _policy(service))
        create(world, NETWORK_POLICY, namespace, policy, _MANAGER)


def add_oom_demo(world: World) -> None:
    create(world, DEPLOYMENT, "demo", OOM_DEMO, _MANAGER)


def _add_account(world: World, service: Service) -> None:
    name, namespace = service.name, service.namespace
    metadata = {"name": name}
    create(world, SERVICE_ACCOUNT, namespace, {"metadata": metadata}, _MANAGER)
    rule = {
        "apiGroups": [""],
        "resources": ["namespaces", "nodes", "pods"],
        "verbs": ["get", "list", "watch"],
    }
    create(world, CLUSTER_ROLE, "", {"metadata": metadata, "rules": [rule]}, _MANAGER)
    binding = {
        "metadata": metadata,
        "roleRef": {"apiGroup": ROLE.group, "kind": CLUSTER_ROLE.kind, "name": name},
        "subjects": [{"kind": SERVICE_ACCOUNT.kind, "namespace": namespace, "name": name}],
    }
    create(world, CLUSTER_ROLE_BINDING, "", binding, _MANAGER)


def _policy(service: Service) -> Obj:
    """Its port is open to its callers, and to nobody else."""
    callers = [{"podSelector": {"matchLabels": {"app": name}}} for name in service.callers]
    return {
        "podSelector": {"matchLabels": {"app": service.name}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": callers, "ports": [{"protocol": "TCP", "port": 8080}]}],
    }


def _named(name: str, labels: dict[str, str], spec: Obj) -> Obj:
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


def _deployment(service: Service) -> Obj:
    labels = {"app": service.name}
    container: Obj = {
        "name": "app",
        "image": f"{service.repository}:{service.version}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {
            "requests": {"cpu": "50m", "memory": f"{service.memory_mib}Mi"},
            "limits": {"memory": f"{service.limit_mib}Mi"},
        },
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 5},
    }
    if service.settings:
        container["envFrom"] = [{"configMapRef": {"name": f"{service.name}-settings"}}]
    pod: Obj = {"containers": [container]}
    if service.reads_cluster:
        pod["serviceAccountName"] = service.name
    spec = {
        "replicas": service.replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return _named(service.name, labels, spec)


def _node_metadata(name: str) -> Obj:
    return {
        "name": name,
        "labels": {
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
        },
        "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
    }


def _node_status(name: str, place: int, now_us: int) -> Obj:
    at = to_second(now_us)
    fine = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "sufficient PID available"),
    )
    conditions = [
        _node_condition(type_, status, reason, f"kubelet has {told}", at)
        for type_, status, reason, told in fine
    ]
    conditions.append(
        _node_condition("Ready", "True", "KubeletReady", "kubelet is posting ready status", at)
    )
    size = {"cpu": "4", "ephemeral-storage": "98831908Ki", "pods": "110"}
    return {
        "capacity": {**size, "memory": "8388608Ki"},
        "allocatable": {**size, "memory": "8286208Ki"},
        "conditions": conditions,
        "addresses": [
            {"type": "InternalIP", "address": f"10.99.0.{place}"},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": "",
            "containerRuntimeVersion": "containerd://1.6.20",
            "kernelVersion": "6.1.0-demo",
            "kubeProxyVersion": "",
            "kubeletVersion": f"{VERSION}+demo",
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "simulated",
            "systemUUID": "",
        },
    }


def _node_condition(type_: str, status: str, reason: str, message: str, at: str) -> Obj:
    return {
        "type": type_,
        "status": status,
        "lastHeartbeatTime": at,
        "lastTransitionTime": at,
        "reason": reason,
        "message": message,
    }


def age_us(service: Service) -> int:
    return service.age_h * _HOUR_US
