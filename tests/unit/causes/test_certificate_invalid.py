"""Certificates that are not accepted, in the words of several programs."""

import time

import pytest

from copilot.causes.certificate_invalid import Flaw, certificate_invalid, flaw_of
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis, Verdict
from tests.builders_net import a_caller_case, a_service

GO = 'Get "https://{host}/": tls: failed to verify certificate: x509: {flaw}'
EXPIRED = (
    "certificate has expired or is not yet valid: current time 2026-11-23T07:59:40Z is after "
    "2025-02-01T00:00:00Z"
)
EARLY = (
    "certificate has expired or is not yet valid: current time {now} is before 2028-01-01T00:00:00Z"
)
OTHER_NAME = "certificate is valid for db.shop.svc, not api"


def looked_at(case: Case) -> Hypothesis:
    found = certificate_invalid(case)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("line", "flaw"),
    [
        (GO.format(host="api", flaw=EXPIRED), Flaw.EXPIRED),
        (GO.format(host="api", flaw=EARLY.format(now="2026-11-23T08:00:00Z")), Flaw.NOT_YET_VALID),
        (GO.format(host="api", flaw=OTHER_NAME), Flaw.NAME_MISMATCH),
        (
            GO.format(host="api", flaw="certificate signed by unknown authority"),
            Flaw.UNKNOWN_AUTHORITY,
        ),
        ("curl: (60) SSL certificate problem: certificate has expired", Flaw.EXPIRED),
        ("curl: (60) SSL certificate problem: certificate is not yet valid", Flaw.NOT_YET_VALID),
        (
            "curl: (60) SSL certificate problem: unable to get local issuer certificate",
            Flaw.UNKNOWN_AUTHORITY,
        ),
        (
            (
                "curl: (60) SSL: no alternative certificate subject name matches target host name "
                "'localhost'"
            ),
            Flaw.NAME_MISMATCH,
        ),
        (
            (
                "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired "
                "(_ssl.c:1006)"
            ),
            Flaw.EXPIRED,
        ),
        (
            "certificate verify failed: Hostname mismatch, certificate is not valid for 'localhost'",
            Flaw.NAME_MISMATCH,
        ),
        ("javax.net.ssl.SSLHandshakeException: PKIX path building failed", Flaw.UNKNOWN_AUTHORITY),
        ("Error: self-signed certificate in certificate chain", Flaw.UNKNOWN_AUTHORITY),
        ("certificate for api renewed", None),
        ("session expired for user 7", None),
    ],
)
def test_a_line_tells_what_is_wrong_with_a_certificate(line: str, flaw: Flaw | None) -> None:
    assert flaw_of(line) is flaw


def test_the_peer_and_the_dates_are_told() -> None:
    found = looked_at(a_caller_case(GO.format(host="api", flaw=EXPIRED), services=[a_service()]))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "expired")
    assert found.title == "The certificate of api:443 has expired"
    assert any("It ended on 2025-02-01 00:00 UTC" in s.text for s in found.supporting)
    assert found.subject is not None
    assert (found.subject.kind, found.subject.name) == ("Service", "api")


def test_a_clock_that_runs_wrong_is_pointed_at() -> None:
    line = GO.format(host="api", flaw=EARLY.format(now="2020-01-01T00:00:00Z"))

    found = looked_at(a_caller_case(line))

    assert any("clock is off" in s.text for s in found.supporting)


def test_both_names_are_told() -> None:
    found = looked_at(a_caller_case(GO.format(host="api", flaw=OTHER_NAME)))

    assert any(
        "made out to db.shop.svc, and was asked for as api" in s.text for s in found.supporting
    )


def test_a_log_without_such_words_says_nothing() -> None:
    assert certificate_invalid(a_caller_case("tls: handshake done")) is None


@pytest.mark.parametrize("text", ["current time " * 20_000, "certificate is valid for " * 9_000])
def test_hostile_lines_are_read_in_bounded_time(text: str) -> None:
    began = time.perf_counter()

    certificate_invalid(a_caller_case(text))

    assert time.perf_counter() - began < 2
