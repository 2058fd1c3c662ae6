"""What changed about an object of which only the keys are known, a Secret. Pure.

Values are never seen, so "changed" means that a manager wrote: a new time at the key, or a new
version whose last write owns it. Who owns several keys may have changed any of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from copilot.domain.change import Change, FieldChange, NamedKey, NamedKeys, ObjectVersion
from copilot.domain.secrets import MASK
from copilot.ingest.changes import change_of

MOST_NAMED = 5


def named_change(
    before: ObjectVersion | None, after: ObjectVersion, *, is_new: bool
) -> Change | None:
    """What people would call the change; None where there is none, or only of its metadata.

    `is_new` says that an object without an earlier version was just made, and not just first
    looked at.
    """
    what = f"{after.object.kind} {after.object.name}"
    if after.is_deleted:
        is_news = before is not None and not before.is_deleted
        return change_of(after, (), f"{what} deleted") if is_news else None
    if before is None:
        return change_of(after, (), f"{what} created") if is_new else None
    older, newer = (msgspec.json.decode(v.json, type=NamedKeys) for v in (before, after))
    was = {key.name: key for key in older.keys}
    added = [key for key in newer.keys if key.name not in was]
    now = {key.name for key in newer.keys}
    removed = [key for key in older.keys if key.name not in now]
    written = [key for key in newer.keys if key.name in was and was[key.name] != key]
    if not (added or removed or written) and before.resource_version != after.resource_version:
        # Times are whole seconds: twice within one shows in the version alone.
        written = [key for key in newer.keys if key.name in newer.last_keys]
    fields = (
        *(FieldChange(path=f"data.{key.name}", before=None, after=_by(key)) for key in added),
        *(FieldChange(path=f"data.{key.name}", before=_text(MASK), after=None) for key in removed),
        *(
            FieldChange(path=f"data.{key.name}", before=_text(MASK), after=_by(key))
            for key in written
        ),
    )
    if not fields:
        return None
    parts = [
        *([f"{_named(written, 'or')}"] if written else []),
        *([f"{_named(added, 'and')} added"] if added else []),
        *([f"{_named(removed, 'and')} removed"] if removed else []),
    ]
    return change_of(after, fields, f"{what} changed: {', '.join(parts)}")


def _named(keys: Sequence[NamedKey], joint: str) -> str:
    """`key a`, `keys a and b`, `keys a, b, c, d, e and 3 more`."""
    names = [key.name for key in keys]
    if len(names) == 1:
        return f"key {names[0]}"
    if len(names) > MOST_NAMED:
        names = [*names[:MOST_NAMED], f"{len(names) - MOST_NAMED} more"]
    return f"keys {', '.join(names[:-1])} {joint} {names[-1]}"


def _by(key: NamedKey) -> str:
    """JSON text that tells a write from the one before, and no value."""
    return _text(f"{MASK} (written by {key.by or 'somebody'}, {key.at})")


def _text(value: str) -> str:
    return msgspec.json.encode(value).decode()
