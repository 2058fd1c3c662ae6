"""The way of a write: decode, defaults, rules, version check, ownership; then kept, or only shown.

A dry run goes the whole way and keeps nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from copilot.demo import failures
from copilot.demo.defaults import with_defaults
from copilot.demo.failures import FieldProblem
from copilot.demo.kinds import (
    EVENT,
    NAMESPACE,
    NOTHING_COUNTED,
    POD,
    SERVICE,
    Obj,
    Resource,
)
from copilot.demo.ownership import managed
from copilot.demo.patch import json_patch, merge, strategic_merge
from copilot.demo.schema import QUANTITY, Misfit, misfit
from copilot.demo.times import SECOND_US, to_second
from copilot.demo.validate import problems
from copilot.demo.world import World

NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""The letters of generated names: no vowels, so that no words come out."""

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"

_KEPT_METADATA = (
    "namespace",
    "uid",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "generateName",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a write is meant: by whom, only for show, and how strict with unknown fields."""

    manager: str
    is_dry_run: bool = False
    is_strict: bool = False


def create(world: World, resource: Resource, namespace: str, body: Obj, terms: Terms) -> Obj:
    """The new object.

    Raises:
        ApiFailure: 400, 403 where none of the kind can live here, 404 for its namespace, 409, 422.
    """
    _refuse_other_kind(resource, body)
    _fit_body(resource, body, terms)
    _refuse_lifeless(resource, body)
    obj = _named(world, resource, namespace, _bare(body))
    if resource.has_status and resource is not NAMESPACE:
        obj["status"] = _status_at_birth(resource)
    obj = with_defaults(resource, obj)
    _refuse_problems(resource, obj, None)
    _refuse_missing_namespace(world, resource, namespace)
    if resource is SERVICE:
        obj = _with_address(world, obj)
    obj = _owned(world, resource, None, obj, terms)
    if terms.is_dry_run:
        if world.find(resource, namespace, obj["metadata"]["name"]):
            raise failures.exists(resource, obj["metadata"]["name"])
        return world.born(resource, obj)
    return world.add(resource, obj)


def replace(
    world: World, resource: Resource, before: Obj, body: Obj, terms: Terms, subresource: str = ""
) -> Obj:
    """The object as `body` has it (`PUT`).

    Raises:
        ApiFailure: 400, 409, 422.
    """
    _refuse_other_kind(resource, body)
    _fit_body(resource, body, terms)
    return _update(world, resource, before, _bare(body), terms, subresource)


def apply_patch(
    world: World,
    resource: Resource,
    before: Obj,
    content_type: str,
    body: bytes,
    terms: Terms,
    subresource: str = "",
) -> Obj:
    """The object with the patch.

    Raises:
        ApiFailure: 400, 409, 415, 422, 500.
    """
    after, told = patched(resource.render(before), content_type, body)
    _refuse_misfit(misfit(resource, after), told, terms)
    return _update(world, resource, before, _bare(after), terms, subresource)


def patched(current: Obj, content_type: str, body: bytes) -> tuple[Obj, str]:
    """The patched value, and how an error would quote what was sent."""
    if content_type not in (STRATEGIC, MERGE, JSON):
        raise failures.unsupported()
    patch = decode(body)
    if content_type == JSON:
        if not isinstance(patch, list):
            raise failures.bad_request("json: cannot unmarshal object into Go value of type Patch")
        after = json_patch(current, patch)
        return after, json.dumps(after, separators=(",", ":"))
    if not isinstance(patch, dict):
        raise failures.bad_request("json: cannot unmarshal array into Go value of type map")
    if content_type == MERGE:
        after = merge(current, patch)
        return after, json.dumps(after, separators=(",", ":"))
    return strategic_merge(current, patch, str(current.get("kind", ""))), _go_map(patch)


def decode(body: bytes) -> Any:
    """JSON to a value.

    Raises:
        ApiFailure: 400.
    """
    try:
        return json.loads(body)
    except ValueError as error:
        raise failures.bad_request(f"invalid character in body: {error}") from None


def delete(world: World, resource: Resource, obj: Obj, options: Obj, terms: Terms) -> Obj:
    """What to answer: the object where it goes gracefully, else a `Status`.

    Raises:
        ApiFailure: 409, a precondition does not hold.
    """
    metadata = obj["metadata"]
    for field, known in (
        ("uid", metadata["uid"]),
        ("resourceVersion", metadata["resourceVersion"]),
    ):
        wanted = (options.get("preconditions") or {}).get(field)
        if wanted not in (None, known):
            raise failures.precondition(resource, metadata["name"], field, wanted, known)
    if resource in (POD, NAMESPACE):
        return resource.render(_begin_deletion(world, resource, obj, options, terms))
    if not terms.is_dry_run:
        world.remove(resource, obj)
    if resource.is_told_when_deleted:
        return resource.render(obj)
    details = {"name": metadata["name"], "kind": resource.plural, "uid": metadata["uid"]}
    if resource.group:
        details["group"] = resource.group
    head = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    return {**head, "status": "Success", "details": details}


def delete_pod(world: World, pod: Obj) -> None:
    """Let a pod go with its own grace, as a controller does; harmless the second time."""
    _begin_deletion(world, POD, pod, {}, Terms(manager=""))


def scale_of(resource: Resource, obj: Obj) -> Obj:
    """The `autoscaling/v1` Scale of a workload."""
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = (obj["spec"].get("selector") or {}).get("matchLabels") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: obj["metadata"][name] for name in kept},
        "spec": {"replicas": obj["spec"]["replicas"]},
        "status": {
            "replicas": (obj.get("status") or {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }


def set_scale(world: World, resource: Resource, before: Obj, scale: Obj, terms: Terms) -> Obj:
    """The Scale after its replicas were written.

    Raises:
        ApiFailure: 409, 422.
    """
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        message = f"Invalid value: {json.dumps(replicas)}: must be greater than or equal to 0"
        problem = FieldProblem(field="spec.replicas", message=message)
        raise failures.invalid(resource, before["metadata"]["name"], [problem])
    wanted = (scale.get("metadata") or {}).get("resourceVersion", "")
    metadata = {**before["metadata"], "resourceVersion": wanted}
    after = {**before, "metadata": metadata, "spec": {**before["spec"], "replicas": replicas}}
    return scale_of(resource, _update(world, resource, before, after, terms, "scale"))


# ------------------------------------------------------------------ steps of a write


def _update(
    world: World, resource: Resource, before: Obj, after: Obj, terms: Terms, subresource: str
) -> Obj:
    name = before["metadata"]["name"]
    metadata = after.get("metadata") or {}
    if metadata.get("name", name) != name:
        raise failures.bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL "
            f"({name})"
        )
    if metadata.get("resourceVersion") not in (None, "", before["metadata"]["resourceVersion"]):
        raise failures.conflict(resource, name)
    merged = with_defaults(resource, _kept(before, after, subresource))
    _refuse_problems(resource, merged, before)
    if merged == before:
        return before
    if merged.get("spec") != before.get("spec") and resource.has_generation:
        merged["metadata"]["generation"] = before["metadata"]["generation"] + 1
    merged = _owned(world, resource, before, merged, terms, subresource)
    if terms.is_dry_run:
        return merged
    return world.put(resource, merged)


def _kept(before: Obj, after: Obj, subresource: str) -> Obj:
    """`after` with what a client may not change: identity, and status or all but status."""
    held = before["metadata"]
    metadata = {**(after.get("metadata") or {}), "name": held["name"]}
    wanted_uid = metadata.get("uid")
    for name in _KEPT_METADATA:
        metadata.pop(name, None)
        if name in held:
            metadata[name] = held[name]
    if wanted_uid is not None:
        metadata["uid"] = wanted_uid  # the rules refuse another one
    metadata["resourceVersion"] = held["resourceVersion"]
    metadata = {name: value for name, value in metadata.items() if value not in (None, {}, [])}
    if subresource == "status":
        return {**before, "metadata": metadata, "status": after.get("status") or {}}
    result = {**after, "metadata": metadata}
    if "status" in before:
        result["status"] = before["status"]
    return result


def _named(world: World, resource: Resource, namespace: str, obj: Obj) -> Obj:
    metadata = dict(obj.get("metadata") or {})
    if metadata.get("namespace", namespace) != namespace:
        raise failures.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + suffix(world)
    if not metadata.get("name"):
        problem = FieldProblem(
            field="metadata.name",
            message="Required value: name or generateName is required",
            reason="FieldValueRequired",
        )
        raise failures.invalid(resource, "", [problem])
    for name in ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"):
        metadata.pop(name, None)
    if resource.is_namespaced:
        metadata["namespace"] = namespace
    return {**obj, "metadata": metadata}


def suffix(world: World) -> str:
    """Five letters that make a generated name unique."""
    return "".join(world.chance.choices(NAME_LETTERS, k=5))


def _owned(
    world: World,
    resource: Resource,
    before: Obj | None,
    after: Obj,
    terms: Terms,
    subresource: str = "",
) -> Obj:
    entries = managed(
        resource,
        before,
        after,
        manager=terms.manager,
        at=to_second(world.now_us()),
        subresource=subresource,
    )
    return {**after, "metadata": {**after["metadata"], "managedFields": entries}}


def _begin_deletion(world: World, resource: Resource, obj: Obj, options: Obj, terms: Terms) -> Obj:
    """A pod that runs and a namespace with something in it go in their own time."""
    if resource is POD:
        grace = options.get("gracePeriodSeconds")
        if grace is None:
            grace = obj["spec"].get("terminationGracePeriodSeconds", 30)
        is_running = bool(obj["spec"].get("nodeName"))
    else:
        grace, is_running = 0, True
    if not is_running or (resource is POD and grace == 0):
        if not terms.is_dry_run:
            world.remove(resource, obj)
        return obj
    if "deletionTimestamp" in obj["metadata"]:
        return obj
    metadata = {
        **obj["metadata"],
        "deletionTimestamp": to_second(world.now_us() + grace * SECOND_US),
    }
    marked = {**obj, "metadata": metadata}
    if resource is POD:
        metadata["deletionGracePeriodSeconds"] = grace
    else:
        marked["status"] = {**obj["status"], "phase": "Terminating"}
    return marked if terms.is_dry_run else world.put(resource, marked)


def _status_at_birth(resource: Resource) -> Obj:
    match resource.kind:
        case "Pod":
            return {"phase": "Pending"}
        case "ReplicaSet":
            return {"replicas": 0}
        case "Service" | "Ingress":
            return {"loadBalancer": {}}
        case "PodDisruptionBudget":
            return dict(NOTHING_COUNTED)
        case _:
            return {}


def _with_address(world: World, obj: Obj) -> Obj:
    if obj["spec"].get("clusterIP"):
        return obj
    address = f"10.96.{world.chance.randint(0, 15)}.{world.chance.randint(2, 250)}"
    return {**obj, "spec": {**obj["spec"], "clusterIP": address, "clusterIPs": [address]}}


# ------------------------------------------------------------------ refusals


def _bare(body: Obj) -> Obj:
    return {name: value for name, value in body.items() if name not in ("kind", "apiVersion")}


def _refuse_other_kind(resource: Resource, body: Any) -> None:
    if not isinstance(body, dict):
        raise failures.bad_request("the body of the request is not an object")
    kind, version = body.get("kind", ""), body.get("apiVersion", "")
    if kind not in ("", resource.kind) or version not in ("", resource.api_version):
        group = resource.group or "core"
        raise failures.bad_request(
            f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a '
            f"{resource.kind}: converting ({version.replace('/', '.')}.{kind}) to "
            f"({group}.{resource.kind}): unknown conversion"
        )


def _refuse_lifeless(resource: Resource, body: Obj) -> None:
    """As admission would: kept, but dead, it would say things of the cluster that are not so."""
    if resource.refusal:
        name = (body.get("metadata") or {}).get("name", "")
        reason = f"the demo cluster {resource.refusal}"
        raise failures.forbidden(resource, str(name), reason)


def _fit_body(resource: Resource, body: Obj, terms: Terms) -> None:
    found = misfit(resource, body)
    head = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
    if found.wrong_type and found.wanted == "quantity":
        reason = f"quantities must match the regular expression '{QUANTITY.pattern}'"
        raise failures.bad_request(f"{head}: {reason}")
    if found.wrong_type:
        raise failures.bad_request(
            f"{head}: json: cannot unmarshal {found.got} into Go struct field "
            f"{resource.kind}.{found.wrong_type} of type {found.wanted}"
        )
    if found.unknown and terms.is_strict:
        raise failures.bad_request(f"{head}: {_unknown(found)}")
    _drop_strays(found)


def _refuse_misfit(found: Misfit, told: str, terms: Terms) -> None:
    if found.wrong_type and found.wanted == "quantity":
        reason = f"quantities must match the regular expression '{QUANTITY.pattern}'"
        raise failures.invalid_patch(told, reason)
    if found.wrong_type:
        raise failures.invalid_patch(told, f"unrecognized type: {found.wanted}")
    if found.unknown and terms.is_strict:
        raise failures.invalid_patch(told, _unknown(found))
    _drop_strays(found)


def _unknown(found: Misfit) -> str:
    told = ", ".join(f'unknown field "{field}"' for field in found.unknown)
    return f"strict decoding error: {told}"


def _drop_strays(found: Misfit) -> None:
    """Without strict validation a server forgets the fields that it does not know."""
    for holder, key in found.strays:
        holder.pop(key, None)


def _refuse_problems(resource: Resource, obj: Obj, before: Obj | None) -> None:
    found = problems(resource, obj, before)
    if found:
        raise failures.invalid(resource, obj["metadata"].get("name", ""), found)


def _refuse_missing_namespace(world: World, resource: Resource, namespace: str) -> None:
    if not resource.is_namespaced:
        return
    held = world.get(NAMESPACE, "", namespace)
    if held["status"]["phase"] == "Terminating" and resource is not EVENT:
        raise failures.ApiFailure(
            403,
            "Forbidden",
            f"unable to create new content in namespace {namespace} because it is being terminated",
        )


def _go_map(value: Any) -> str:
    """As Go prints a map: a real server quotes a strategic merge patch in this form."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{k}:{_go_map(v)}' for k, v in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(_go_map(item) for item in value)}]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
