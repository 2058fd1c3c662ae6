"""A fix as a commit on a branch and a pull request: what would be opened, and what became of it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FileEdit(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a repository, before and after, whole: what is approved is exactly that."""

    path: str
    before: str
    after: str


class PullDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a pull request would hold. It stands in the proposal's digest."""

    repository: str
    """For people, `owner/name`; never with credentials."""
    base: str
    """The branch it is to be merged into."""
    root: str
    """The folder or file that makes this cluster; empty for the whole repository."""
    edits: tuple[FileEdit, ...]
    diff: str
    """Unified, of the files."""
    is_simulation: bool = False
    """The repository is a local one of ours, where it may be merged from here."""
    notes: tuple[str, ...] = ()
    """What a reviewer should know: other places that use the same file."""


class PullState(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"
    """Without a merge: people said no."""


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request (GitLab: merge request) as the host shows it."""

    number: int
    url: str
    """Where people look at it; empty where the host has no pages."""
    branch: str
    state: PullState
    merge_commit: str = ""
    """Empty until merged."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How the delivery of one proposal through Git goes on. Times are 0 until seen merged."""

    request: PullRequest
    opened_us: int
    merged_us: int = 0
    revert: PullRequest | None = None
    """The one that takes it back, where it did not hold."""
    revert_merged_us: int = 0
    trouble: str = ""
    """Why its host does not tell any more what became of it; empty while it does."""
    trouble_us: int = 0
    """Since when."""
    n_refused: int = 0
    """How many looks in a row came to that."""
