"""Kubernetes objects as they may be kept: without the secrets that people put into them.

Environment values, arguments and ConfigMap data are written by people, and people paste passwords.
"""

from __future__ import annotations

import msgspec

from copilot.domain.change import ObjectVersion
from copilot.ingest.secrets import mask, mask_value

_OUTSIDE = ("status", "kind", "apiVersion")
"""Written by the cluster; left as they are."""


def without_secrets(version: ObjectVersion) -> ObjectVersion:
    """The version with every secret in its JSON masked; the same one where there is none.

    Only what people wrote is looked at; metadata's own fields stay, labels and annotations are
    looked at too.
    """
    tree = msgspec.json.decode(version.json)
    if not isinstance(tree, dict):
        return version
    masked = {k: v if k in _OUTSIDE else _masked(k, v) for k, v in tree.items()}
    if masked == tree:
        return version
    return msgspec.structs.replace(version, json=msgspec.json.encode(masked))


def _masked(name: str, value: object) -> object:
    if isinstance(value, str):
        return mask_value(name, value)
    if isinstance(value, list):
        return [mask(item) if isinstance(item, str) else _masked(name, item) for item in value]
    if isinstance(value, dict):
        return _masked_fields(value)
    return value


def _masked_fields(fields: dict[str, object]) -> dict[str, object]:
    """An environment variable is judged by its own name, everything else by its key."""
    named, held = fields.get("name"), fields.get("value")
    masked = {key: _masked(key, value) for key, value in fields.items()}
    if isinstance(named, str) and isinstance(held, str):
        masked["name"], masked["value"] = named, mask_value(named, held)
    return masked
