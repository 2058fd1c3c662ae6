"""That a Secret changed, and which keys, without a value."""

from __future__ import annotations

import msgspec

from copilot.domain.change import Change, NamedKey, NamedKeys, NamedMetadata, ObjectVersion
from copilot.domain.objects import ObjectRef
from copilot.ingest.named_changes import named_change

OLD, NEW = "2026-11-27T10:00:00Z", "2026-11-27T11:00:00Z"
Written = dict[str, tuple[str, str]]
"""By key: who and when."""


def a_secret(
    keys: Written, *, version: str = "1", last: tuple[str, ...] = (), is_deleted: bool = False
) -> ObjectVersion:
    metadata = NamedMetadata(name="db", namespace="shop", uid="u1", resource_version=version)
    kept = NamedKeys(
        kind="Secret",
        api_version="v1",
        metadata=metadata,
        keys=tuple(NamedKey(name=name, by=by, at=at) for name, (by, at) in keys.items()),
        last_keys=last,
    )
    return ObjectVersion(
        cluster="dev",
        object=ObjectRef(kind="Secret", namespace="shop", name="db", uid="u1"),
        resource_version=version,
        generation=0,
        owner_uid="",
        actor="kubectl-edit",
        seen_us=1,
        is_deleted=is_deleted,
        json=msgspec.json.encode(kept),
    )


def changed(before: Written, after: Written, *, last: tuple[str, ...] = ()) -> Change | None:
    return named_change(
        a_secret(before, version="1"), a_secret(after, version="2", last=last), is_new=True
    )


def title(change: Change | None) -> str:
    return change.title if change else ""


def test_a_key_that_was_written_is_named() -> None:
    change = changed(
        {"password": ("helm", OLD), "user": ("helm", OLD)},
        {"password": ("kubectl-edit", NEW), "user": ("helm", OLD)},
    )

    assert title(change) == "Secret db changed: key password"
    assert change is not None
    assert [(f.path, f.before) for f in change.fields] == [("data.password", '"***"')]
    assert change.actor == "kubectl-edit"


def test_who_owns_several_keys_may_have_changed_any() -> None:
    change = changed(
        {"a": ("helm", OLD), "b": ("helm", OLD)}, {"a": ("helm", NEW), "b": ("helm", NEW)}
    )

    assert title(change) == "Secret db changed: keys a or b"


def test_keys_that_came_and_went_are_named() -> None:
    change = changed({"a": ("x", OLD), "old": ("x", OLD)}, {"a": ("x", OLD), "new": ("y", NEW)})

    assert title(change) == "Secret db changed: key new added, key old removed"


def test_a_second_write_within_the_same_second_shows_in_the_version() -> None:
    keys = {"password": ("kubectl-edit", NEW)}

    assert title(changed(keys, keys, last=("password",))) == "Secret db changed: key password"


def test_a_label_is_no_change_of_a_secret() -> None:
    keys = {"password": ("helm", OLD)}

    assert changed(keys, keys, last=()) is None


def test_the_same_version_again_is_no_change() -> None:
    secret = a_secret({"password": ("helm", OLD)}, last=("password",))

    assert named_change(secret, secret, is_new=True) is None


def test_many_keys_are_counted() -> None:
    keys = {f"k{n}": ("helm", OLD) for n in range(8)}

    assert title(changed({}, keys)) == "Secret db changed: keys k0, k1, k2, k3, k4 and 3 more added"


def test_made_and_deleted_are_changes_and_first_seen_is_none() -> None:
    secret, gone = a_secret({}), a_secret({}, is_deleted=True)

    assert title(named_change(None, secret, is_new=True)) == "Secret db created"
    assert named_change(None, secret, is_new=False) is None
    assert title(named_change(secret, gone, is_new=True)) == "Secret db deleted"
    assert named_change(gone, gone, is_new=True) is None
