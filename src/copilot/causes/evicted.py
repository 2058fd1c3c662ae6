"""The kubelet took a pod off its node: it used more disk than it may, or the node ran short."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from copilot.causes.changed import rolled_out
from copilot.causes.citing import concluded, event_key, object_key, said
from copilot.causes.failures import events_about
from copilot.causes.references import workload_ref
from copilot.causes.wording import one_line
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import KubeEvent, ObjectRef, Pod, epoch_us

SAID = 0.95
SHOWN = 0.97
_EMPTY_DIR = re.compile(r'EmptyDir volume "([^"]+)" exceeds the limit "([^"]+)"')
_POD_DISK = re.compile(
    r"ephemeral local storage usage exceeds the total limit of containers (\S+?)\.?$"
)
_OWN_DISK = re.compile(r'Container (\S+) exceeded its local ephemeral storage limit "([^"]+)"')
_NODE_SHORT = re.compile(r"node was low on resource: ([\w./-]+?)\.(?:\s|$)")
_NODE_CONDITION = re.compile(r"node had condition: \[([^\]]+)\]")
_CONSUMER = re.compile(r"Container (\S+) was using (\S+?), request is (\S+?)(?:,|\.\s|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Eviction:
    """One pod that was taken off its node, and why."""

    pod: Pod
    """The evicted one, or where it is gone the one that a controller made of the same name."""
    message: str
    event: KubeEvent | None

    @property
    def detail(self) -> str:
        """`empty_dir`, `ephemeral_storage`, `node_memory`, `node_disk`, `node_pids`, or empty."""
        if _EMPTY_DIR.search(self.message):
            return "empty_dir"
        if _POD_DISK.search(self.message.strip()) or _OWN_DISK.search(self.message):
            return "ephemeral_storage"
        found = _NODE_SHORT.search(self.message) or _NODE_CONDITION.search(self.message)
        if found is None:
            return ""
        short = found[1].lower()
        if "memory" in short:
            return "node_memory"
        return "node_pids" if "pid" in short else "node_disk"


def evicted(case: Case) -> Hypothesis | None:
    """Supported by the kubelet's own words in the pod's status."""
    found = eviction_of(case)
    if found is None:
        return None
    shown = _shown(case, found)
    return concluded(
        Cause.EVICTED,
        title=_title(found),
        verdict=Verdict.SUPPORTED,
        confidence=SHOWN if shown else SAID,
        supporting=(
            *said(
                case,
                f"{found.pod.metadata.name} was evicted: {one_line(found.message, 300)}",
                *_sources(found),
            ),
            *shown,
            *rolled_out(case),
        ),
        next_check="See what fills the node." if found.detail.startswith("node") else "",
        subject=_subject(case, found),
        detail=found.detail,
    )


def eviction_of(case: Case) -> Eviction | None:
    """The newest, by the pod itself or by the kubelet's event."""
    gone = [
        p
        for p in case.pods
        if p.status.reason == "Evicted" and object_key(p.metadata) in case.cited_as
    ]
    told = [e for e in events_about(case, "Evicted") if event_key(e) in case.cited_as]
    if not gone:
        return _replaced(case, told)
    pod = max(gone, key=lambda p: epoch_us(p.metadata.creation_timestamp))
    own = [e for e in told if e.involved_object.uid == pod.metadata.uid]
    message = pod.status.message or (own[0].message if own else "")
    return Eviction(pod=pod, message=message, event=own[0] if own else None)


def volume_named_by(message: str) -> str:
    """The volume that held more than it may, empty for none."""
    found = _EMPTY_DIR.search(message)
    return found[1] if found else ""


def _sources(found: Eviction) -> tuple[str, ...]:
    """A successor says nothing about the eviction; the event does."""
    event = (event_key(found.event),) if found.event else ()
    is_itself = found.pod.status.reason == "Evicted"
    return (object_key(found.pod.metadata), *event) if is_itself else event


def _replaced(case: Case, told: Sequence[KubeEvent]) -> Eviction | None:
    """Only where it is what the incident is about: an event may be of a trouble long over."""
    if not any(alert.rule is Rule.EVICTED for alert in case.alerts):
        return None
    for event in told:
        about = event.involved_object
        for pod in case.pods:
            if (pod.metadata.namespace, pod.metadata.name) == (about.namespace, about.name):
                return Eviction(pod=pod, message=event.message, event=event)
    return None


def _title(found: Eviction) -> str:
    name = found.pod.metadata.name
    if volume := _EMPTY_DIR.search(found.message):
        return f"{name} filled its volume {one_line(volume[1], 60)} beyond {volume[2]}"
    if disk := _OWN_DISK.search(found.message):
        return f"{disk[1]} in {name} used more disk than its limit of {disk[2]}"
    if disk := _POD_DISK.search(found.message.strip()):
        return f"{name} used more disk than its limit of {disk[1]}"
    if short := _NODE_SHORT.search(found.message):
        return f"Node {found.pod.spec.node_name} ran short of {short[1]}, and {name} had to go"
    return f"{name} was evicted"


def _shown(case: Case, found: Eviction) -> tuple[Statement, ...]:
    """Who used how much, and which limit of the spec it is."""
    key = object_key(found.pod.metadata)
    if volume := _EMPTY_DIR.search(found.message):
        users = [
            c.name
            for c in found.pod.spec.containers or ()
            if any(m.name == volume[1] for m in c.volume_mounts or ())
        ]
        return (
            said(
                case,
                f"Volume {volume[1]} may hold {volume[2]}; it is mounted by {', '.join(users)}.",
                key,
            )
            if users
            else ()
        )
    if found.detail == "ephemeral_storage":
        limits = {
            c.name: (c.resources.limits or {}).get("ephemeral-storage")
            for c in found.pod.spec.containers or ()
            if c.resources
        }
        each = [f"{name} may use {limit}" for name, limit in limits.items() if limit]
        return said(case, f"By its spec {', '.join(each)} of disk.", key) if each else ()
    if consumer := _CONSUMER.search(found.message):
        return said(
            case,
            f"{consumer[1]} was using {consumer[2]} and asks for {consumer[3]}: what uses more than "
            "it asks for goes first.",
            key,
        )
    return ()


def _subject(case: Case, found: Eviction) -> ObjectRef:
    """The workload whose limit it is or that used more than it asked for; else the node."""
    is_own = found.detail in ("empty_dir", "ephemeral_storage")
    node = found.pod.spec.node_name
    if is_own or not node or _CONSUMER.search(found.message):
        return workload_ref(case)
    uid = next((n.metadata.uid for n in case.nodes if n.metadata.name == node), "")
    return ObjectRef(kind="Node", namespace="", name=node, uid=uid)
