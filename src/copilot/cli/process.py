"""How a command runs: until it is done or asked to stop; a mistake is one line, not a traceback."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator


def run(work: Coroutine[object, object, None]) -> None:
    """Runs until done or asked to stop; expected errors are one line, not a traceback."""
    import asyncio

    from copilot.domain.errors import CopilotError
    from copilot.roles.memory import look_less_for_cycles, reuse_large_buffers

    os.umask(0o077)  # what is stored is nobody else's to read
    reuse_large_buffers()
    look_less_for_cycles()
    try:
        asyncio.run(_until_signal(work))
    except KeyboardInterrupt:
        pass
    except BaseExceptionGroup as group:
        expected, rest = group.split((CopilotError, asyncio.CancelledError))
        if rest is not None:
            raise
        assert expected is not None
        fail(str(_first(expected)))
    except CopilotError as error:
        fail(error.message)


@contextmanager
def expecting_errors() -> Iterator[None]:
    """The same for work that does not wait for anything; asked to stop, it tidies up."""
    from copilot.domain.errors import CopilotError

    os.umask(0o077)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except CopilotError as error:
        fail(error.message)
    except KeyboardInterrupt:
        fail("stopped; nothing was changed")


def fail(message: str) -> NoReturn:
    """Ends the command with this mistake."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)


async def _until_signal(work: Coroutine[object, object, None]) -> None:
    import asyncio

    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
