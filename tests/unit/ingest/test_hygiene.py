"""The rules of `docs/lines.md`: what is kept of lines that are odd."""

from __future__ import annotations

import json

import pytest

from copilot.domain.event import Batch
from copilot.ingest import normalise
from copilot.ingest.doors import Door, decode

NOW_US = 1_795_000_000_000_000
HOUR_US = 3600 * 1_000_000
PLACE = {"namespace_name": "demo", "pod_name": "web-1", "container_name": "app"}


def taken(*records: dict[str, object], raw: bytes = b"") -> Batch:
    """What is kept of these records of Fluent Bit's."""
    body = raw or json.dumps([{"kubernetes": PLACE, **record} for record in records]).encode()
    headers = {"content-type": "application/json"}
    return decode(Door.INGEST, body, headers, sender="s", received_us=NOW_US)


def a_line(log: str, at_us: int = NOW_US) -> dict[str, object]:
    return {"log": log, "time": at_us / 1_000_000}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param("a\0b \x1b[31mred", "a\0b \x1b[31mred", id="control characters"),
        pytest.param("größe 🔥 ok", "größe 🔥 ok", id="beyond ASCII"),
        pytest.param("password=hunter2 for bob", "password=*** for bob", id="a secret"),
        pytest.param("x" * (1 << 20), "x" * (1 << 20), id="1 MiB"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_line_is_kept_as_it_was(sent: str, kept: str) -> None:
    assert taken(a_line(sent), a_line("ordinary 1")).lines.body == [kept, "ordinary 1"]


def test_a_line_of_more_than_a_mebibyte_is_cut_and_says_so() -> None:
    [body] = taken(a_line("x" * (normalise.MAX_LINE_CHARS + 5))).lines.body

    assert body.startswith("x" * normalise.MAX_LINE_CHARS + " … [cut: the line had 1,048,581")


def test_bytes_that_are_no_text_are_replaced_in_their_line_only() -> None:
    body = json.dumps([{"kubernetes": PLACE, **a_line("bad _ byte")}, a_line("good")]).encode()

    batch = taken(raw=body.replace(b"_ byte", b"\xff byte"))

    assert batch.lines.body == ["bad \ufffd byte", "good"]


@pytest.mark.parametrize(
    "offset_us",
    [
        pytest.param(0, id="now"),
        pytest.param(HOUR_US, id="an hour ahead"),
        pytest.param(-30 * 24 * HOUR_US, id="a month late"),
        pytest.param(normalise.YEAR_2000_US - NOW_US, id="of the year 2000"),
    ],
)
def test_a_time_that_can_be_is_kept(offset_us: int) -> None:
    batch = taken(a_line("x", NOW_US + offset_us))

    assert batch.lines.ts_us == [NOW_US + offset_us]
    assert batch.notes == []


@pytest.mark.parametrize(
    "at_us",
    [
        pytest.param(NOW_US + HOUR_US + 1_000_000, id="over an hour ahead"),
        pytest.param(NOW_US * 2, id="far in the future"),
        pytest.param(normalise.YEAR_2000_US - 1_000_000, id="before the year 2000"),
    ],
)
def test_a_time_that_cannot_be_becomes_that_of_receipt_and_is_named(at_us: int) -> None:
    batch = taken(a_line("x", at_us), a_line("y"))

    assert batch.lines.ts_us == [NOW_US, NOW_US]
    assert len(batch.notes) == 1


def test_a_record_that_cannot_be_read_does_not_fail_its_batch() -> None:
    batch = taken(a_line("one"), {"log": 17}, a_line("two"))

    assert batch.lines.body[0] == "one"
    assert batch.lines.body[-1] == "two"
    assert len(batch.lines) + len(batch.set_aside) == 3
