"""Answers that are not what was asked for: the `Status` bodies of a real API server, word for word.

ApiFailure
├── bad_request   400  the request itself makes no sense
├── unauthorized  401  no token, or not ours
├── forbidden     403  admission refuses it
├── not_found     404  no such object
├── no_such_path  404  no such resource
├── not_allowed   405  the resource has no such verb
├── conflict      409  the resourceVersion is not the newest
├── precondition  409  it is not the object or the version that was to be deleted
├── exists        409  there is one of that name
├── expired       410  the resourceVersion is no longer known
├── unsupported   415  no decoder for this content type
├── invalid       422  well formed, but a field is wrong: `details.causes[].field` says which
└── merge_failed  500  a list in a patch lacks its merge key (a real server says 500, too)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from copilot.demo.kinds import Obj, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One field that is wrong."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


class ApiFailure(Exception):
    """A request that fails; `body` is the `Status` to answer with."""

    def __init__(self, code: int, reason: str, message: str, details: Obj | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body = status_body(code, reason, message, details)


def status_body(code: int, reason: str, message: str, details: Obj | None = None) -> Obj:
    """The JSON of a failed `Status`."""
    body: Obj = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
    }
    if reason:
        body["reason"] = reason
    if details is not None:
        body["details"] = details
    return {**body, "code": code}


def bad_request(message: str) -> ApiFailure:
    return ApiFailure(400, "BadRequest", message)


def unauthorized() -> ApiFailure:
    return ApiFailure(401, "Unauthorized", "Unauthorized")


def forbidden(resource: Resource, name: str, reason: str) -> ApiFailure:
    message = f'{resource.qualified_plural} "{name}" is forbidden: {reason}'
    return ApiFailure(403, "Forbidden", message, _details(resource, name))


def not_found(resource: Resource, name: str) -> ApiFailure:
    message = f'{resource.qualified_plural} "{name}" not found'
    return ApiFailure(404, "NotFound", message, _details(resource, name))


def no_such_path() -> ApiFailure:
    message = "the server could not find the requested resource"
    return ApiFailure(404, "NotFound", message, {})


def not_allowed() -> ApiFailure:
    message = "the server does not allow this method on the requested resource"
    return ApiFailure(405, "MethodNotAllowed", message, {})


def conflict(resource: Resource, name: str) -> ApiFailure:
    message = (
        f'Operation cannot be fulfilled on {resource.qualified_plural} "{name}": the object has '
        "been modified; please apply your changes to the latest version and try again"
    )
    return ApiFailure(409, "Conflict", message, _details(resource, name))


def precondition(resource: Resource, name: str, field: str, wanted: str, known: str) -> ApiFailure:
    """The `uid` or `resourceVersion` that a deletion was to hold for is another one."""
    named, happened = {
        "uid": ("UID", "been deleted and then recreated"),
        "resourceVersion": ("ResourceVersion", "been modified"),
    }[field]
    message = (
        f'Operation cannot be fulfilled on {resource.qualified_kind} "{name}": the {named} in the '
        f"precondition ({wanted}) does not match the {named} in record ({known}). The object might "
        f"have {happened}"
    )
    return ApiFailure(
        409, "Conflict", message, {"name": name, **_group(resource), "kind": resource.kind}
    )


def exists(resource: Resource, name: str) -> ApiFailure:
    message = f'{resource.qualified_plural} "{name}" already exists'
    return ApiFailure(409, "AlreadyExists", message, _details(resource, name))


def expired(asked: int, oldest: int) -> ApiFailure:
    return ApiFailure(410, "Expired", f"too old resource version: {asked} ({oldest})")


def unsupported() -> ApiFailure:
    return ApiFailure(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def invalid(resource: Resource, name: str, problems: Sequence[FieldProblem]) -> ApiFailure:
    """422 naming every field that is wrong."""
    told = [f"{problem.field}: {problem.message}" for problem in problems]
    summary = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    details = {"name": name, **_group(resource), "kind": resource.kind}
    return ApiFailure(
        422,
        "Invalid",
        f'{resource.qualified_kind} "{name}" is invalid: {summary}',
        {**details, "causes": _causes(problems)},
    )


def invalid_options(kind: str, problem: FieldProblem) -> ApiFailure:
    """422 for a query parameter, as `PodLogOptions` or `PatchOptions`."""
    group = "" if kind == "PodLogOptions" else "meta.k8s.io"
    name = f"{kind}.{group}" if group else kind
    details = {**({"group": group} if group else {}), "kind": kind, "causes": _causes([problem])}
    message = f'{name} "" is invalid: {problem.field}: {problem.message}'
    return ApiFailure(422, "Invalid", message, details)


def invalid_patch(patch_text: str, message: str) -> ApiFailure:
    """422 for a patch that cannot become an object of its kind."""
    problem = FieldProblem(field="patch", message=f'Invalid value: "{patch_text}": {message}')
    return ApiFailure(
        422,
        "Invalid",
        f' "" is invalid: patch: {problem.message}',
        {"causes": _causes([problem])},
    )


def rejected_patch() -> ApiFailure:
    """422 for a JSON patch that does not apply: a real server says no more than this."""
    message = "the server rejected our request due to an error in our request"
    return ApiFailure(422, "Invalid", message, {})


def merge_failed(message: str) -> ApiFailure:
    return ApiFailure(500, "", message)


def _details(resource: Resource, name: str) -> Obj:
    return {"name": name, **_group(resource), "kind": resource.plural}


def _group(resource: Resource) -> Obj:
    return {"group": resource.group} if resource.group else {}


def _causes(problems: Sequence[FieldProblem]) -> list[Obj]:
    return [{"reason": p.reason, "message": p.message, "field": p.field} for p in problems]
