"""What TiDB, MariaDB and MySQL answer, by number: what is repeated, what is said, what is a bug."""

import ssl

import pytest
from asyncmy.errors import IntegrityError, InterfaceError, OperationalError, ProgrammingError

from copilot.domain.errors import Clash, CopilotError, Invalid, TooLarge, Unavailable
from copilot.store.mysql.errors import is_lost, translated

TABLE: list[tuple[int, type[CopilotError] | None]] = [
    *((code, Clash) for code in (1205, 1213, 8002, 8005, 8022, 8028, 8147, 9007)),
    *((code, Clash) for code in (8027, 8229, 9001, 9002, 9005, 9010, 9011, 9012)),
    *((code, Clash) for code in (1062, 1586)),
    *((code, Unavailable) for code in (2006, 2013, 1053, 1927)),
    *((code, Unavailable) for code in (1021, 1040, 1044, 1045, 1049, 1114, 1142, 1226, 2003, 2026)),
    *((code, Unavailable) for code in (1146, 1054)),
    *((code, Unavailable) for code in (1317, 1969, 3024, 8175, 8176, 8253, 8254, 9006)),
    *((code, TooLarge) for code in (1153, 1406, 8004, 8025, 9500)),
    *((code, Invalid) for code in (1264, 1366, 1690)),
    *((code, None) for code in (1064, 1105, 1221, 1235, 1305, 1364, 1526, 8200, 8216)),
]


@pytest.mark.parametrize(("code", "becomes"), TABLE)
def test_a_code_becomes(code: int, becomes: type[CopilotError] | None) -> None:
    told = translated(OperationalError(code, "said the server"))

    assert (type(told) if told else None) is becomes


def test_tidb_that_has_no_memory_left_for_a_statement_gives_it_up_by_any_number() -> None:
    told = translated(OperationalError(1105, "Out Of Memory Quota![conn=3]"))

    assert type(told) is Unavailable


@pytest.mark.parametrize("code", [1213, 9007, 8022, 8002])
def test_a_conflict_that_comes_with_the_commit_has_kept_nothing(code: int) -> None:
    assert type(translated(OperationalError(code, ""), is_commit=True)) is Clash


@pytest.mark.parametrize("code", [2006, 2013, 9002, 9005, 1317])
def test_who_goes_away_while_committing_leaves_the_outcome_open(code: int) -> None:
    told = translated(OperationalError(code, ""), is_commit=True)

    assert type(told) is Unavailable
    assert "not known" in told.message


def test_a_certificate_that_is_not_trusted_is_said_so() -> None:
    error = OperationalError(2003, "Can't connect")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed")

    told = translated(error)

    assert told is not None
    assert "certificate" in told.message


def test_a_server_without_tls_is_said_so() -> None:
    """As a TiDB of one's own is, unless somebody gave it a certificate."""
    error = OperationalError(2003, "Can't connect")
    error.__cause__ = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")

    told = translated(error)

    assert told is not None
    assert "it offers no TLS" in told.message


def test_a_line_that_broke_is_of_no_use_any_more() -> None:
    assert is_lost(ConnectionResetError())
    assert is_lost(TimeoutError())
    assert is_lost(InterfaceError(0, "Not connected"))
    assert not is_lost(IntegrityError(1062, ""))


def test_a_server_that_quotes_what_was_sent_is_cut_short() -> None:
    told = translated(ProgrammingError(1146, "x" * 10_000))

    assert told is not None
    assert len(told.message) < 500
