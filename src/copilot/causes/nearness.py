"""Which name another was most likely meant to be. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import islice

MOST_NAMES = 300
_A_PART_MORE = 3
"""As far apart as this are `redis` and `redis-master`: farther than any slip of the pen."""
_NUMBER = re.compile(r"\d+")


def nearest(name: str, names: Iterable[str]) -> str:
    """The one of these names that a slip of the pen may have meant, the nearest of several; empty
    where none may be, or two are as near.

    Names that differ by a number alone are siblings (`data-0` and `data-1`) and mean themselves.
    """
    near = sorted(
        (min(distance(name, n), _A_PART_MORE), n)
        for n in islice(dict.fromkeys(names), MOST_NAMES)
        if is_near(name, n) and _NUMBER.sub("#", name) != _NUMBER.sub("#", n)
    )
    is_tied = len(near) > 1 and near[0][0] == near[1][0]
    return near[0][1] if near and not is_tied else ""


def is_near(one: str, other: str) -> bool:
    """A letter or two apart (short names: one), or one is the other with a part more at an end:
    `redis` and `redis-master`, `config` and `app-config`."""
    if min(len(one), len(other)) < 2 or max(len(one), len(other)) > 63:
        return False
    short, long = sorted((one, other), key=len)
    if len(short) > 2 and (
        long.startswith((f"{short}-", f"{short}_")) or long.endswith((f"-{short}", f"_{short}"))
    ):
        return True
    return distance(one, other) <= (1 if len(short) < 5 else 2)


def distance(one: str, other: str) -> int:
    """How many letters to add, take, change or swap with their neighbour; exact up to 3."""
    if abs(len(one) - len(other)) > 3:
        return 4
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        next_row = [i]
        for j, b in enumerate(other, 1):
            cost = min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            next_row.append(cost)
        before, row = row, next_row
    return row[-1]


def likeness(one: str, other: str) -> float:
    """0 to 1, for ranking names of which none is near."""
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
