"""What a container should run is not in its image, or cannot be run there."""

from __future__ import annotations

import re

from copilot.causes.changed import rolled_out
from copilot.causes.citing import concluded, line_key, object_key, said
from copilot.causes.failures import Ending, container_of, endings, failing_pods, statuses_of
from copilot.causes.references import workload_ref
from copilot.causes.refusals import refused_starts
from copilot.causes.rollouts import Part
from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.event import LogLine
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import Pod

SAID_BY_THE_RUNTIME = 0.96
SAID_BY_THE_SHELL = 0.88
EXIT_CODE_ALONE = 0.6
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""https://www.gnu.org/software/bash/manual/html_node/Exit-Status.html"""
_SIGNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("wrong_format", re.compile(r"exec format error", re.IGNORECASE)),
    ("working_directory", re.compile(r"chdir to cwd|mkdir \S+: not a directory")),
    (
        "not_found",
        re.compile(
            r"executable file not found|exec: [^\n]{0,300}?no such file or directory|command not found|"
            r": not found\b|No such file or directory"
        ),
    ),
    ("not_executable", re.compile(r"permission denied", re.IGNORECASE)),
)
_SAID = {
    "not_found": "is not in the image",
    "not_executable": "may not be run",
    "wrong_format": "is not made for this machine",
    "working_directory": "has a working directory that is not there",
}
_NAMED = re.compile(
    r'exec: \\?"([^"\\]+)\\?"|exec (/\S+): exec format|executable file `([^`\n]{1,300})`'
)
_NOT_MADE = re.compile(
    r"container create failed: [^\n]{0,300}?executable file [^\n]{0,300}?not found"
)
"""CRI-O's words, with crun's or runc's: it makes no container of a program that is not there."""


def command_invalid(case: Case) -> Hypothesis | None:
    """Supported where the runtime or a shell says that there is nothing to run; undecided where
    only the exit code does."""
    for ending in reversed(endings(case)):
        if ending.is_oom or object_key(ending.pod.metadata) not in case.cited_as:
            continue
        found = _by_the_runtime(case, ending) or _by_the_shell(case, ending)
        if found:
            return found
    return _never_made(case)


def _never_made(case: Case) -> Hypothesis | None:
    """No container, so no ending: the pod waits."""
    for refusal in refused_starts(case):
        if refusal.pod is not None and refusal.container and _NOT_MADE.search(refusal.text):
            return _concluded(
                case,
                refusal.pod,
                refusal.container,
                refusal.text,
                "not_found",
                SAID_BY_THE_RUNTIME,
                said(case, f"{refusal.who} cannot be made: {_short(refusal.text)}.", *refusal.keys),
            )
    return None


def _by_the_runtime(case: Case, ending: Ending) -> Hypothesis | None:
    """A container that was never started: its status says why."""
    text = ending.message or _waiting_message(case, ending)
    is_start = ending.reason in ("StartError", "ContainerCannotRun") or "exec format" in text
    way = _way(text) if is_start else ""
    if not way:
        return None
    return _concluded(
        case,
        ending.pod,
        ending.container,
        ending.message,
        way,
        SAID_BY_THE_RUNTIME,
        said(
            case,
            f"{ending.container} in {ending.pod.metadata.name} cannot be started "
            f"({ending.reason}): {_short(text)}.",
            object_key(ending.pod.metadata),
        ),
    )


def _waiting_message(case: Case, ending: Ending) -> str:
    for status in statuses_of(ending.pod):
        waits = status.state.waiting if status.state else None
        if status.name == ending.container and waits and waits.reason == "RunContainerError":
            return waits.message
    return ""


def _by_the_shell(case: Case, ending: Ending) -> Hypothesis | None:
    """A shell that ran, and found nothing to run."""
    line = _telling_line(case, ending)
    is_code = ending.exit_code in (NOT_FOUND, NOT_EXECUTABLE)
    if not is_code and not (line and "exec format error" in line.body.lower()):
        return None
    meaning = "not_found" if ending.exit_code == NOT_FOUND else "not_executable"
    way = (_way(line.body) if line else "") or meaning
    code = said(
        case,
        f"{ending.container} in {ending.pod.metadata.name} ended with exit code "
        f"{ending.exit_code}, which a shell gives where a command {_SAID[meaning]}.",
        object_key(ending.pod.metadata),
    )
    words = said(case, f"The last it logged: {one_line(line.body)}", line_key(line)) if line else ()
    return _concluded(
        case,
        ending.pod,
        ending.container,
        ending.message,
        way,
        SAID_BY_THE_SHELL if words else EXIT_CODE_ALONE,
        (*code, *words),
    )


def _telling_line(case: Case, ending: Ending) -> LogLine | None:
    names = {p.metadata.name for p in failing_pods(case)}
    told = [
        line
        for line in case.lines
        if line.pod in names
        and line.container in ("", ending.container)
        and line_key(line) in case.cited_as
        and _way(line.body)
    ]
    return told[-1] if told else None


def _way(text: str) -> str:
    return next((way for way, sign in _SIGNS if sign.search(text)), "")


def _short(text: str) -> str:
    """The runtime's words without what it says about itself."""
    return one_line(
        text.rpartition("unable to start container process: ")[2].removesuffix(": unknown"), 200
    )


def _concluded(
    case: Case,
    pod: Pod,
    container: str,
    text: str,
    way: str,
    confidence: float,
    supporting: tuple[Statement, ...],
) -> Hypothesis | None:
    named = _NAMED.search(text)
    program = (named[1] or named[2] or named[3]) if named else _first_word(pod, container)
    what = f"{one_line(program, 80)} of {container}" if program else container
    return concluded(
        Cause.COMMAND_INVALID,
        title=f"The command {what} {_SAID[way]}",
        verdict=Verdict.SUPPORTED,
        confidence=confidence,
        supporting=(*supporting, *rolled_out(case, lambda r: Part.CODE in r.parts)),
        next_check="" if confidence > EXIT_CODE_ALONE else "Read what it logged before it ended.",
        subject=workload_ref(case),
        detail=way,
    )


def _first_word(pod: Pod, container: str) -> str:
    spec = container_of(pod.spec, container)
    return next(iter((spec.command if spec else None) or ()), "")
