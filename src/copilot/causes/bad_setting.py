"""A variable or a value of a ConfigMap with which the program cannot work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from copilot.causes.citing import concluded, line_key, object_key, said
from copilot.causes.connecting import How, calls, readdressed
from copilot.causes.failures import (
    alerts_of,
    began_us,
    failing_pods,
    failing_revision,
    is_of_older_revision,
    oom_kills,
    was_fine,
)
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import SLACK_US, Part, Rollout, just_before, variable_of
from copilot.causes.settings import SHORTEST, Setting, settings_of, words_of
from copilot.causes.wording import clock, one_line, plain, time_before
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.event import LogLine
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import ObjectRef

CHANGED_AND_NAMED = 0.97
CHANGED_ALONE = 0.72
ONLY_NEW_PODS_FAIL = 0.12
NAMED_AS_WRONG = 0.7
NAMED = 0.4
_WRONG = re.compile(
    r"invalid|illegal|unknown|unsupported|unrecogni[sz]ed|not (?:a )?valid|malformed|must be|"
    r"is required|missing|not set|cannot parse|can't parse|parse error|failed to parse|"
    r"bad (?:value|address|url|port)|out of range|no such (?:host|database|user)|"
    r"authentication failed|unauthori[sz]ed|could not translate host",
    re.IGNORECASE,
)
_TROUBLE = re.compile(
    r"error|fail|fatal|panic|exception|cannot|can't|could not|refused|denied|invalid|unable",
    re.IGNORECASE,
)
_ERRORS = ("error", "fatal")
_CONNECTS_NOT = frozenset({How.UNRESOLVED, How.REFUSED, How.TIMEOUT, How.UNREACHABLE})
_OF_A_PROGRAM = (
    Rule.CRASH_LOOP,
    Rule.NOT_READY,
    Rule.ERROR_BURST,
    Rule.EXTERNAL,
    Rule.NO_ENDPOINTS,
    Rule.JOB_FAILED,
)
"""Signs of a program that runs and does not get on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A change of settings only, shortly before."""

    rollout: Rollout
    names: tuple[str, ...]
    values: tuple[str, ...]


def bad_setting(case: Case) -> Hypothesis | None:
    """Supported where only settings were changed just before, surer where the program's last words
    name one of them; and where those words call a setting wrong. Undecided where they merely name
    its value: an address may be right and what is behind it down."""
    if oom_kills(case) or not alerts_of(case, *_OF_A_PROGRAM):
        return None
    change = _settings_changed(case)
    words = _last_lines(case)
    if change is not None:
        return _changed(case, change, words)
    return _named(case, words)


# ------------------------------------------------------------------ changed just before


def settings_changed(case: Case) -> Rollout | None:
    """The change of nothing but settings that the trouble follows: just before the first sign, else
    just before a call to the address that it set failed."""
    first = just_before(case, began_us(case))
    later = (readdressed(case, c) for c in calls(case) if c.trouble.how in _CONNECTS_NOT)
    return next((r for r in (first, *later) if r is not None and _is_of_settings(r)), None)


def _is_of_settings(rollout: Rollout) -> bool:
    if rollout.config_map:
        return Part.CODE in rollout.parts
    return bool(rollout.fields) and all(_is_setting(f.path) for f in rollout.fields)


def _settings_changed(case: Case) -> _Change | None:
    rollout = settings_changed(case)
    if rollout is None:
        return None
    paths = [f.path for f in rollout.fields]
    is_config = bool(rollout.config_map)
    names = [p.removeprefix("data.").strip("[]") if is_config else variable_of(p) for p in paths]
    values = [v for f in rollout.fields for v in plain(f.after).splitlines()]
    return _Change(
        rollout=rollout,
        names=tuple(n for n in names if n),
        values=tuple(w for v in values for w in words_of(v)),
    )


def _is_setting(path: str) -> bool:
    is_variable = bool(variable_of(path))
    return is_variable or path.endswith(".envFrom") or ".metadata." in path


def _changed(case: Case, change: _Change, words: list[LogLine]) -> Hypothesis | None:
    rollout = change.rollout
    line = next((x for x in words if _speaks_of(x, (*change.names, *change.values))), None)
    contrast = _only_the_new_fail(case)
    names = [one_line(n, 40) for n in change.names[:3]] or ["what its variables are taken from"]
    was = "were" if len(names) > 1 else "was"
    them = "them" if len(names) > 1 else "it"
    confidence = CHANGED_AND_NAMED if line else CHANGED_ALONE
    return concluded(
        Cause.BAD_SETTING,
        title=f"{', '.join(names)} {was} changed{_of(rollout)}, and the program cannot work with "
        f"{them}",
        verdict=Verdict.SUPPORTED,
        confidence=confidence + (0 if line or not contrast else ONLY_NEW_PODS_FAIL),
        supporting=(
            *said(
                case,
                f"{_when(case, rollout)} only settings were changed{rollout.by}: {rollout.title}.",
                *rollout.keys,
            ),
            *_logged(case, line or next(iter(words), None)),
            *contrast,
        ),
        next_check="" if line else "Read what the program says about it when it starts.",
        subject=_owner(case, rollout.config_map),
        detail="config_value" if rollout.config_map else "variable",
    )


def _when(case: Case, rollout: Rollout) -> str:
    before_us = began_us(case) - rollout.at_us
    if before_us < -SLACK_US:
        return f"At {clock(rollout.at_us)}, before what fails now,"
    return f"{time_before(before_us)} the first sign, at {clock(rollout.at_us)},"


def _of(rollout: Rollout) -> str:
    return f" in ConfigMap {rollout.config_map}" if rollout.config_map else ""


def _only_the_new_fail(case: Case) -> tuple[Statement, ...]:
    fine = [p for p in case.pods if is_of_older_revision(case, p) and was_fine(case, p)]
    failing = failing_revision(case)
    if not fine or failing is None:
        return ()
    return said(
        case,
        f"{fine[0].metadata.name} of the revision before did not fail.",
        object_key(fine[0].metadata),
    )


# ------------------------------------------------------------------ named by the program


def _named(case: Case, words: list[LogLine]) -> Hypothesis | None:
    for line in words:
        if line.level not in _ERRORS and not _TROUBLE.search(line.body):
            continue
        for setting in _settings(case):
            if not _speaks_of(line, setting.words()):
                continue
            is_wrong = _WRONG.search(line.body) is not None and _speaks_of(line, (setting.name,))
            where = f" in ConfigMap {setting.config_map}" if setting.config_map else ""
            return concluded(
                Cause.BAD_SETTING,
                title=f"{one_line(setting.name, 60)}{where} may be wrong",
                verdict=Verdict.SUPPORTED if is_wrong else Verdict.INCONCLUSIVE,
                confidence=NAMED_AS_WRONG if is_wrong else NAMED,
                supporting=(
                    *_logged(case, line),
                    *said(
                        case,
                        f"Its spec sets {one_line(setting.name, 60)}{where}.",
                        *_sources(case, setting),
                    ),
                ),
                next_check=f"Compare {one_line(setting.name, 60)} with what the program expects.",
                subject=_owner(case, setting.config_map),
                detail="config_value" if setting.config_map else "variable",
            )
    return None


def _settings(case: Case) -> Iterator[Setting]:
    for pod in failing_pods(case)[:1]:
        yield from settings_of(case, pod.spec)


def _sources(case: Case, setting: Setting) -> Iterator[str]:
    maps = case.surroundings.config_maps
    yield from (object_key(m.metadata) for m in maps if m.metadata.name == setting.config_map)
    yield from (object_key(p.metadata) for p in failing_pods(case))


def _last_lines(case: Case) -> list[LogLine]:
    """Errors of the failing pods first, then anything they said, the last first."""
    names = {p.metadata.name for p in failing_pods(case)}
    told = [x for x in case.lines if x.pod in names and line_key(x) in case.cited_as]
    told.reverse()
    return sorted(told, key=lambda x: x.level not in _ERRORS)


def _speaks_of(line: LogLine, words: tuple[str, ...] | frozenset[str]) -> bool:
    return any(
        len(w) >= SHORTEST and re.search(rf"(?<![\w-]){re.escape(w)}(?![\w-])", line.body)
        for w in words
    )


def _logged(case: Case, line: LogLine | None) -> tuple[Statement, ...]:
    return said(case, f"It logged: {one_line(line.body)}", line_key(line)) if line else ()


def _owner(case: Case, config_map: str) -> ObjectRef:
    """The ConfigMap that holds the value, else the workload."""
    if not config_map:
        return workload_ref(case)
    maps = case.surroundings.config_maps
    uid = next((m.metadata.uid for m in maps if m.metadata.name == config_map), "")
    return ObjectRef(kind="ConfigMap", namespace=case.incident.namespace, name=config_map, uid=uid)
