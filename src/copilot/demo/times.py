"""Time: the clock that moves everything in here, and the texts in which Kubernetes writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

SECOND_US = 1_000_000


class Clock(Protocol):
    """Time. Whoever starts the demo gives one; a fast one makes a fast cluster."""

    def now_us(self) -> int:
        """Epoch microseconds UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...


def to_second(at_us: int) -> str:
    """`2026-11-23T07:29:10Z`, as `metav1.Time` is written."""
    return datetime.fromtimestamp(at_us // SECOND_US, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_microsecond(at_us: int) -> str:
    """`2026-11-23T07:29:10.677460Z`, as `metav1.MicroTime` is written."""
    return f"{to_second(at_us)[:-1]}.{at_us % SECOND_US:06d}Z"


def to_nanosecond(at_us: int) -> str:
    """`2026-11-23T07:34:43.173795000Z`, as a container's log file has it."""
    return f"{to_second(at_us)[:-1]}.{at_us % SECOND_US:06d}000Z"


def from_text(text: str) -> int:
    """Epoch microseconds of an RFC 3339 time.

    Raises:
        ValueError: it is not one.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return round(moment.timestamp() * SECOND_US)
