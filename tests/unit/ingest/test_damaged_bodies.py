"""Bodies that are cut off, mixed, hostile or garbage."""

import gzip
import json
import zlib

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.domain.errors import BadInput, TooLarge, UnknownFormat
from copilot.ingest import inflate as inflating
from copilot.ingest import normalise
from copilot.ingest.doors import Door
from copilot.ingest.sources import msgpack
from tests.builders_ingest import (
    JSON,
    LINES,
    MSGPACK,
    PROTOBUF,
    RECEIVED_US,
    a_record,
    all_recorded,
    as_json,
    decoded,
    recorded,
    take,
)


@pytest.mark.parametrize(
    "name",
    [
        "fluentbit/http_json_array_iso8601",
        "fluentbit/http_json_lines_epoch",
        "fluentbit/http_json_stream",
        "fluentbit/http_msgpack",
        "fluentbit/otlp_logs_whole_record",
        "fluentbit/http_json_lines_kmsg_oom",
        "fluentbit/http_kubernetes_events_list",
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.93])
def test_of_a_body_that_is_cut_off_the_records_before_the_cut_are_kept(
    name: str, share: float
) -> None:
    request, whole = recorded(name), decoded(name)
    cut = request.body[: int(len(request.body) * share)]

    batch = take(cut, request.headers, request.door)

    assert abs(batch.n_records - share * whole.n_records) <= 4
    home = [body for body in whole.lines.body if body in set(batch.lines.body)]
    assert batch.lines.body == home[: len(batch.lines)]
    assert len(batch.set_aside) == 1
    assert batch.set_aside[0].body


def test_of_a_gzip_body_that_is_cut_off_the_beginning_is_kept() -> None:
    # stored, not deflated, so that the cut falls somewhere in the middle of the records
    raw = recorded("fluentbit/http_json_array_iso8601").body
    body = gzip.compress(raw, compresslevel=0)[: len(raw) // 2]

    batch = take(body, JSON | {"Content-Encoding": "gzip"})

    assert 5 <= len(batch.lines) <= 8
    assert "ends early" in batch.set_aside[-1].reason


@pytest.mark.parametrize(
    ("headers", "glue"),
    [
        pytest.param(JSON, None, id="array"),
        pytest.param(JSON, b"", id="stream"),
        pytest.param(LINES, b"\n", id="lines"),
    ],
)
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b'{"log": nope}', id="broken"),
        pytest.param(b'{"kubernetes":{"pod_name":"x"}}', id="no-message"),
        pytest.param(b'{"date":NaN,"log":"x"}', id="not-a-number"),
        pytest.param(b'["log"]', id="not-a-map"),
        pytest.param(b'{"log":' + b"[" * 5000 + b"]" * 5000 + b"}", id="nested-too-deep"),
        pytest.param(
            b'{"kind":"Event","metadata":{},"involvedObject":{},"reason":"x"}', id="event-without-uid"
        ),
    ],
)  # fmt: skip
def test_one_bad_record_is_set_aside_and_never_fails_its_batch(
    headers: dict[str, str], glue: bytes | None, bad: bytes
) -> None:
    good = [msgspec.json.encode(a_record(f"line {n}")) for n in range(3)]
    records = [good[0], bad, good[1], good[2]]
    body = b"[" + b",".join(records) + b"]" if glue is None else glue.join(records)

    batch = take(body, headers)

    assert batch.lines.body == ["line 0", "line 1", "line 2"]
    assert len(batch.set_aside) == 1
    assert batch.set_aside[0].reason


def test_a_bad_chunk_of_msgpack_is_set_aside_alone() -> None:
    good = msgspec.msgpack.encode([[1795419425, {}], a_record("good")])
    bad = msgspec.msgpack.encode(["no time and record"])

    batch = take(good + bad + good, MSGPACK)

    assert batch.lines.body == ["good", "good"]
    assert batch.set_aside[0].reason == "not `[time, record]`"


@pytest.mark.parametrize("headers", [JSON, LINES])
def test_bytes_that_are_not_utf8_are_replaced_and_the_line_is_kept(headers: dict[str, str]) -> None:
    body = msgspec.json.encode(a_record("caf_ ok")).replace(b"caf_", b"caf\xe9")

    batch = take(body, headers)

    assert batch.lines.body == ["caf� ok"]
    assert batch.set_aside == []


def test_bytes_that_are_not_utf8_are_replaced_in_msgpack_too() -> None:
    record = a_record("caf_ ok")
    chunk = msgspec.msgpack.encode(
        [[msgspec.msgpack.Ext(0, bytes.fromhex("6b03eca51e78cbc0")), {}], record]
    )

    batch = take(chunk.replace(b"caf_", b"caf\xe9"), MSGPACK)

    assert batch.lines.body == ["caf� ok"]
    assert batch.lines.ts_us == [1_795_419_283_173_795]


@pytest.mark.parametrize(
    ("body", "headers", "door"),
    [
        pytest.param(b"", JSON, Door.INGEST, id="empty"),
        pytest.param(b"hello", JSON, Door.INGEST, id="text"),
        pytest.param(b"\x00\xff\xfe", LINES, Door.INGEST, id="binary"),
        pytest.param(b"\xc1\xc1\xc1", MSGPACK, Door.INGEST, id="not-msgpack"),
        pytest.param(b"{", JSON, Door.INGEST, id="opened"),
        pytest.param(b"[" * 100_000, JSON, Door.INGEST, id="nested-arrays"),
        pytest.param(b"\x91" * 100_000, MSGPACK, Door.INGEST, id="nested-msgpack"),
        pytest.param(b'{"a":' * 50_000, JSON, Door.OTLP_LOGS, id="nested-otlp-json"),
        pytest.param(b"not protobuf", PROTOBUF, Door.OTLP_LOGS, id="not-protobuf"),
        pytest.param(b"not protobuf", PROTOBUF, Door.OTLP_TRACES, id="no-traces"),
        pytest.param(b"not protobuf", PROTOBUF, Door.OTLP_METRICS, id="no-metrics"),
        pytest.param(b"[]", JSON, Door.OTLP_METRICS, id="otlp-json-array"),
        pytest.param(b"{}", JSON, Door.ALERTMANAGER, id="no-alerts"),
        pytest.param(b"hello", JSON | {"Content-Encoding": "gzip"}, Door.INGEST, id="not-gzip"),
    ],
)
def test_a_body_in_which_nothing_can_be_read_is_refused_with_a_reason(
    body: bytes, headers: dict[str, str], door: Door
) -> None:
    with pytest.raises(BadInput) as refusal:
        take(body, headers, door)

    assert refusal.value.status == 400
    assert len(refusal.value.message) > 15


@pytest.mark.parametrize(
    ("headers", "door"),
    [
        pytest.param({"Content-Type": "text/html"}, Door.INGEST, id="type"),
        pytest.param(JSON | {"Content-Encoding": "br"}, Door.INGEST, id="encoding"),
        pytest.param({"Content-Type": "text/plain"}, Door.OTLP_LOGS, id="otlp-type"),
    ],
)
def test_an_unknown_format_is_named(headers: dict[str, str], door: Door) -> None:
    with pytest.raises(UnknownFormat):
        take(as_json(a_record()), headers, door)


def test_an_empty_list_is_fine_and_holds_nothing() -> None:
    assert take(b"[]", JSON).n_records == 0
    assert take(b"", PROTOBUF, Door.OTLP_LOGS).n_records == 0


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_bomb_is_refused_while_it_is_inflated(encoding: str) -> None:
    size = inflating.MAX_INFLATED_BYTES + (1 << 20)
    plain = b"\0" * size
    bomb = {
        "gzip": lambda: gzip.compress(plain, compresslevel=1),
        "deflate": lambda: zlib.compress(plain, 1),
        "zstd": lambda: zstandard.compress(plain),
    }[encoding]()

    with pytest.raises(TooLarge, match="when inflated"):
        inflating.inflate(bomb, encoding)


def test_a_body_of_countless_empty_gzip_members_ends_soon() -> None:
    body = gzip.compress(b"", mtime=0) * 100_000

    with pytest.raises(BadInput, match="1000 gzip members"):
        inflating.inflate(body, "gzip")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_every_encoding_gives_back_what_went_in(encoding: str) -> None:
    plain = as_json(*(a_record(f"line {n}") for n in range(2000)))
    packed = {
        "gzip": lambda: gzip.compress(plain[:9000]) + gzip.compress(plain[9000:]),
        "deflate": lambda: zlib.compress(plain),
        "zstd": lambda: zstandard.compress(plain),
    }[encoding]()

    assert inflating.inflate(packed, encoding) == (plain, "")


def test_a_body_over_the_limit_is_refused() -> None:
    with pytest.raises(TooLarge):
        inflating.inflate(bytes(inflating.MAX_BODY_BYTES + 1), "")


def test_a_very_long_line_is_cut_with_a_mark() -> None:
    batch = take(as_json(a_record("x" * (normalise.MAX_LINE_CHARS + 5))), JSON)

    (body,) = batch.lines.body
    assert body.startswith("x" * normalise.MAX_LINE_CHARS)
    assert body.endswith("… [cut: the line had 1,048,581 characters]")


def test_set_aside_records_are_kept_up_to_a_bound_and_then_counted() -> None:
    n_bad = normalise.MAX_SET_ASIDE + 500
    body = b"\n".join([msgspec.json.encode(a_record()), *[b"{broken"] * n_bad])

    batch = take(body, LINES)

    assert len(batch.set_aside) == normalise.MAX_SET_ASIDE + 1
    assert batch.set_aside[-1].reason.startswith("500 more records of this body")


def test_more_records_than_the_bound_are_refused() -> None:
    batch = normalise.BatchBuilder(source="x", key=b"", cluster="", received_us=RECEIVED_US)

    with pytest.raises(TooLarge):
        batch.check_size(normalise.MAX_RECORDS + 1)


@pytest.mark.parametrize("ts", [4, -1, 1e300, 9_999_999_999, "0001-01-01T00:00:00Z", "soon"])
def test_a_time_that_cannot_be_becomes_the_time_of_receipt(ts: object) -> None:
    batch = take(as_json(a_record(time=ts, date=None)), JSON)

    assert batch.lines.ts_us == [RECEIVED_US]


def test_a_clock_that_runs_ahead_is_noted() -> None:
    ahead = "2031-01-01T00:00:00Z"

    batch = take(as_json(*[a_record(time=ahead, date=None)] * 3), JSON)

    assert batch.lines.ts_us == [RECEIVED_US] * 3
    (note,) = batch.notes
    assert note.startswith("3 time(s) out of range")


def test_a_date_that_is_not_a_number_is_no_date() -> None:
    record = a_record(time=None, date=float("nan"))

    batch = take(msgspec.msgpack.encode([[float("nan"), {}], record]), MSGPACK)

    assert batch.lines.ts_us == [RECEIVED_US]


def test_what_is_set_aside_holds_no_secret() -> None:
    bad = b'{"log":"password=hunter2 and more", nope'
    body = as_json(a_record())[:-1] + b"," + bad

    batch = take(body, JSON)

    assert b"hunter2" not in batch.set_aside[0].body
    assert b"and more" in batch.set_aside[0].body


def test_binary_data_that_may_hold_a_secret_is_withheld() -> None:
    good = msgspec.msgpack.encode([[1795419425, {}], a_record("good")])
    cut = msgspec.msgpack.encode([[1795419425, {}], {"password": "hunter2", "more": "x"}])[:-1]

    batch = take(good + cut, MSGPACK)

    assert b"hunter2" not in batch.set_aside[0].body
    assert b"withheld" in batch.set_aside[0].body


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_recorded_body_with_damage_anywhere_is_read_or_refused_but_never_fails(
    data: st.DataObject,
) -> None:
    request = recorded(data.draw(st.sampled_from(all_recorded())))
    body = bytearray(request.body)
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(1, len(body)))]

    try:
        batch = take(bytes(body), request.headers, request.door)
    except BadInput:
        return
    n_lines = len(batch.lines)
    assert len(batch.lines.ts_us) == len(batch.lines.template) == n_lines
    assert all(0 <= index < len(batch.streams) for index in batch.lines.stream)
    assert batch.n_records + len(batch.set_aside) > 0


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_the_reader_of_msgpack_agrees_with_msgspec(value: object) -> None:
    body = msgspec.msgpack.encode(value)

    (found,) = [value for _, _, value in msgpack.values_in(body)]

    assert json.dumps(found) == json.dumps(msgspec.msgpack.decode(body))


def test_the_reader_of_msgpack_says_where_each_value_lies() -> None:
    body = b"\x01\xa2ab\xc0"

    assert list(msgpack.values_in(body)) == [(0, 1, 1), (1, 4, "ab"), (4, 5, None)]
