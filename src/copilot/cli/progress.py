"""How far a long command is, on the terminal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import TaskID


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Takes a step's name, how much of it is done, and of how much; a bar a step."""
    from rich.console import Console
    from rich.progress import Progress

    shown = Progress(console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def step(name: str, done: int, total: int) -> None:
        if not tasks:
            shown.start()
        if name not in tasks:
            tasks[name] = shown.add_task(name, total=total)
        shown.update(tasks[name], completed=done)

    try:
        yield step
    finally:
        if tasks:
            shown.stop()
