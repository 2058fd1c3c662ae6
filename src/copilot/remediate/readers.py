"""Who reads a ConfigMap, and whether a running pod notices that it changed. Pure."""

from __future__ import annotations

from copilot.remediate.edits.template import containers_in
from copilot.remediate.tree import Fields, fields_at, items_at, template_path, text_at


def reads(workload: Fields, config_map: str) -> bool:
    """Whether the workload's pods take anything from this ConfigMap."""
    template = _template(workload)
    return (
        bool(_volumes(template, config_map))
        or any(
            text_at(source, "configMapRef", "name") == config_map
            for container in containers_in(template)
            for source in items_at(container, "envFrom")
        )
        or any(
            text_at(variable, "valueFrom", "configMapKeyRef", "name") == config_map
            for container in containers_in(template)
            for variable in items_at(container, "env")
        )
    )


def reads_at_start(workload: Fields, config_map: str, key: str) -> bool:
    """Whether a container reads this key only when it starts: through its environment, or by a
    mount of a single file.

    https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically
    """
    template = _template(workload)
    volumes = _volumes(template, config_map)
    return any(
        _starts_with(container, config_map, key, volumes) for container in containers_in(template)
    )


def _starts_with(container: Fields, config_map: str, key: str, volumes: set[str]) -> bool:
    if any(
        text_at(source, "configMapRef", "name") == config_map
        for source in items_at(container, "envFrom")
    ):
        return True
    refs = [
        fields_at(variable, "valueFrom", "configMapKeyRef")
        for variable in items_at(container, "env")
    ]
    if any(ref.get("name") == config_map and ref.get("key") == key for ref in refs):
        return True
    mounts = items_at(container, "volumeMounts")
    return any(mount.get("name") in volumes and mount.get("subPath") for mount in mounts)


def _template(workload: Fields) -> Fields:
    kind = text_at(workload, "kind") or ""
    return workload if kind == "Pod" else fields_at(workload, *template_path(kind))


def _volumes(template: Fields, config_map: str) -> set[str]:
    """Names of the volumes that hold the ConfigMap, also as a part of a projected one."""
    found: set[str] = set()
    for volume in items_at(fields_at(template, "spec"), "volumes"):
        sources = [volume, *items_at(fields_at(volume, "projected"), "sources")]
        if any(text_at(source, "configMap", "name") == config_map for source in sources):
            found.add(str(volume.get("name")))
    return found
