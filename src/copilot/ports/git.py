"""The repository that makes the cluster, and its pull requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from copilot.domain.pull_request import FileEdit, PullRequest


class GitHost(Protocol):
    """One repository and its pull requests. Errors: `NotFound` 404, `Refused` 401 and 403,
    `Conflict` 409, `Invalid` 422, `Busy` 429 and a used-up rate limit, `Unavailable`."""

    @property
    def repository(self) -> str:
        """For people, `owner/name`."""
        ...

    @property
    def is_simulation(self) -> bool:
        """Whether it is a repository of ours on disk, which `merge` is for."""
        ...

    @property
    def poll_s(self) -> float:
        """How long to leave it alone between two looks at a pull request."""
        ...

    async def default_branch(self) -> str: ...

    async def head(self, branch: str) -> str:
        """The commit a branch points to. Raises: NotFound."""
        ...

    async def paths(self, commit: str) -> tuple[str, ...]:
        """Every plain file of the commit's tree; no links, no submodules.

        Raises:
            TooLarge: there are more than the host lists.
        """
        ...

    async def read(self, path: str, commit: str) -> str:
        """A file's text, with its line ends as they are.

        Raises:
            NotFound: no such file.
            Invalid: it is no UTF-8 text, or a path that leads out of the repository.
            TooLarge: it is larger than a manifest may be.
        """
        ...

    async def open_change(
        self, *, branch: str, base: str, edits: Sequence[FileEdit], title: str, body: str
    ) -> PullRequest:
        """One commit on a new branch, and its pull request; what an earlier try had made of them
        is found by the branch's name and not made again.

        Raises:
            Conflict: a file of the base is not any more as `before`, or the branch holds
                something else; no pull request was opened.
        """
        ...

    async def state(self, number: int) -> PullRequest:
        """Raises: NotFound."""
        ...

    async def merge(self, number: int) -> PullRequest:
        """Merge it, which only the simulation's own host does: elsewhere people do.

        Raises:
            Refused: this is a host of people's.
            Conflict: it is closed, or does not merge.
        """
        ...
