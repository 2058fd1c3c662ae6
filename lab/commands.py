"""Other people's programs, and what the lab says when one of them fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

LONGEST_SAID = 4000


class LabError(Exception):
    """The message is for people: what is missing or went wrong, and the next step."""


def output(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """What a command printed.

    Raises:
        LabError: it failed; the message has the end of what it said.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-LONGEST_SAID:]
        raise LabError(f"`{' '.join(command)}` failed: {said}")
    return done.stdout
