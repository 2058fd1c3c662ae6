"""What a path, a branch and a file may be. Pure."""

from __future__ import annotations

import re

from copilot.domain.errors import Invalid, TooLarge

MAX_BYTES = 512 * 1024
"""Of one manifest."""

_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,180}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def checked_path(path: str) -> str:
    """A path of a file within the repository.

    Raises:
        Invalid: it leads out of it, into `.git`, or is none.
    """
    parts = path.split("/")
    is_odd = any(part in ("", ".", "..") or part.lower() == ".git" for part in parts)
    if is_odd or "\\" in path or not path.isprintable() or len(path) > 1000:
        raise Invalid(f"{path[:200]!r} is no path within the repository")
    return path


def checked_branch(branch: str) -> str:
    """A branch's name that needs no quoting anywhere.

    Raises:
        Invalid: it is none.
    """
    is_odd = ".." in branch or "//" in branch or branch.endswith(("/", ".", ".lock"))
    if not _BRANCH.fullmatch(branch) or is_odd or "/." in branch:
        raise Invalid(f"{branch[:200]!r} is no branch name that is used here")
    return branch


def checked_commit(commit: str) -> str:
    """A commit's whole hash.

    Raises:
        Invalid: it is none.
    """
    if not _COMMIT.fullmatch(commit):
        raise Invalid(f"{commit[:80]!r} is no commit")
    return commit


def as_text(path: str, body: bytes) -> str:
    """A file's text.

    Raises:
        TooLarge, Invalid: it is no manifest.
    """
    if len(body) > MAX_BYTES:
        raise TooLarge(f"{path} has more than {MAX_BYTES} bytes")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Invalid(f"{path} is no UTF-8 text") from None
