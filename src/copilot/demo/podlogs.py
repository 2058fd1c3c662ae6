"""The log of a container, as `GET .../pods/NAME/log` gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from copilot.demo import failures
from copilot.demo.containers import Container, LogLine, Run
from copilot.demo.failures import FieldProblem
from copilot.demo.kinds import Obj
from copilot.demo.kubelet import Kubelet
from copilot.demo.times import SECOND_US, from_text, to_nanosecond


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What the query asks for; None where it does not say."""

    container: str = ""
    is_previous: bool = False
    is_followed: bool = False
    has_timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since_us: int | None = None


def read_options(query: Mapping[str, str], now_us: int) -> LogOptions:
    """Raises: ApiFailure 400 or 422."""
    since_us = None
    if "sinceSeconds" in query:
        since_us = now_us - _number(query, "sinceSeconds", least=1) * SECOND_US
    elif "sinceTime" in query:
        since_us = _time(query["sinceTime"])
    return LogOptions(
        container=query.get("container", ""),
        is_previous=_flag(query, "previous"),
        is_followed=_flag(query, "follow"),
        has_timestamps=_flag(query, "timestamps"),
        tail_lines=_number(query, "tailLines", least=0) if "tailLines" in query else None,
        limit_bytes=_number(query, "limitBytes", least=1) if "limitBytes" in query else None,
        since_us=since_us,
    )


def find_run(kubelet: Kubelet, pod: Obj, options: LogOptions) -> Run:
    """The life of the container whose log is asked for.

    Raises:
        ApiFailure: 400 where there is no such container, or it has not run.
    """
    name = pod["metadata"]["name"]
    names = [container["name"] for container in pod["spec"]["containers"]]
    wanted = options.container or (names[0] if len(names) == 1 else "")
    if not wanted:
        told = " ".join(names)
        raise failures.bad_request(
            f"a container name must be specified for pod {name}, choose one of: [{told}]"
        )
    if wanted not in names:
        raise failures.bad_request(f"container {wanted} is not valid for pod {name}")
    container = _running_container(kubelet, pod, wanted)
    marker = _container_id(container, is_previous=options.is_previous)
    runs = (container.current, container.previous) if container else ()
    for run in runs:
        if run is not None and marker == f"containerd://{run.container_id}":
            return run
    if options.is_previous:
        message = f'previous terminated container "{wanted}" in pod "{name}" not found'
        raise failures.bad_request(message)
    reason = _waiting_reason(container)
    raise failures.bad_request(
        f'container "{wanted}" in pod "{name}" is waiting to start: {reason}'
    )


def text(run: Run, options: LogOptions) -> str:
    """The lines, cut as asked; a limit of bytes counts from the first line shown."""
    lines = [
        line for line in run.lines if options.since_us is None or line.at_us >= options.since_us
    ]
    if options.tail_lines is not None:
        lines = lines[len(lines) - options.tail_lines :] if options.tail_lines else []
    return cut("".join(told(line, options) for line in lines), options.limit_bytes)


def told(line: LogLine, options: LogOptions) -> str:
    """One line as it is sent."""
    stamp = f"{to_nanosecond(line.at_us)} " if options.has_timestamps else ""
    return f"{stamp}{line.text}\n"


def cut(body: str, limit_bytes: int | None) -> str:
    if limit_bytes is None:
        return body
    return body.encode()[:limit_bytes].decode(errors="ignore")


def _running_container(kubelet: Kubelet, pod: Obj, name: str) -> Container | None:
    run = kubelet.pods.get(pod["metadata"]["uid"])
    return next((c for c in run.containers if c.name == name), None) if run else None


def _container_id(container: Container | None, *, is_previous: bool) -> str:
    """Which life a kubelet reads: while it waits to run again, last and previous are the same."""
    if container is None:
        return ""
    last = str((container.last_state.get("terminated") or {}).get("containerID", ""))
    if is_previous or "waiting" in container.state:
        return last
    return f"containerd://{container.current.container_id}" if container.current else ""


def _waiting_reason(container: Container | None) -> str:
    if container is None:
        return "ContainerCreating"
    reason = (container.state.get("waiting") or {}).get("reason", "ContainerCreating")
    is_image = reason in ("ErrImagePull", "ImagePullBackOff")
    return "trying and failing to pull image" if is_image else str(reason)


def _flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true", "t")


def _number(query: Mapping[str, str], name: str, *, least: int) -> int:
    value = query[name]
    try:
        number = int(value)
    except ValueError:
        message = f'strconv.ParseInt: parsing "{value}": invalid syntax'
        raise failures.bad_request(message) from None
    if number < least:
        rule = "greater than 0" if least else "greater than or equal to 0"
        message = f"Invalid value: {number}: must be {rule}"
        raise failures.invalid_options("PodLogOptions", FieldProblem(field=name, message=message))
    return number


def _time(value: str) -> int:
    try:
        return from_text(value)
    except ValueError:
        raise failures.bad_request(f'parsing time "{value}": cannot parse') from None


def after(run: Run, last: LogLine | None) -> list[LogLine]:
    """The lines that came after this one."""
    fresh: list[LogLine] = []
    for line in reversed(run.lines):
        if line is last:
            break
        fresh.append(line)
    return fresh[::-1]
