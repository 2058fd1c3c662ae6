"""Events about objects, written as the components of a real cluster write them."""

from __future__ import annotations

from dataclasses import dataclass

from copilot.demo.kinds import EVENT, NODE, Obj, Resource
from copilot.demo.times import SECOND_US, to_microsecond, to_second
from copilot.demo.world import World

EVENT_TTL_US = 3600 * SECOND_US
"""The API server's `--event-ttl`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A component that reports; `host` is set for a kubelet."""

    component: str
    host: str = ""


class Reporter:
    """Writes events; the same story again raises the count of its event."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._told: dict[tuple[str, ...], str] = {}
        self._next_sweep_us = 0
        self._last_mark = 0

    def report(
        self,
        source: Source,
        resource: Resource,
        about: Obj,
        type_: str,
        reason: str,
        message: str,
        field_path: str = "",
    ) -> None:
        """An event with `count` and first and last time, as kubelet and controllers write them."""
        uid, now = about["metadata"]["uid"], self._world.now_us()
        key = (source.component, source.host, uid, type_, reason, message, field_path)
        namespace = about["metadata"].get("namespace", "default")
        before = self._world.find(EVENT, namespace, self._told.get(key, ""))
        if before is not None:
            again = {**before, "count": before["count"] + 1, "lastTimestamp": to_second(now)}
            self._world.put(EVENT, again)
            return
        event = self._event(resource, about, type_, reason, message, field_path)
        event |= {
            "source": {"component": source.component}
            | ({"host": source.host} if source.host else {}),
            "firstTimestamp": to_second(now),
            "lastTimestamp": to_second(now),
            "count": 1,
            "eventTime": None,
            "reportingComponent": source.component,
            "reportingInstance": source.host,
        }
        self._told[key] = self._world.add(EVENT, event)["metadata"]["name"]

    def report_scheduling(
        self, resource: Resource, about: Obj, type_: str, reason: str, message: str, action: str
    ) -> None:
        """An event of the scheduler: its only time is `eventTime`, and it has no count."""
        event = self._event(resource, about, type_, reason, message, "")
        event |= {
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "eventTime": to_microsecond(self._world.now_us()),
            "action": action,
            "reportingComponent": "default-scheduler",
            "reportingInstance": "default-scheduler-demo-1",
        }
        self._world.add(EVENT, event)

    def sweep(self) -> None:
        """Forget events older than an hour, as the API server does; looks once a minute."""
        now = self._world.now_us()
        if now < self._next_sweep_us:
            return
        self._next_sweep_us = now + 60 * SECOND_US
        horizon = to_second(now - EVENT_TTL_US)
        for event in self._world.objects(EVENT):
            last = event["lastTimestamp"] or event["metadata"]["creationTimestamp"]
            if last < horizon:
                self._world.remove(EVENT, event)
        names = {event["metadata"]["name"] for event in self._world.objects(EVENT)}
        self._told = {key: name for key, name in self._told.items() if name in names}

    def _event(
        self,
        resource: Resource,
        about: Obj,
        type_: str,
        reason: str,
        message: str,
        field_path: str,
    ) -> Obj:
        metadata, now = about["metadata"], self._world.now_us()
        namespace = metadata.get("namespace", "default")
        self._last_mark = max(now * 1000, self._last_mark + 1)  # a name is never given twice
        # A kubelet names a node by its name in the place of the uid.
        uid = metadata["name"] if resource is NODE else metadata["uid"]
        involved = {
            "kind": resource.kind,
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
            "uid": uid,
            "apiVersion": resource.api_version,
            "resourceVersion": metadata["resourceVersion"],
            "fieldPath": field_path,
        }
        return {
            "metadata": {"name": f"{metadata['name']}.{self._last_mark:x}", "namespace": namespace},
            "involvedObject": {name: value for name, value in involved.items() if value},
            "reason": reason,
            "message": message,
            "type": type_,
        }
