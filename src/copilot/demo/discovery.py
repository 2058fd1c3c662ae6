"""What the API offers: versions, groups, resources, and as much OpenAPI as kubectl asks for."""

from __future__ import annotations

from copilot.demo.kinds import GROUPS, RESOURCES, Obj, Resource
from copilot.demo.scene import VERSION

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def version() -> Obj:
    """`/version`; the `+demo` says what this is."""
    return {
        "major": "1",
        "minor": "34",
        "gitVersion": f"{VERSION}+demo",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    }


def core_versions(address: str) -> Obj:
    """`/api`."""
    where = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": where}


def group_list() -> Obj:
    """`/apis`."""
    groups = [_group(name, version) for name, version in GROUPS if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(name: str) -> Obj | None:
    """`/apis/NAME`, None where there is no such group."""
    found = next((version for known, version in GROUPS if known == name and name), None)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, found)} if found else None


def resource_list(name: str, version: str) -> Obj | None:
    """`/api/v1` or `/apis/NAME/VERSION`, None where there is no such version."""
    if (name, version) not in GROUPS:
        return None
    entries = [e for r in RESOURCES if (r.group, r.version) == (name, version) for e in _entries(r)]
    group_version = f"{name}/{version}" if name else version
    head = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version}
    return {**head, "resources": entries}


def openapi_paths() -> Obj:
    """`/openapi/v3`."""
    names = [f"apis/{name}/{version}" if name else f"api/{version}" for name, version in GROUPS]
    paths = {name: {"serverRelativeURL": f"/openapi/v3/{name}?hash=demo"} for name in names}
    return {"paths": paths}


def openapi(name: str, version: str) -> Obj:
    """`/openapi/v3/...`: only that a patch knows `fieldValidation` and `dryRun`.

    kubectl looks for just that before it leaves validation to the server.
    """
    parameters = [{"name": known, "in": "query"} for known in ("dryRun", "fieldValidation")]
    paths = {
        _path(resource): {
            "patch": {
                "parameters": parameters,
                "x-kubernetes-group-version-kind": {
                    "group": resource.group,
                    "version": resource.version,
                    "kind": resource.kind,
                },
            }
        }
        for resource in RESOURCES
        if (resource.group, resource.version) == (name, version)
    }
    info = {"title": "Kubernetes", "version": f"{VERSION}+demo"}
    return {"openapi": "3.0.0", "info": info, "paths": paths}


def _path(resource: Resource) -> str:
    head = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    middle = "/namespaces/{namespace}" if resource.is_namespaced else ""
    return f"{head}{middle}/{resource.plural}/{{name}}"


def _group(name: str, version: str) -> Obj:
    offered = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [offered], "preferredVersion": offered}


def _entries(resource: Resource) -> list[Obj]:
    whole: Obj = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.is_namespaced,
        "kind": resource.kind,
        "verbs": VERBS,
        "shortNames": list(resource.short_names),
    }
    if resource.categories:
        whole["categories"] = list(resource.categories)
    entries = [whole]
    if resource.has_status:
        entries.append(_part(resource, "status", ["get", "patch", "update"]))
    for name in resource.subresources:
        part = _part(resource, name, ["get"] if name == "log" else ["get", "patch", "update"])
        if name == "scale":
            part |= {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        entries.append(part)
    return entries


def _part(resource: Resource, name: str, verbs: list[str]) -> Obj:
    return {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.is_namespaced,
        "kind": resource.kind,
        "verbs": verbs,
    }
