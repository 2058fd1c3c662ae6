"""Whoever writes to a cluster may write lines against our patterns: each is to take them in stride."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import copilot

READERS = ("copilot.detect", "copilot.causes", "copilot.agents", "copilot.domain")
LENGTH = 1 << 15
HOSTILE = [
    *("a", "a.", "1", " ", "\n", '"', "1 {", "{a", "env[", 'exec: "', " (pod: ", "a://", "a, "),
    *("host=", "lookup ", "port ", "listening on ", "x509: ", "quota: ", "resource: "),
]
"""What a line is made of, over and over."""


def patterns_in(value: object, depth: int = 0) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield value
    elif depth < 4 and isinstance(value, tuple | list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from patterns_in(each, depth + 1)


def every_pattern() -> dict[str, re.Pattern[str]]:
    found: dict[str, re.Pattern[str]] = {}
    for module in pkgutil.walk_packages(copilot.__path__, "copilot."):
        if module.name.startswith(READERS):
            for value in vars(importlib.import_module(module.name)).values():
                for pattern in patterns_in(value):
                    found.setdefault(pattern.pattern, pattern)
    return found


@pytest.mark.parametrize("part", HOSTILE)
def test_no_pattern_goes_over_a_hostile_line_again_and_again(part: str) -> None:
    line = (part * LENGTH)[:LENGTH]

    for pattern in every_pattern().values():
        assert sum(1 for _ in pattern.finditer(line)) <= LENGTH + 1
