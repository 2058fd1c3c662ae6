"""Lists in pages: `limit` and `continue`."""

from __future__ import annotations

import base64
import binascii
import json

from copilot.demo import failures
from copilot.demo.kinds import Obj


def page(
    objects: list[Obj], limit: int, token: str, version: int, oldest: int
) -> tuple[list[Obj], Obj]:
    """The next items and the metadata of their list; no limit is 0.

    The pages after the first show what there is now, at the version of the first: a watch from
    there tells whatever has changed since.

    Raises:
        ApiFailure: 400 for a token that is not ours, 410 for one that is too old.
    """
    start: tuple[str, str] | None = None
    if token:
        version, start = _read(token)
        if version < oldest:
            raise failures.ApiFailure(
                410,
                "Expired",
                "The provided continue parameter is too old to display a consistent list result. "
                "You can start a new list without the continue parameter.",
            )
    left = [obj for obj in objects if start is None or _key(obj) > start]
    items = left[:limit] if limit else left
    metadata: Obj = {"resourceVersion": str(version)}
    n_remaining = len(left) - len(items)
    if n_remaining:
        metadata |= {"continue": _token(version, items[-1]), "remainingItemCount": n_remaining}
    return items, metadata


def _key(obj: Obj) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _token(version: int, last: Obj) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": _key(last)})
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read(token: str) -> tuple[int, tuple[str, str]]:
    try:
        held = json.loads(base64.urlsafe_b64decode(token))
        namespace, name = held["start"]
        return int(held["rv"]), (str(namespace), str(name))
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise failures.bad_request(f"continue key is not valid: {error}") from None
