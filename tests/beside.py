"""What goes on beside a test, in a thread of its own."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Self

ENDS_WITHIN_S = 30


@dataclass(kw_only=True)
class Beside(ABC):
    """Runs from `with` to the end of it."""

    over: threading.Event = field(default_factory=threading.Event)
    """Is set where it is to end."""
    _thread: threading.Thread = field(init=False)

    @abstractmethod
    def run(self) -> None:
        """Until `over`."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._thread.join(ENDS_WITHIN_S)
        assert not self._thread.is_alive(), f"{type(self).__name__} does not end"
