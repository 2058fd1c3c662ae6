"""Times, severities and templates of lines as real programs write them."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.domain.event import Severity, Stream
from copilot.ingest.fingerprint import pattern_of, shape_of, template_of
from copilot.ingest.normalise import (
    BatchBuilder,
    classify,
    parse_time,
    reduce_json,
    severity_in,
    severity_named,
)
from tests.builders_ingest import RECEIVED_US

US = 1_795_419_283_173_795


@pytest.mark.parametrize(
    ("value", "us"),
    [
        pytest.param("2026-11-23T07:34:43.173795611Z", US, id="nanoseconds"),
        pytest.param("2026-11-23T07:34:43.173795Z", US, id="microseconds"),
        pytest.param("2026-11-23T07:34:43.1Z", 1_795_419_283_100_000, id="tenths"),
        pytest.param("2026-11-23T07:34:43Z", 1_795_419_283_000_000, id="seconds"),
        pytest.param("2026-11-23T09:34:43.173795611+02:00", US, id="zone"),
        pytest.param("2026-11-23 07:34:43.173795", US, id="no-zone-is-utc"),
        pytest.param(1795419283.173795, US, id="double"),
        pytest.param(1795419283, 1_795_419_283_000_000, id="epoch"),
        pytest.param(1795419283173, 1_795_419_283_173_000, id="epoch-ms"),
        pytest.param(US, US, id="epoch-us"),
        pytest.param(1795419283173795611, US, id="epoch-ns"),
        pytest.param("1795419283173", 1_795_419_283_173_000, id="number-as-text"),
        pytest.param(None, 0, id="none"),
        pytest.param(True, 0, id="bool"),
        pytest.param(float("nan"), 0, id="nan"),
        pytest.param(float("inf"), 0, id="inf"),
        pytest.param(-5, 0, id="negative"),
        pytest.param(10**30, 0, id="far-too-large"),
        pytest.param("", 0, id="empty"),
        pytest.param("soon enough it is", 0, id="words"),
        pytest.param("2026-13-45T99:00:00Z", 0, id="no-such-day"),
        pytest.param("2026-11-23T07:34:43.x9Z", 0, id="broken-fraction"),
    ],
)
def test_a_time_is_read_in_every_form_that_senders_use(value: object, us: int) -> None:
    assert parse_time(value) == us


@given(st.text() | st.integers() | st.floats() | st.none())
def test_nothing_that_claims_to_be_a_time_or_a_level_fails(value: object) -> None:
    assert isinstance(parse_time(value), int)
    assert 0 <= severity_named(value) <= 24


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("E0312 07:12:01.123456       1 reflector.go:12] failed to list", Severity.ERROR),
        ("W1123 07:12:01.123456       1 x.go:1] slow", Severity.WARN),
        ("E0312 is an order number", 0),
        ('time="2026-11-23T07:00:00Z" level=warn msg="slow"', Severity.WARN),
        ('ts=1 level="error" msg=x', Severity.ERROR),
        ("2026/11/23 07:00:00 [error] 31#31: *1 connect() failed", Severity.ERROR),
        ("[2026-11-23 07:00:00.1][1][warning][main] draining", Severity.WARN),
        ("2026-11-23 07:00:00,123 ERROR [main] c.e.App - boom", Severity.ERROR),
        ("2026-11-23T07:00:00Z\tINFO\tstarted", Severity.INFO),
        ("ERROR:root:no route", Severity.ERROR),
        ("FATAL:  password authentication failed for user", Severity.FATAL),
        ("panic: runtime error: index out of range", Severity.FATAL),
        ("fatal error: all goroutines are asleep - deadlock!", Severity.FATAL),
        ("Error: Cannot find module 'x'", Severity.ERROR),
        ("java.lang.NullPointerException: x", Severity.ERROR),
        ("Traceback (most recent call last):", Severity.ERROR),
        ("no errors found", 0),
        ("error budget is fine", 0),
        ("GET /ERRORS 200", 0),
        ("wrote catalog INFORMATION_SCHEMA", 0),
        ("", 0),
    ],
)
def test_a_line_of_text_tells_its_severity(text: str, severity: int) -> None:
    assert severity_in(text) == severity


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        ("warn", 13), ("WARNING", 13), (" Error ", 17), ("CRITICAL", 21), ("notice", 9),
        (30, 9), (40, 13), (50, 17), (60, 21), (3, 17), (6, 9), ("40", 13), ("audit", 0),
        (None, 0), (True, 0), (2.5, 0), ("", 0), (1000, 0),
    ],
)  # fmt: skip
def test_a_level_is_read_as_word_or_number(level: object, severity: int) -> None:
    assert severity_named(level) == severity


@pytest.mark.parametrize(
    ("body", "text", "severity"),
    [
        ('{"level":"warn","msg":"cache grew","n":2}', "warn cache grew", 13),
        ('{"severity":"ERROR","message":"boom"}', "error boom", 17),
        ('{"level":50,"msg":"pino says"}', "error pino says", 17),
        ('{"log.level":"info","message":"ecs"}', "info ecs", 9),
        ('{"level":"audit","event":"login"}', "audit login", 0),
        ('{"level":{"name":"warn"},"msg":"nested level"}', "nested level", 0),
        ('{"error":"no route","code":7}', "no route", 0),
        ('{"b":1,"a":{"x":[1]}}', "{a, b}", 0),
    ],
)
def test_a_json_line_is_reduced_to_level_and_message(body: str, text: str, severity: int) -> None:
    assert reduce_json(body) == (text, severity)


@pytest.mark.parametrize("body", ["{not json", "{}x", "{", '{"a":' * 3000])
def test_what_only_looks_like_json_is_text(body: str) -> None:
    assert reduce_json(body) is None
    assert classify(body, 0)[1].pattern


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("connected to 10.0.0.1:5432 in 12ms", "connected to * in *"),
        ("user=42 path=/api/orders/17 status=200", "user=* path=* status=*"),
        ('open "a file": denied', "open *: denied"),
        ("can't open 'x y' for bob", "can't open * for bob"),
        ("[12] worker-3 done", "[*] * done"),
        ("id 7f9ba920-9eff-41f8-ac8f-da250fd1da7d gone", "id * gone"),
        ("took 1 2 3, 4 ms", "took *"),
        ("web:1 close, 403 bytes sent, lifetime <1 sec", "web:* close, * sent, lifetime *"),
        ("web:1 close, 1033 bytes (1.0 KB) sent, lifetime 0:12", "web:* close, * sent, lifetime *"),
        ("onExtend:1514038530000 14 0 4", "onExtend:*"),
        ("cannot open /srv/data/app.conf: denied", "cannot open *: denied"),
        ("GET /healthz failed", "GET /healthz failed"),
        ("Nov 27 17:53:10 node-a kubelet[812]: up", "* node-a kubelet[*]: up"),
        ("expired on Thu, 27 Nov 2026", "expired on *"),
        ("\x1b[31mERROR\x1b[0m it broke", "ERROR it broke"),
        (
            'ts=1.5 level=ERROR caller=a.go:12 msg="query \\"x\\" failed" n=3',
            "error query * failed",
        ),
        ("time=12:00 level=info msg=started pid=7", "info started"),
        (
            'E1127 12:00:00.123456       1 reflector.go:138] "Failed to watch" err="no route"',
            "Failed to watch",
        ),
        ("W1127 12:00:00.123456       1 warnings.go:70] batch/v1 is old", "* is old"),
        ("nothing varies here", "nothing varies here"),
        ("first line\n  at second(line.java:3)", "first line"),
        (
            "Traceback (most recent call last):\n  File x\nValueError: bad",
            "Traceback (most recent call last): ValueError: bad",
        ),
    ],
)
def test_a_pattern_stays_readable(text: str, pattern: str) -> None:
    assert pattern_of(text) == pattern


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_the_shape_decides_the_pattern(text: str) -> None:
    assert pattern_of(shape_of(text)) == pattern_of(text)
    assert template_of(text, 9) == template_of(shape_of(text), 9)


def test_a_long_line_is_not_cut_within_a_word() -> None:
    ids = " ".join(f"blk_{number}" for number in range(400))

    assert pattern_of(f"delete {ids}") == pattern_of(f"delete x{ids}") == "delete *"


def test_lines_that_differ_in_values_only_share_a_fingerprint() -> None:
    one = template_of("order 17 of user 4 failed after 12.5s", 17)
    two = template_of("order 9917 of user 88 failed after 0.1s", 17)
    other = template_of("order 17 of user 4 paid after 12.5s", 17)

    assert one == two
    assert one.fingerprint != other.fingerprint
    assert one.fingerprint != template_of("order 17 of user 4 failed after 12.5s", 13).fingerprint
    assert len(one.fingerprint) == 16


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    text = "order 17 of user 4 failed after 12.5s"
    program = (
        "from copilot.ingest.fingerprint import template_of;"
        f"print(template_of({text!r}, 17).fingerprint.hex())"
    )

    elsewhere = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert elsewhere.stdout.strip() == template_of(text, 17).fingerprint.hex()


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "'" * 1_000_000, '"' * 999_999, "a.b-" * 250_000, "\\" * 1_000_000]
)
def test_a_hostile_line_takes_no_longer_than_another(text: str) -> None:
    builder = BatchBuilder(source="x", key=b"", cluster="", received_us=RECEIVED_US)
    builder.add_line(ts_us=US, stream=Stream(), body=text)

    assert len(builder.build().lines) == 1
