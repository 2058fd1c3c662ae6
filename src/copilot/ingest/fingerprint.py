"""A log line is a template plus values: mask the values, hash what is left.

Which template a line has is decided by the line alone, so it is the same in every process, in
every order and after restarts. What differs by nothing but digits has the same shape (every digit
a `0`), and all work is cached by shape. Values that are words (`user root`, `user alice`) cannot be
told from a line alone: templates that differ by them become one family later, once enough have
been seen (`copilot.domain.families`).

Masked are, in this order: quoted text, dates that name a month, every token with a digit in it, and
paths. Lines of logfmt and of klog say what happened in one field; the others are values.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

from copilot.domain.event import Template, level_of

PATTERN_CHARS = 1000
"""How much of a line its template looks at."""

_DIGITS = str.maketrans("123456789", "000000000")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

_KLOG_HEAD = re.compile(r"[IWEF]0+ 0+:0+:0+\.0+ +0+ [^\s\]]+\] ")
_IN_QUOTES = r'"((?:[^"\\]|\\.)*+)"'
_KLOG_MESSAGE = re.compile(_IN_QUOTES)
_LOGFMT_MESSAGE = re.compile(rf"(?:^|(?<=\s))(?:msg|message)=(?:{_IN_QUOTES}|(\S++))")
_LOGFMT_LEVEL = re.compile(r"(?:^|(?<=\s))(?:level|lvl|severity)=\"?([A-Za-z]++)(?!\w)")

_QUOTED = r'"[^"]*+"' + r"|(?<!\w)'[^']*+'(?!\w)"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)"
_START = r"(?<![\w.:/+@%#~-])"
_REST = r"(?:[\w/+@%#~-]++|[.:]++(?=[\w/+@%#~-]))*+"
"""What goes on within a token: a dot or colon belongs to it only where more follows."""
_DAY = "(?=[a-f]*+0)[0a-f]++"
"""A number; hexadecimal, because shapes may take a number and its letters for one."""
_DATE = (
    rf"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?"
    rf"(?:{_MONTH} {{1,2}}{_DAY}{_REST}|{_DAY} {_MONTH}\b)"
)
_TOKEN = rf"(?P<key>[A-Za-z_]{{2,}}+:(?=[a-f]*+0))?+(?:[^\W0-9]|[.:/+@%#~-])*+0{_REST}"
"""Of `key:17` and `key:c0ffee` the key stays."""
_PATH = rf"(?:[\w.+@%~-]*+/){{2,}}+{_REST}"
_VALUES = re.compile(f"{_QUOTED}|{_DATE}|{_START}(?:{_TOKEN}|{_PATH})")
_UNITS = "(?:[kmgtp]i?)?b|bytes?|[mun]?s|secs?|seconds?|mins?|minutes?|hrs?|hours?|days?"
_QUANTITY = re.compile(rf"<?\* ?(?:{_UNITS})(?!\w)(?: \(\*(?: [A-Za-z]{{1,5}})?\))?", re.IGNORECASE)
"""A value's unit varies with the value: `403 bytes`, `1033 bytes (1.00 KB)`, `<1 sec`."""
_REPEATED = re.compile(r"\*(?:[\s,;|]{0,3}\*)+")


def shape_of(text: str) -> str:
    """The part of a line that decides its template, with every digit a `0`."""
    if "\x1b" in text:
        text = _COLOURS.sub("", text)
    if len(text) > PATTERN_CHARS or "\n" in text:
        text = _telling_part(text)
    return text.translate(_DIGITS)


def pattern_of(text: str) -> str:
    """What the line says with its values replaced by `*`; runs of them become one."""
    masked = _VALUES.sub(r"\g<key>*", _said(shape_of(text)))
    return _REPEATED.sub("*", _QUANTITY.sub("*", masked)).strip()


def template_of(text: str, severity: int) -> Template:
    """The template of a line (already reduced to level and message where it is JSON)."""
    return _template_of_shape(shape_of(text), severity)


def forget() -> None:
    """Forget all shapes: for measuring."""
    _template_of_shape.cache_clear()


@lru_cache(maxsize=50_000)
def _template_of_shape(shape: str, severity: int) -> Template:
    pattern = pattern_of(shape)
    level = level_of(severity)
    fingerprint = blake2b(f"{level}\0{pattern}".encode(), digest_size=16).digest()
    return Template(fingerprint=fingerprint, pattern=pattern, severity=severity)


def _said(shape: str) -> str:
    """Level and message of a logfmt line, what a klog line says behind its head; else all."""
    if head := _KLOG_HEAD.match(shape):
        message = _KLOG_MESSAGE.match(shape, head.end())
        return _unescaped(message[1]) if message else shape[head.end() :]
    message = _LOGFMT_MESSAGE.search(shape) if "m" in shape and "=" in shape else None
    if message is None:
        return shape
    level = _LOGFMT_LEVEL.search(shape)
    said = _unescaped(message[1] or message[2] or "")
    return f"{level[1].lower()} {said}" if level else said


def _unescaped(quoted: str) -> str:
    return quoted.replace('\\"', '"')


def _telling_part(text: str) -> str:
    """The first line; of a Python traceback also the last, which names the error."""
    head = text.lstrip()[: 4 * PATTERN_CHARS].split("\n", 1)[0].rstrip()
    if head.startswith("Traceback (most recent call last)"):
        last = text.rstrip()[-PATTERN_CHARS:].rpartition("\n")[2]
        head = f"{head} {last.strip()}"
    if len(head) <= PATTERN_CHARS:
        return head
    cut = head[:PATTERN_CHARS]
    return cut.rpartition(" ")[0] or cut  # half a word would be a word of its own
