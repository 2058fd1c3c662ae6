"""The Git hosts on the network, by what their repository's address says."""

from __future__ import annotations

from urllib.parse import SplitResult

from copilot.domain.errors import Invalid
from copilot.githost.github import GitHub, repository_of
from copilot.githost.gitlab import GitLab


def connect(*, kind: str, address: SplitResult, api: str, token: str) -> GitHub | GitLab:
    """The host of this repository; an empty `api` is where such hosts have it.

    Raises:
        Invalid: the address names no repository, or the API would be spoken to in the clear.
    """
    if api and not api.startswith("https://"):
        raise Invalid("COPILOT_GIT_API_URL must begin with https://: the token goes there")
    if kind == "gitlab":
        project = address.path.strip("/").removesuffix(".git")
        if "/" not in project:
            raise Invalid(f"{address.path[:200]!r} does not name a project as group/name")
        return GitLab(
            api=api or f"https://{address.netloc}/api/v4", repository=project, token=token
        )
    own = "https://api.github.com" if address.hostname == "github.com" else ""
    return GitHub(
        api=api or own or f"https://{address.netloc}/api/v3",
        repository=repository_of(address.path),
        token=token,
    )
