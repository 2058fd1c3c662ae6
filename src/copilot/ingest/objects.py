"""Kubernetes objects as they may be kept: without the secrets that people put into them.

Environment values, arguments and ConfigMap data are written by people, and people paste passwords.
"""

from __future__ import annotations

import msgspec

from copilot.domain.change import ObjectVersion
from copilot.domain.secrets import masked_fields

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
    inside = {key: value for key, value in tree.items() if key not in _OUTSIDE}
    masked = {**tree, **masked_fields(inside)}
    if masked == tree:
        return version
    return msgspec.structs.replace(version, json=msgspec.json.encode(masked))
