"""What the store's database can do, in the words of who operates it. Pure; nothing here asks it."""

from __future__ import annotations

import re

from copilot.ports import Capabilities
from copilot.roles.views import Ability, AbilityView, DatabaseView

_TIDB = re.compile(r"TiDB-v?(\S+)")
_NUMBERS = re.compile(r"\d+(?:\.\d+)+")


def database_view(able: Capabilities) -> DatabaseView:
    """What it is, what of it is used, and what stands in for the rest."""
    return DatabaseView(
        product=able.kind,
        version=_version(able.version),
        abilities=[
            _vectors(able),
            _vector_index(able),
            _full_text(able),
            _partitions(able),
            _scattered_keys(able),
        ],
    )


def _version(said: str) -> str:
    """Its maker's number: a TiDB says first which MySQL it is like, others which build they are."""
    if found := _TIDB.search(said):
        return found[1]
    found = _NUMBERS.match(said)
    return found[0] if found else said


def _vectors(able: Capabilities) -> AbilityView:
    if able.vector_type:
        return _view(
            "Vectors", Ability.USED, "Texts are compared by meaning in the database, exactly."
        )
    return _view(
        "Vectors",
        Ability.MISSING,
        "Texts are compared by meaning in the co-pilot instead, exactly.",
    )


def _vector_index(able: Capabilities) -> AbilityView:
    if able.vector_index:
        return _view(
            "Vector index",
            Ability.USED,
            "Narrows down what is compared from 100,000 texts on; the comparison is exact.",
        )
    where = "in the database" if able.vector_type else "in the co-pilot"
    return _view("Vector index", Ability.MISSING, f"Every text is compared {where} instead.")


def _full_text(able: Capabilities) -> AbilityView:
    if able.kind == "SQLite":
        return _view("Full text", Ability.USED, "Finds events by their words.")
    if able.full_text or able.kind != "TiDB":  # MariaDB and MySQL have one, which is never asked
        return _view(
            "Full text",
            Ability.UNUSED,
            "It cuts texts into other words; the co-pilot's own word index finds the same on "
            "every database.",
        )
    return _view(
        "Full text", Ability.MISSING, "Events are found by the co-pilot's own word index instead."
    )


def _partitions(able: Capabilities) -> AbilityView:
    if able.partitions:
        return _view("Partitions by day", Ability.USED, "Old events and spans go by whole days.")
    return _view(
        "Partitions by day", Ability.MISSING, "Old events and spans are deleted in batches instead."
    )


def _scattered_keys(able: Capabilities) -> AbilityView:
    name = "Scattered keys"
    if able.auto_random:
        about = "AUTO_RANDOM spreads new rows over all storage nodes."
        return _view(name, Ability.USED, about)
    if able.kind == "TiDB":
        about = "Without AUTO_RANDOM keys count up instead; one storage node takes all new rows."
        return _view(name, Ability.MISSING, about)
    return _view(name, Ability.UNNEEDED, "New rows all lie in one place; their keys count up.")


def _view(name: str, state: Ability, about: str) -> AbilityView:
    return AbilityView(name=name, state=state, about=about)
