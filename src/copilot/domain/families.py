"""Which templates are one: those that differ in a single word that turned out to be a value.

`session opened for user root` and `.. alice` are two templates until enough different words have
stood in that place; from then on they are one family, which people see as
`session opened for user *`. How many are enough depends on how much the rest says.

The families of a set of templates are decided by the set, never by the order in which its members
came, and more members only join families. So processes need not agree on an order, and whoever
looks later sees the same. What nothing but a word for an error tells apart stays apart.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from copilot.domain.event import level_of

ENOUGH = 4
"""Different words in one place that make it a value, where three words or more are left."""
ENOUGH_OF_LITTLE = 8
"""The same where only two are left; with one or none, templates stay apart."""
MOST_WORDS = 40
"""A longer pattern stays alone."""

_WORD = re.compile(r"[^\s=:,()\[\]{}|;<>]+")
_ERROR = re.compile(r"(?:Error|Exception|Failure|Fault|Timeout)$")


@dataclass(frozen=True, kw_only=True)
class Member:
    """A template as far as families are concerned. Of two families the older one's id holds."""

    template_id: int
    family_id: int
    severity: int
    pattern: str
    first_us: int

    @cached_property
    def words(self) -> tuple[str, ...]:
        return tuple(_WORD.findall(self.pattern))

    @cached_property
    def structure(self) -> str:
        """The pattern with its words left out, but those that name an error."""
        return f"{level_of(self.severity)}\0" + _WORD.sub(_place, " ".join(self.pattern.split()))

    @cached_property
    def keys(self) -> tuple[bytes, bytes] | None:
        """The structure with the first word, and with the last: two members that differ in one
        word share one of them. None: it stays alone."""
        if not 2 < len(self.words) <= MOST_WORDS:
            return None
        return _digest(self.structure, self.words[0]), _digest(self.structure, self.words[-1])

    def places(self) -> Iterator[tuple[int, str, tuple[str, ...]]]:
        """The member with each of its words left out, where enough is left."""
        n_fixed = sum(word != "*" for word in self.words)
        for i, word in enumerate(self.words):
            if n_fixed - (word != "*") >= 2 and not _ERROR.search(word):
                yield i, self.structure, self.words[:i] + self.words[i + 1 :]


def united(members: Iterable[Member]) -> dict[int, int]:
    """Family ids that are another's from now on, each with the one that holds: the oldest, and of
    those equally old the one whose member is given first."""
    places: dict[tuple[int, str, tuple[str, ...]], list[Member]] = defaultdict(list)
    born: dict[int, tuple[int, int]] = {}
    for at, member in enumerate(members):
        age = (member.first_us, at)  # an id says nothing of age
        born[member.family_id] = min(age, born.get(member.family_id, age))
        if member.keys:
            for place in member.places():
                places[place].append(member)
    kept = {family_id: family_id for family_id in born}

    def holds(family_id: int) -> int:
        while kept[family_id] != family_id:
            kept[family_id] = kept[kept[family_id]]
            family_id = kept[family_id]
        return family_id

    for (i, _, rest), found in places.items():
        if len(found) < ENOUGH:  # nearly all
            continue
        n_left = sum(word != "*" for word in rest)
        if len({m.words[i] for m in found}) >= (ENOUGH if n_left > 2 else ENOUGH_OF_LITTLE):
            families = {holds(m.family_id) for m in found}
            oldest = min(families, key=born.__getitem__)
            for family_id in families:
                kept[family_id] = oldest
    return {one: holds(one) for one in kept if holds(one) != one}


def common_pattern(patterns: Sequence[str]) -> str:
    """The pattern that all of one structure share, `*` where their words differ."""
    first, *others = patterns
    words = zip(*(_WORD.findall(pattern) for pattern in patterns), strict=False)
    shared = iter([column[0] if len(set(column)) == 1 else "*" for column in words])
    return _WORD.sub(lambda word: next(shared, word[0]), first) if others else first


def _place(word: re.Match[str]) -> str:
    return word[0] if _ERROR.search(word[0]) else "w"


def _digest(*parts: str) -> bytes:
    return blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).digest()
