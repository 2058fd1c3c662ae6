"""The report on OWASP ASVS answers every requirement, and what it points at is there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "docs/security/asvs.md"

SECTIONS = {
    "1.1": (0, 2), "1.2": (5, 4), "1.3": (2, 9), "1.4": (0, 3), "1.5": (1, 1),
    "2.1": (1, 2), "2.2": (2, 1), "2.3": (1, 3), "2.4": (0, 1),
    "3.2": (2, 0), "3.3": (1, 3), "3.4": (2, 4), "3.5": (3, 2), "3.7": (0, 2),
    "4.1": (1, 2), "4.2": (0, 1), "4.3": (0, 2), "4.4": (1, 3),
    "5.1": (0, 1), "5.2": (2, 1), "5.3": (2, 0), "5.4": (0, 3),
    "6.1": (1, 2), "6.2": (8, 4), "6.3": (2, 2), "6.4": (2, 2), "6.5": (0, 5), "6.6": (0, 3),
    "6.8": (0, 4),
    "7.1": (0, 3), "7.2": (4, 0), "7.3": (0, 2), "7.4": (2, 3), "7.5": (0, 2), "7.6": (0, 2),
    "8.1": (1, 1), "8.2": (2, 1), "8.3": (1, 0), "8.4": (0, 1),
    "9.1": (3, 0), "9.2": (1, 3),
    "10.1": (0, 2), "10.2": (0, 2), "10.3": (0, 4), "10.4": (5, 6), "10.5": (0, 5), "10.6": (0, 2),
    "10.7": (0, 3),
    "11.1": (0, 2), "11.2": (0, 3), "11.3": (2, 1), "11.4": (1, 3), "11.5": (0, 1), "11.6": (0, 1),
    "12.1": (1, 2), "12.2": (2, 0), "12.3": (0, 4),
    "13.1": (0, 1), "13.2": (0, 5), "13.3": (0, 2), "13.4": (1, 4),
    "14.1": (0, 2), "14.2": (1, 3), "14.3": (1, 2),
    "15.1": (1, 2), "15.2": (1, 2), "15.3": (1, 6),
    "16.1": (0, 1), "16.2": (0, 5), "16.3": (0, 4), "16.4": (0, 3), "16.5": (0, 3),
    "17.1": (0, 1), "17.2": (0, 4), "17.3": (0, 2),
}  # fmt: skip
"""How many requirements of level 1 and 2 a section of 5.0.0 has. Within one they are numbered by
level, so those of level 3, which are not here, come last."""

KINDS = ("test", "code", "–", "partly", "**not**")
_ROW = re.compile(r"^\| (\d[^|]*) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_SUM = re.compile(r"^\| (test|code|–|partly|\*\*not\*\*) \| [^|]+ \| (\d+) \|$", re.MULTILINE)
_QUOTED = re.compile(r"`([^`]+)`")
_TEST = re.compile(r"test_\w+")
_FILE = re.compile(r"\w[\w./-]*\.(?:py|md|tsx?|json|ya?ml|toml)")
_TS_TEST = re.compile(r"\.test\.tsx?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A row: the requirements that it answers, by what, and how."""

    numbers: tuple[str, ...]
    title: str
    kind: str
    how: str

    @property
    def tests(self) -> list[str]:
        """Names of tests, and files of the screens' tests."""
        quoted = _QUOTED.findall(self.how)
        return [one for one in quoted if _TEST.fullmatch(one) or _TS_TEST.search(one)]

    @property
    def files(self) -> list[str]:
        return [one for one in _QUOTED.findall(self.how) if _FILE.fullmatch(one)]


def answers(text: str) -> list[Answer]:
    return [
        Answer(numbers=tuple(_numbers(numbers)), title=title, kind=kind, how=how)
        for numbers, title, kind, how in _ROW.findall(text)
    ]


def _numbers(text: str) -> Iterator[str]:
    """`1.4.1–1.4.3, 1.5.1` one by one."""
    for part in text.strip().split(", "):
        first, _, last = part.partition("–")
        section, _, at = first.rpartition(".")
        for number in range(int(at), int(last.rpartition(".")[2] or at) + 1):
            yield f"{section}.{number}"


def required() -> set[str]:
    return {
        f"{section}.{number}"
        for section, of_level in SECTIONS.items()
        for number in range(1, sum(of_level) + 1)
    }


def wrong(text: str) -> list[str]:
    """What does not hold of a report, in words; nothing where all does."""
    rows = answers(text)
    return [
        *_wrong_numbers([number for row in rows for number in row.numbers]),
        *_wrong_sums(text, rows),
        *(fault for row in rows for fault in _wrong_row(row)),
    ]


def _wrong_numbers(given: list[str]) -> Iterator[str]:
    for number, n in Counter(given).items():
        if n > 1:
            yield f"{number} is answered {n} times"
    for number in sorted(set(given) ^ required()):
        yield f"{number} is {'not asked' if number in given else 'not answered'}"


def _wrong_sums(text: str, rows: Iterable[Answer]) -> Iterator[str]:
    counted = Counter(row.kind for row in rows for _ in row.numbers)
    said = {kind: int(n) for kind, n in _SUM.findall(text)}
    for kind in KINDS:
        if said.get(kind) != counted[kind]:
            yield f"{kind}: {counted[kind]}, and not {said.get(kind)}"


def _wrong_row(row: Answer) -> Iterator[str]:
    which = row.numbers[0]
    if row.kind not in KINDS:
        yield f"{which}: {row.kind!r} is no kind of answer"
    if row.kind == "test" and not row.tests and not re.match(r"as \d", row.how):
        yield f"{which} names no test"
    if row.kind == "code" and not row.files:
        yield f"{which} names no file"
    for name in row.tests:
        if _TEST.fullmatch(name) and name not in names_of_tests():
            yield f"{which}: there is no {name}"
    for file in row.files:
        if not any(path == file or path.endswith(f"/{file}") for path in files()):
            yield f"{which}: there is no {file}"
    for other in re.findall(r"\bas (\d+\.\d+\.\d+)", row.how):
        if other not in required():
            yield f"{which} leads to {other}, which is not there"


@cache
def names_of_tests() -> frozenset[str]:
    found = (
        re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
        for path in (ROOT / "tests").rglob("test_*.py")
    )
    return frozenset(name for names in found for name in names)


@cache
def files() -> frozenset[str]:
    """What may be pointed at; not what was installed or built."""
    folders = ("src", "tests", "docs", "deploy", "tools", "ui/app", "ui/components", "ui/lib")
    inside = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return frozenset(
        str(path.relative_to(ROOT))
        for path in (*inside, *ROOT.glob("*"), *(ROOT / "ui").glob("*"))
        if path.is_file()
    )


def test_the_requirements_are_as_many_as_the_standard_says() -> None:
    levels = [sum(of_level[n] for of_level in SECTIONS.values()) for n in (0, 1)]

    assert levels == [70, 183]


def test_every_requirement_is_answered_once_and_by_what_is_there() -> None:
    assert wrong(REPORT.read_text()) == []


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        pytest.param("| 1.2.1 |", "| 1.2.10 |", "1.2.1 is not answered", id="left out"),
        pytest.param("| 1.2.1 |", "| 1.2.10 |", "1.2.10 is not asked", id="of level 3"),
        pytest.param("| 1.2.1 |", "| 1.2.2 |", "1.2.2 is answered 2 times", id="twice"),
        pytest.param("| 16.3.2 | Refusals | test |", "| 16.3.2 | Refusals | code |", "names no file", id="by no file"),
        pytest.param("`test_https_is_remembered`", "`test_https_is_forgotten`", "there is no test_https_is_forgotten", id="a test that is gone"),
        pytest.param("`roles/oidc.py`", "`roles/saml.py`", "there is no roles/saml.py", id="a file that is gone"),
        pytest.param("`test_a_refusal_is_in_the_log_with_who_and_what`", "we are careful", "16.3.2 names no test", id="by no test"),
        pytest.param("| 9.2.4 | Issuers name the audience | – |", "| 9.2.4 | Issuers name the audience | code |", "–: ", id="another sum"),
    ],
)  # fmt: skip
def test_the_guard_sees_what_is_not_so(before: str, after: str, says: str) -> None:
    text = REPORT.read_text()
    assert before in text

    assert [fault for fault in wrong(text.replace(before, after)) if says in fault]
