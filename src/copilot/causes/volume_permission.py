"""A program may not write where it wants to: a read-only mount or root, or another user's files."""

from __future__ import annotations

import re
from dataclasses import dataclass

from copilot.causes.changed import rolled_out
from copilot.causes.citing import concluded, line_key, object_key, said
from copilot.causes.failures import container_of, failing_pods
from copilot.causes.references import workload_ref
from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.event import LogLine
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict
from copilot.domain.objects import Container, Pod, SecurityContext, VolumeMount

LOGGED_AND_SHOWN = 0.93
LOGGED = 0.7
_READ_ONLY = re.compile(r"read-only file ?system|EROFS", re.IGNORECASE)
_DENIED = re.compile(r"permission denied|EACCES|operation not permitted", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w:/.])(/[\w.@-]+(?:/[\w.@-]+)*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwritable:
    """A path that a container may not write, by its own word."""

    line: LogLine
    pod: Pod
    container: Container
    path: str

    @property
    def mount(self) -> VolumeMount | None:
        """The innermost that the path lies in."""
        over = [
            m
            for m in self.container.volume_mounts or ()
            if self.path == m.mount_path or self.path.startswith(m.mount_path.rstrip("/") + "/")
        ]
        return max(over, key=lambda m: len(m.mount_path), default=None)

    @property
    def user(self) -> int:
        """That it runs as where the spec says, 0 for root and for what the image says."""
        return next((c.run_as_user for c in self._contexts if c.run_as_user is not None), 0)

    @property
    def group(self) -> int:
        """The first of its user's, where the spec says; 0 as above."""
        return next((c.run_as_group for c in self._contexts if c.run_as_group is not None), 0)

    @property
    def _contexts(self) -> list[SecurityContext]:
        both = (self.container.security_context, self.pod.spec.security_context)
        return [context for context in both if context is not None]


def volume_permission(case: Case) -> Hypothesis | None:
    """Supported where a failing container logged that it may not write a path; surer where its
    spec shows why."""
    found = unwritable(case)
    if found is None:
        return None
    detail, shown = _shown(found)
    return concluded(
        Cause.VOLUME_PERMISSION,
        title=f"{found.container.name} may not write {one_line(found.path, 80)}",
        verdict=Verdict.SUPPORTED,
        confidence=LOGGED_AND_SHOWN if shown else LOGGED,
        supporting=(
            *said(case, f"It logged: {one_line(found.line.body)}", line_key(found.line)),
            *(said(case, shown, object_key(found.pod.metadata)) if shown else ()),
            *rolled_out(case),
        ),
        next_check="" if shown else f"Look who owns {one_line(found.path, 80)} in the container.",
        subject=workload_ref(case),
        detail=detail,
    )


def unwritable(case: Case) -> Unwritable | None:
    """The last that a failing container complained about."""
    for pod in failing_pods(case):
        for line in reversed(case.lines):
            if line.pod != pod.metadata.name or line_key(line) not in case.cited_as:
                continue
            container = container_of(pod.spec, line.container) or _only(pod)
            path = _path(line.body)
            if container and path and not _is_its_command(container, path):
                return Unwritable(line=line, pod=pod, container=container, path=path)
    return None


def _only(pod: Pod) -> Container | None:
    own = pod.spec.containers or []
    return own[0] if len(own) == 1 else None


def _path(body: str) -> str:
    """The path a line complains about: `permission denied` is said of tables and keys as well."""
    if not _READ_ONLY.search(body) and not _DENIED.search(body):
        return ""
    found = _PATH.findall(body)
    return found[-1] if found else ""


def _is_its_command(container: Container, path: str) -> bool:
    """What may not be run is no volume's matter; what a shell only writes to may be."""
    runs = re.compile(rf"(?:^|[;&|]\s*|\bexec\s+){re.escape(path)}(?:$|[\s;&|])")
    return any(runs.search(word) for word in (*(container.command or ()), *(container.args or ())))


def _shown(found: Unwritable) -> tuple[str, str]:
    """Which way it is, and what in the spec shows it."""
    mount = found.mount
    context = found.container.security_context
    is_read_only = _READ_ONLY.search(found.line.body) is not None
    if mount and mount.read_only:
        return "read_only_mount", f"Volume {mount.name} is mounted read-only at {mount.mount_path}."
    is_root_closed = context is not None and context.read_only_root_filesystem is True
    if mount is None and is_root_closed and is_read_only:
        return "read_only_root", (
            f"The container's root file system is read-only, and no volume is mounted at "
            f"{one_line(found.path, 80)}."
        )
    user = found.user
    if mount and user:
        group = found.pod.spec.security_context
        owns = group is not None and group.fs_group is not None
        without = "" if owns else " without an fsGroup that would own the volume"
        return "not_owner", (
            f"The container runs as user {user}{without}; volume {mount.name} is mounted at "
            f"{mount.mount_path}."
        )
    return ("read_only" if is_read_only else "not_owner"), ""
