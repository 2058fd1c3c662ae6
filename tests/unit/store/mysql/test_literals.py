"""Values become SQL in one place; nothing that was sent becomes more than a value."""

import pytest

from copilot.domain.errors import Invalid
from copilot.store.database import Value
from copilot.store.mysql.literals import MOST_ROWS, literal, statement, statements


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, b"NULL"),
        (0, b"0"),
        (-(2**63), b"-9223372036854775808"),
        (1.5, b"1.5e0"),
        (1e300, b"1e+300"),
        ("it's", rb"'it\'s'"),
        ("a\\", rb"'a\\'"),
        ("\\' OR 1=1 -- ", rb"'\\\' OR 1=1 -- '"),
        ("nul\0", rb"'nul\0'"),
        ("\udce2 alone", b"'? alone'"),
        ("für 🙂", "'für 🙂'".encode()),
        (b"\x00'\\\xff", b"_binary'\\0\\'\\\\\xff'"),
    ],
)
def test_a_value_is_written(value: Value, written: bytes) -> None:
    assert literal(value) == written


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, float("inf"), float("nan")])
def test_a_number_that_no_column_holds_is_refused(value: Value) -> None:
    with pytest.raises(Invalid):
        literal(value)


def test_a_question_mark_in_a_value_is_no_place_for_another() -> None:
    assert statement("SELECT ?, ?", ("what?", 1)) == b"SELECT 'what?', 1"


def test_values_and_places_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="1 values for 2 places"):
        statement("SELECT ?, ?", (1,))


def test_many_rows_are_one_insert_with_its_end() -> None:
    sql = "INSERT INTO t (a, b) VALUES (?, ?) ON DUPLICATE KEY UPDATE b = VALUES(b)"

    assert list(statements(sql, [(1, "x"), (2, "y")])) == [
        b"INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y') ON DUPLICATE KEY UPDATE b = VALUES(b)"
    ]


def test_an_insert_is_cut_by_rows_and_by_bytes() -> None:
    sql = "INSERT INTO t (a) VALUES (?)"

    assert len(list(statements(sql, [(1,)] * (MOST_ROWS + 1)))) == 2
    assert len(list(statements(sql, [("x" * 700_000,)] * 3))) == 3


def test_what_is_no_insert_goes_row_by_row() -> None:
    sql = "UPDATE t SET a = ? WHERE b = ?"

    assert list(statements(sql, [(1, 2), (3, 4)])) == [
        b"UPDATE t SET a = 1 WHERE b = 2",
        b"UPDATE t SET a = 3 WHERE b = 4",
    ]
