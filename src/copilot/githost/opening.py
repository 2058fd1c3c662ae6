"""A branch with one commit and its pull request, found again by name after any interruption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from copilot.domain.errors import Conflict, Invalid, NotFound
from copilot.domain.pull_request import FileEdit, PullRequest
from copilot.githost.paths import checked_branch, checked_path


class Steps(Protocol):
    """What a host does by itself."""

    async def head(self, branch: str) -> str: ...
    async def read(self, path: str, commit: str) -> str: ...

    async def find(self, branch: str, base: str) -> PullRequest | None:
        """The pull request of this branch, whatever became of it; the newest of several."""
        ...

    async def make_branch(
        self, branch: str, commit: str, edits: Sequence[FileEdit], message: str
    ) -> None:
        """The branch, one commit after `commit`. Raises Conflict or Invalid where it is there."""
        ...

    async def make_request(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        """Raises Conflict or Invalid where there is one."""
        ...


async def open_change(
    host: Steps, *, branch: str, base: str, edits: Sequence[FileEdit], title: str, body: str
) -> PullRequest:
    """See `copilot.ports.GitHost`."""
    checked_branch(branch)
    for edit in edits:
        checked_path(edit.path)
    found = await host.find(branch, base)
    if found is not None:
        return found
    if not await _is_made(host, branch, edits):
        commit = await host.head(base)
        for edit in edits:
            if await host.read(edit.path, commit) != edit.before:
                raise Conflict(f"{edit.path} on {base} is not any more what was approved")
        try:
            await host.make_branch(branch, commit, edits, title)
        except (Conflict, Invalid):
            if not await _is_made(host, branch, edits):
                raise
    try:
        return await host.make_request(branch, base, title, body)
    except (Conflict, Invalid):
        found = await host.find(branch, base)
        if found is None:
            raise
        return found


async def _is_made(host: Steps, branch: str, edits: Sequence[FileEdit]) -> bool:
    """Whether an earlier try made the branch.

    Raises:
        Conflict: it is there and holds something else.
    """
    try:
        commit = await host.head(branch)
    except NotFound:
        return False
    for edit in edits:
        if await host.read(edit.path, commit) != edit.after:
            raise Conflict(f"branch {branch} holds something else in {edit.path}")
    return True
