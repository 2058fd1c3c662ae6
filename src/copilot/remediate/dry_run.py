"""What the cluster itself says to a patch before anybody decides."""

from __future__ import annotations

import difflib
from collections.abc import Callable

import yaml

from copilot.domain.errors import BadInput, Conflict, NotFound, Refused
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import DryRun
from copilot.domain.secrets import mask_value, masked_fields
from copilot.ports import Cluster
from copilot.remediate.marks import PREFIX
from copilot.remediate.tree import Fields, decode, fields_at

_NOISE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MESSAGE_CHARS = 500


async def dry_run(
    target: ObjectRef, patch: str, live: bytes, cluster: Cluster, *, field_manager: str
) -> DryRun:
    """The cluster's answer to the very patch with `dryRun=All`, and what would change as a diff.

    Raises:
        Unavailable, Busy: the cluster does not answer; nothing is known then.
    """
    try:
        after = await cluster.patch(target, patch, dry_run=True, field_manager=field_manager)
    except (BadInput, Refused, Conflict, NotFound) as error:
        return DryRun(accepted=False, message=brief(error.message), diff="")
    return DryRun(accepted=True, message="accepted by the cluster", diff=diff_of(live, after))


def diff_of(before: bytes, after: bytes) -> str:
    """Unified diff of the two objects' YAML, without status and what the server keeps for itself;
    empty where nothing that people set would change. Secrets are masked: a new one shows as such.
    """
    there: set[str] = set()

    def now(name: str, value: str) -> str:
        masked = mask_value(name, value)
        if masked != value:
            there.add(value)
        return masked

    def then(name: str, value: str) -> str:
        masked = mask_value(name, value)
        return masked if masked == value or value in there else f"{masked} (another)"

    was, will = (_yaml(body, m).splitlines() for body, m in ((before, now), (after, then)))
    return "\n".join(difflib.unified_diff(was, will, "now", "after", lineterm="", n=3))


def brief(message: str) -> str:
    """A cluster's message, short enough to read: a strict 422 quotes the whole object."""
    if len(message) <= _MESSAGE_CHARS:
        return message
    return f"{message[:160]} … {message[-(_MESSAGE_CHARS - 160) :]}"


def as_yaml(body: bytes | str) -> str:
    """An object's JSON for people, without status, what the server keeps for itself, our own marks
    and secrets."""
    return _yaml(body, mask_value)


def _yaml(body: bytes | str, masked: Callable[[str, str], str]) -> str:
    tree = decode(body)
    if not tree:
        return ""
    shown = masked_fields({**_readable(tree)}, masked)
    text: str = yaml.safe_dump(shown, sort_keys=True, allow_unicode=True, width=1000)
    return text


def _readable(tree: Fields) -> Fields:
    metadata = {k: v for k, v in fields_at(tree, "metadata").items() if k not in _NOISE}
    annotations = {
        key: value
        for key, value in fields_at(metadata, "annotations").items()
        if key != _LAST_APPLIED and not key.startswith(PREFIX)
    }
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = dict(annotations)
    kept = {key: value for key, value in tree.items() if key != "status"}
    return {**kept, "metadata": metadata}
