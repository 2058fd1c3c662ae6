"""What a kubelet tells of memory and CPU, in its three forms, from the simulated containers.

As on a real node a killed container has no row of its own until it runs again; only the pod's
cgroup (`container=""`) remembers the peak and how often the limit was hit.
"""

from __future__ import annotations

from collections.abc import Iterable

from copilot.demo.containers import Container
from copilot.demo.kinds import Obj
from copilot.demo.kubelet import Kubelet, PodRun
from copilot.demo.times import SECOND_US, to_second

MIB = 2**20
NODE_MEMORY = 8 * 2**30
PAUSE_BYTES = 540_672
"""Working set of a pod's own sandbox."""

_CPU_SHARE = 0.004
"""Cores that an idling service uses."""


def stats_summary(kubelet: Kubelet, node: str, now_us: int) -> Obj:
    """`/stats/summary`."""
    pods = [pod for pod in _pods(kubelet, node) if _running(pod)]
    used = sum(_pod_bytes(pod) for pod in pods) + 900 * MIB
    at = to_second(now_us)
    return {
        "node": {
            "nodeName": node,
            "startTime": to_second(now_us - 9 * 86_400 * SECOND_US),
            "cpu": _cpu(at, 120_000_000, now_us // 40),
            "memory": _memory(at, used, NODE_MEMORY),
        },
        "pods": [
            {
                "podRef": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
                "startTime": to_second(pod.started_us),
                "containers": [_container(c, now_us) for c in _running(pod)],
                "cpu": _cpu(at, _nano_cores(), _cpu_ns(pod.started_us, now_us)),
                "memory": _memory(at, _pod_bytes(pod), _pod_limit(pod)),
            }
            for pod in pods
        ],
    }


def metrics_resource(kubelet: Kubelet, node: str, now_us: int) -> str:
    """`/metrics/resource`, Prometheus text."""
    text = _Text(now_us)
    pods = [pod for pod in _pods(kubelet, node) if _running(pod)]
    rows = [(_labels(pod, c), c) for pod in pods for c in _running(pod)]
    text.family(
        "container_cpu_usage_seconds_total",
        "counter",
        "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
        [(labels, _cpu_ns(_started(c), now_us) / 1e9) for labels, c in rows],
    )
    text.family(
        "container_memory_working_set_bytes",
        "gauge",
        "[STABLE] Current working set of the container in bytes",
        [(labels, c.memory_bytes) for labels, c in rows],
    )
    text.family(
        "container_start_time_seconds",
        "gauge",
        "[STABLE] Start time of the container since unix epoch in seconds",
        [(labels, _started(c) / 1e6) for labels, c in rows],
    )
    text.family(
        "node_memory_working_set_bytes",
        "gauge",
        "[STABLE] Current working set of the node in bytes",
        [("", sum(_pod_bytes(pod) for pod in pods) + 900 * MIB)],
    )
    text.family(
        "pod_memory_working_set_bytes",
        "gauge",
        "[STABLE] Current working set of the pod in bytes",
        [(f'namespace="{pod.namespace}",pod="{pod.name}"', _pod_bytes(pod)) for pod in pods],
    )
    text.family(
        "resource_scrape_error",
        "gauge",
        "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise",
        [("", 0)],
    )
    return text.body


def metrics_cadvisor(kubelet: Kubelet, node: str, now_us: int) -> str:
    """`/metrics/cadvisor`, Prometheus text: pod cgroups and running containers."""
    text = _Text(now_us)
    pods = _pods(kubelet, node)
    of_pods = [(_cgroup(pod, None), pod) for pod in pods]
    of_containers = [(_cgroup(pod, c), c) for pod in pods for c in _running(pod)]
    text.family(
        "container_memory_failcnt",
        "counter",
        "Number of memory usage hits limits",
        [(labels, sum(c.n_limit_hits for c in pod.containers)) for labels, pod in of_pods]
        + [(labels, c.n_limit_hits) for labels, c in of_containers],
    )
    text.family(
        "container_memory_max_usage_bytes",
        "gauge",
        "Maximum memory usage recorded in bytes",
        [(labels, pod.peak_bytes) for labels, pod in of_pods]
        + [(labels, c.memory_bytes) for labels, c in of_containers],
    )
    text.family(
        "container_memory_working_set_bytes",
        "gauge",
        "Current working set in bytes.",
        [(labels, _pod_bytes(pod)) for labels, pod in of_pods]
        + [(labels, c.memory_bytes) for labels, c in of_containers],
    )
    text.family(
        "container_oom_events_total",
        "counter",
        "Count of out of memory events observed for the container",
        [(labels, 0) for labels, _ in of_pods + of_containers],
    )
    text.family(
        "container_spec_memory_limit_bytes",
        "gauge",
        "Memory limit for the container.",
        [(labels, _pod_limit(pod)) for labels, pod in of_pods]
        + [(labels, c.limit_bytes) for labels, c in of_containers],
    )
    return text.body


class _Text:
    """Prometheus text, one family after the other."""

    def __init__(self, now_us: int) -> None:
        self.body = ""
        self._at_ms = now_us // 1000

    def family(self, name: str, type_: str, help_: str, rows: Iterable[tuple[str, float]]) -> None:
        lines = [f"# HELP {name} {help_}", f"# TYPE {name} {type_}"]
        for labels, value in rows:
            braced = f"{{{labels}}}" if labels else ""
            stamp = "" if name == "resource_scrape_error" else f" {self._at_ms}"
            lines.append(f"{name}{braced} {_go_number(value)}{stamp}")
        self.body += "\n".join(lines) + "\n"


def _go_number(value: float) -> str:
    """As Go's `strconv` writes it: `245760`, `3.3554432e+07`."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return f"{value:.9f}".rstrip("0").rstrip(".")
    digits, _, exponent = f"{value:.16e}".partition("e")
    mantissa = digits.rstrip("0").rstrip(".")
    short = repr(float(mantissa)).removesuffix(".0")
    return f"{short}e{exponent[0]}{int(exponent[1:]):02d}"


def _pods(kubelet: Kubelet, node: str) -> list[PodRun]:
    return [pod for pod in kubelet.pods.values() if pod.node == node]


def _running(pod: PodRun) -> list[Container]:
    return [container for container in pod.containers if container.is_running]


def _labels(pod: PodRun, container: Container) -> str:
    return f'container="{container.name}",namespace="{pod.namespace}",pod="{pod.name}"'


def _cgroup(pod: PodRun, container: Container | None) -> str:
    path, name, image, marker = f"/kubepods/burstable/pod{pod.uid}", "", "", ""
    if container is not None and container.current is not None:
        marker = container.current.container_id
        path, name, image = f"{path}/{marker}", container.name, container.spec["image"]
    return (
        f'container="{name}",id="{path}",image="{image}",name="{marker}",'
        f'namespace="{pod.namespace}",pod="{pod.name}"'
    )


def _pod_bytes(pod: PodRun) -> int:
    return sum(container.memory_bytes for container in pod.containers) + PAUSE_BYTES


def _pod_limit(pod: PodRun) -> int:
    """0 where one of its containers has none."""
    limits = [container.limit_bytes for container in pod.containers]
    return sum(limits) if all(limits) else 0


def _started(container: Container) -> int:
    return container.current.started_us if container.current else 0


def _nano_cores() -> int:
    return round(_CPU_SHARE * 1e9)


def _cpu_ns(since_us: int, now_us: int) -> int:
    return round((now_us - since_us) * 1000 * _CPU_SHARE)


def _container(container: Container, now_us: int) -> Obj:
    at = to_second(now_us)
    return {
        "name": container.name,
        "startTime": to_second(_started(container)),
        "cpu": _cpu(at, _nano_cores(), _cpu_ns(_started(container), now_us)),
        "memory": _memory(at, container.memory_bytes, container.limit_bytes),
    }


def _cpu(at: str, nano_cores: int, core_ns: int) -> Obj:
    return {"time": at, "usageNanoCores": nano_cores, "usageCoreNanoSeconds": core_ns}


def _memory(at: str, used: int, limit: int) -> Obj:
    told: Obj = {"time": at}
    if limit:
        told["availableBytes"] = max(0, limit - used)
    return told | {
        "usageBytes": used,
        "workingSetBytes": used,
        "rssBytes": round(used * 0.9),
        "pageFaults": 0,
        "majorPageFaults": 0,
    }
