"""Two releases that follow one another run side by side: each understands what the other sends."""

from __future__ import annotations

import gzip
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from copilot.domain.action import ChaosMemory
from copilot.domain.alert import Alert
from copilot.domain.case import Case
from copilot.domain.hypothesis import Findings
from copilot.domain.notification import Delivery, Notification
from copilot.domain.proposal import Applied, Proposal, Verification
from copilot.domain.pull_request import Delivery as GitDelivery
from copilot.domain.runbook import RunbookMatch
from copilot.remote.agents import LIMITS_S
from copilot.remote.wire import Consulted, ContextRequest, Explained
from tests.unit.remote.recording import FOLDER

CROSSES: dict[str, Any] = {
    "context.question": ContextRequest,
    "context.answer": Case,
    "hypothesis.question": Case,
    "hypothesis.answer": Findings,
    "consult.question": Case,
    "consult.answer": Consulted,
    "suggest.question": Explained,
    "suggest.answer": tuple[RunbookMatch, ...],
    "propose.question": Explained,
    "propose.answer": tuple[Proposal, ...],
    "recheck.question": Proposal,
    "recheck.answer": Proposal,
    "chaos.question": ChaosMemory,
    "chaos.answer": Applied,
    "notify.question": Notification,
    "notify.answer": tuple[Delivery, str],
}
STORED = (Alert, Verification, GitDelivery)
"""What other processes read out of the store, beside what crosses over HTTP as well."""

NEWER = "field_of_the_release_after_this"


def body(name: str) -> bytes:
    return gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes())


def with_unknown(value: Any, kind: inspect.Type) -> Any:
    """The same JSON as a newer release would send it: every object has one field more."""
    match value, kind:
        case dict(), inspect.StructType() | inspect.DataclassType():
            known = {field.encode_name: field.type for field in kind.fields}
            inside = {k: with_unknown(v, known[k]) if k in known else v for k, v in value.items()}
            return {**inside, NEWER: {"so": ["much", "more"]}}
        case dict(), inspect.DictType():
            return {key: with_unknown(one, kind.value_type) for key, one in value.items()}
        case list(), inspect.VarTupleType() | inspect.ListType():
            return [with_unknown(one, kind.item_type) for one in value]
        case list(), inspect.TupleType():
            return [with_unknown(*pair) for pair in zip(value, kind.item_types, strict=True)]
        case _, inspect.UnionType():
            return with_unknown(value, _of_union(value, kind))
        case _:
            return value


def _of_union(value: Any, kind: inspect.UnionType) -> inspect.Type:
    for one in kind.types:
        if isinstance(value, dict) and isinstance(one, inspect.DataclassType):
            return one
        if (
            isinstance(value, dict)
            and isinstance(one, inspect.StructType)
            and (one.tag is None or value.get(one.tag_field) == one.tag)
        ):
            return one
        if isinstance(value, list) and isinstance(one, inspect.VarTupleType | inspect.ListType):
            return one
    return inspect.AnyType()


def test_every_question_and_answer_is_recorded() -> None:
    recorded = {path.name.removesuffix(".json.gz") for path in FOLDER.glob("*.gz")}

    assert recorded == {*CROSSES}
    assert {name.partition(".")[0] for name in CROSSES} == {p.strip("/") for p in LIMITS_S}


@pytest.mark.parametrize("name", CROSSES)
def test_what_the_release_before_sends_is_understood(name: str) -> None:
    """A new field has a default; a field that is asked for is not taken away in one release."""
    msgspec.json.decode(body(name), type=CROSSES[name])


@pytest.mark.parametrize("name", CROSSES)
def test_fields_of_the_release_after_are_ignored(name: str) -> None:
    kind = CROSSES[name]
    value = msgspec.json.decode(body(name))
    newer = msgspec.json.encode(with_unknown(value, inspect.type_info(kind)))

    assert newer.count(NEWER.encode()) > 0 or isinstance(value, list)
    assert msgspec.json.decode(newer, type=kind) == msgspec.json.decode(body(name), type=kind)


@pytest.mark.parametrize("kind", [*CROSSES.values(), *STORED], ids=str)
def test_nothing_that_crosses_refuses_what_it_does_not_know(kind: Any) -> None:
    seen: list[type] = []
    waiting: list[Any] = [inspect.type_info(kind)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, inspect.StructType | inspect.DataclassType):
            if one.cls in seen:
                continue
            seen.append(one.cls)
            waiting += [field.type for field in one.fields]
            assert not getattr(one, "forbid_unknown_fields", False), one.cls
        for part in ("item_type", "key_type", "value_type"):
            waiting += [getattr(one, part)] if hasattr(one, part) else []
        waiting += [*getattr(one, "types", ()), *getattr(one, "item_types", ())]
    assert seen or kind == tuple[Delivery, str]
