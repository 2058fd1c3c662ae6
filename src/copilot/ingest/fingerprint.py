"""A log line is a template plus values: mask the values, hash what is left.

Masked are quoted strings and every token with a digit in it. That depends on where digits stand but
not on which they are, so a line is first reduced to its shape (every digit a `0`) and all work is
cached by shape. The result is the same in every process and after restarts.

A second stage that merges patterns (Drain, on patterns never seen) belongs into `template_of`, after
`pattern_of` and before the hash.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

from copilot.domain.event import Template, level_of

PATTERN_CHARS = 1000
"""How much of a line its template looks at."""

_DIGITS = str.maketrans("123456789", "000000000")
_QUOTED = r'"[^"]*+"' + r"|(?<!\w)'[^']*+'(?!\w)"
_TOKEN = r"(?<![\w.:/+@%#~-])(?:[^\W0-9]|[.:/+@%#~-])*+[0-9][\w.:/+@%#~-]*+"
_VALUES = re.compile(f"{_QUOTED}|{_TOKEN}")
_REPEATED = re.compile(r"\*(?:[\s,;|]{0,3}\*)+")


def shape_of(text: str) -> str:
    """The part of a line that decides its template, with every digit a `0`."""
    if len(text) > PATTERN_CHARS or "\n" in text:
        text = _telling_part(text)
    return text.translate(_DIGITS)


def pattern_of(text: str) -> str:
    """The text with its values replaced by `*`; runs of them become one."""
    return _REPEATED.sub("*", _VALUES.sub("*", shape_of(text))).strip()


def template_of(text: str, severity: int) -> Template:
    """The template of a line (already reduced to level and message where it is JSON)."""
    return _template_of_shape(shape_of(text), severity)


@lru_cache(maxsize=50_000)
def _template_of_shape(shape: str, severity: int) -> Template:
    pattern = pattern_of(shape)
    level = level_of(severity)
    fingerprint = blake2b(f"{level}\0{pattern}".encode(), digest_size=16).digest()
    return Template(fingerprint=fingerprint, pattern=pattern, severity=severity)


def _telling_part(text: str) -> str:
    """The first line; of a Python traceback also the last, which names the error."""
    head = text.lstrip()[: 4 * PATTERN_CHARS].split("\n", 1)[0].rstrip()
    if head.startswith("Traceback (most recent call last)"):
        last = text.rstrip()[-PATTERN_CHARS:].rpartition("\n")[2]
        head = f"{head} {last.strip()}"
    return head[:PATTERN_CHARS]
