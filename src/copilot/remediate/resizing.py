"""CPU and memory of a pod that stands alone, changed where it runs. Pure.

A workload's template has to change anyway, and its pods follow it: only a pod that nothing makes
anew is resized in place. What is asked for stands in its spec, what its kubelet has done about it
in its status, and the two may differ for long.
https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from copilot.domain.action import SetMemory, SetResources, TemplateAction
from copilot.domain.errors import Invalid
from copilot.domain.objects import epoch_us
from copilot.domain.proposal import Operation, Resize
from copilot.remediate.disruption import Disruption
from copilot.remediate.marks import MANAGER
from copilot.remediate.merging import holds, inverse, is_same, merged
from copilot.remediate.operations import ref_of
from copilot.remediate.tree import Fields, Tree, decode, encode, fields_at, items_at, text_at

SUBRESOURCE = "pods/resize"
_RESIZABLE = frozenset({"cpu", "memory"})
_MIRROR = "kubernetes.io/config.mirror"
"""On what stands in for a pod that its node runs from a file of its own."""
_SECOND_US = 1_000_000


def refuse(action: TemplateAction, pod: Fields) -> None:
    """Raises: Invalid where the pod is none that can be resized, or nothing would last of it."""
    target = action.target
    if not isinstance(action, SetMemory | SetResources):
        raise Invalid(
            f"{target} cannot be changed so: a pod without a controller is not changed, it is "
            "made anew"
        )
    owners = items_at(fields_at(pod, "metadata"), "ownerReferences")
    if owner := next((o for o in owners if o.get("controller") is True), None):
        raise Invalid(
            f"{target} is made by {owner.get('kind')} {owner.get('name')}: what is changed in the "
            "pod alone is gone with it"
        )
    if _MIRROR in fields_at(pod, "metadata", "annotations"):
        raise Invalid(f"{target} is run by its node from a file there")
    if text_at(pod, "status", "phase") in ("Succeeded", "Failed"):
        raise Invalid(f"{target} is over; nothing of it runs again")
    if isinstance(action, SetResources):
        named = {name for name, _ in (*action.requests, *action.limits)}
        if others := sorted(named - _RESIZABLE):
            raise Invalid(f"{', '.join(others)} of a running pod cannot be changed")


def resize_of(action: TemplateAction, pod: Fields, forward: Fields) -> Resize:
    """The operation that gives the pod what the edit says.

    Raises:
        Invalid: it could not be taken back.
    """
    back = inverse(pod, forward)
    if not is_same(merged(merged(pod, forward), back), pod) or _takes_away(back):
        raise Invalid(
            f"{action.target} could not be given back what it has: in place, a request or limit "
            "may be changed, not taken away"
        )
    return Resize(target=ref_of(pod), patch=encode(forward), rollback=encode(back))


def disruption_of(resize: Resize, pod: Fields) -> Disruption:
    """Whether containers are restarted for it, which each says by its `resizePolicy`."""
    restarted = [
        str(container.get("name"))
        for container, resources in _asked(pod, resize)
        if any(
            item.get("resourceName") in _names(resources)
            and item.get("restartPolicy") == "RestartContainer"
            for item in items_at(container, "resizePolicy")
        )
    ]
    if not restarted:
        return Disruption(text="the pod goes on; it is resized where it runs", n_pods=1)
    text = f"{', '.join(restarted)} is restarted in its pod, as its resizePolicy says"
    return Disruption(text=text, n_pods=1, away=1)


def lowers_memory_back(resize: Resize) -> bool:
    """Whether taking it back sets a memory limit, which a kubelet refuses while more is used."""
    return any("memory" in fields_at(asked, "limits") for _, asked in _asked({}, resize))


def is_running(pod: Fields, resize: Resize) -> bool:
    """Whether the containers that are to be resized run.

    While one sleeps in back-off, kubelets (seen on 1.34.4) change what its next run gets and leave
    the pod's own control group as it was: it is then killed on, at the old limit.
    """
    statuses = _statuses(pod)
    return all(
        fields_at(statuses.get(name, {}), "state", "running")
        for name in (str(container.get("name")) for container, _ in _asked(pod, resize))
    )


def outstanding(pod: Fields, resize: Resize) -> str:
    """What its kubelet has not done yet, for people; empty once the pod has what was asked for."""
    for condition in items_at(fields_at(pod, "status"), "conditions"):
        is_true = condition.get("status") == "True"
        if is_true and condition.get("type") in ("PodResizePending", "PodResizeInProgress"):
            said = condition.get("message") or condition.get("reason") or "in progress"
            return f"the resize is not done: {str(said)[:160]}"
    statuses = _statuses(pod)
    for container, asked in _asked(pod, resize):
        name = str(container.get("name"))
        actual = fields_at(statuses.get(name, {}), "resources")
        if not holds(actual, asked):
            return f"its kubelet has not given {name} {_told(asked)} yet"
    return ""


def impossible(pod: Fields) -> str:
    """Why its node will never do it, for people; empty where it may."""
    for condition in items_at(fields_at(pod, "status"), "conditions"):
        said = (condition.get("type"), condition.get("status"), condition.get("reason"))
        if said == ("PodResizePending", "True", "Infeasible"):
            return f"its node cannot do it: {str(condition.get('message') or '')[:200]}"
    return ""


def resized_us(pod: Fields, fallback_us: int) -> int:
    """From when on a run of its containers has had what was asked for: the second after our
    request, by the API server's clock, which says whole seconds."""
    times = [
        epoch_us(datetime.fromisoformat(time))
        for entry in items_at(fields_at(pod, "metadata"), "managedFields")
        if entry.get("manager") == MANAGER and entry.get("subresource") == "resize"
        if (time := text_at(entry, "time"))
    ]
    return max(times) + _SECOND_US if times else fallback_us


def resize_in(operations: tuple[Operation, ...]) -> Resize | None:
    """The one among them, None for none."""
    return next((one for one in operations if isinstance(one, Resize)), None)


def _asked(pod: Fields, resize: Resize) -> Iterator[tuple[Fields, Fields]]:
    """Each container that is resized, and the requests and limits it is to get."""
    asked = fields_at(decode(resize.patch), "spec")
    for field in ("containers", "initContainers"):
        there = {c.get("name"): c for c in items_at(fields_at(pod, "spec"), field)}
        for part in items_at(asked, field):
            yield there.get(part.get("name"), part), fields_at(part, "resources")


def _statuses(pod: Fields) -> dict[str, Fields]:
    status = fields_at(pod, "status")
    both = (*items_at(status, "containerStatuses"), *items_at(status, "initContainerStatuses"))
    return {str(one.get("name")): one for one in both}


def _names(resources: Fields) -> set[str]:
    return {*fields_at(resources, "limits"), *fields_at(resources, "requests")}


def _told(resources: Fields) -> str:
    limits, requests = fields_at(resources, "limits"), fields_at(resources, "requests")
    told = [f"a {name} limit of {value}" for name, value in limits.items()]
    told += [f"a {name} request of {value}" for name, value in requests.items()]
    return ", ".join(told)


def _takes_away(tree: Tree) -> bool:
    if isinstance(tree, dict):
        return any(value is None or _takes_away(value) for value in tree.values())
    return isinstance(tree, list) and any(_takes_away(item) for item in tree)
