"""GitLab, of its makers and self-managed, by its REST API.

The token needs the scope `api` and the role Developer in the one project.

https://docs.gitlab.com/api/commits/ https://docs.gitlab.com/api/merge_requests/
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from copilot.domain.errors import NotFound, Refused, TooLarge
from copilot.domain.pull_request import FileEdit, PullRequest, PullState
from copilot.githost import opening
from copilot.githost.github import MOST_REMEMBERED, shown_url
from copilot.githost.paths import as_text, checked_branch, checked_commit, checked_path
from copilot.githost.rest import Rest

PER_PAGE = 100
MOST_PAGES = 100


class _Project(msgspec.Struct):
    default_branch: str | None


class _Commit(msgspec.Struct):
    id: str


class _Branch(msgspec.Struct):
    commit: _Commit


class _Entry(msgspec.Struct):
    id: str
    path: str
    type: str
    mode: str


class _MergeRequest(msgspec.Struct):
    iid: int
    web_url: str
    state: str
    source_branch: str
    target_project_id: int
    source_project_id: int | None = None
    """None where the fork was deleted."""
    sha: str | None = None
    merge_commit_sha: str | None = None
    squash_commit_sha: str | None = None


class GitLab:
    """Meets `copilot.ports.GitHost`; `repository` is the project's whole path."""

    is_simulation = False
    poll_s = 30.0

    def __init__(self, *, api: str, repository: str, token: str) -> None:
        self._repository = repository
        self._at = f"/projects/{quote(repository, safe='')}"
        self._rest = Rest(
            host="GitLab",
            api=api,
            headers={"Authorization": f"Bearer {token.strip()}"},
            token=token,
        )
        self._trees: dict[str, list[_Entry]] = {}
        self._blobs: dict[str, str] = {}

    async def close(self) -> None:
        await self._rest.close()

    @property
    def api(self) -> str:
        """The address the token goes to."""
        return self._rest.api

    @property
    def repository(self) -> str:
        return self._repository

    async def default_branch(self) -> str:
        branch = (await self._rest.json("GET", self._at, _Project)).default_branch
        if not branch:
            raise NotFound(f"{self._repository} has no branch yet")
        return branch

    async def head(self, branch: str) -> str:
        name = quote(checked_branch(branch), safe="")
        path = f"{self._at}/repository/branches/{name}"
        return (await self._rest.json("GET", path, _Branch)).commit.id

    async def paths(self, commit: str) -> tuple[str, ...]:
        tree = await self._tree(commit)
        return tuple(e.path for e in tree if e.type == "blob" and e.mode != "120000")

    async def read(self, path: str, commit: str) -> str:
        checked_path(path)
        entry = next((e for e in await self._tree(commit) if e.path == path), None)
        if entry is None or entry.type != "blob" or entry.mode == "120000":
            raise NotFound(f"{self._repository} has no file {path}")
        if entry.id not in self._blobs:
            body = await self._rest.raw("GET", f"{self._at}/repository/blobs/{entry.id}/raw")
            if len(self._blobs) >= MOST_REMEMBERED:
                self._blobs.clear()
            self._blobs[entry.id] = as_text(path, body)
        return self._blobs[entry.id]

    async def open_change(
        self, *, branch: str, base: str, edits: Sequence[FileEdit], title: str, body: str
    ) -> PullRequest:
        return await opening.open_change(
            self, branch=branch, base=base, edits=edits, title=title, body=body
        )

    async def state(self, number: int) -> PullRequest:
        path = f"{self._at}/merge_requests/{number}"
        return _request(await self._rest.json("GET", path, _MergeRequest))

    async def merge(self, number: int) -> PullRequest:
        raise Refused("merge requests on GitLab are merged by people, on GitLab")

    # ------------------------------------------------------------- what opening needs

    async def find(self, branch: str, base: str) -> PullRequest | None:
        found = await self._rest.json(
            "GET",
            f"{self._at}/merge_requests",
            list[_MergeRequest],
            params={"source_branch": branch, "target_branch": base, "state": "all"},
        )
        # Anybody may open one from a fork, with a branch of whatever name.
        ours = [
            request
            for request in found
            if request.source_branch == branch
            and request.source_project_id == request.target_project_id
        ]
        return _request(max(ours, key=lambda request: request.iid)) if ours else None

    async def make_branch(
        self, branch: str, commit: str, edits: Sequence[FileEdit], message: str
    ) -> None:
        actions = [
            {
                "action": "update",
                "file_path": edit.path,
                "content": edit.after,
                "encoding": "text",
            }
            for edit in edits
        ]
        await self._rest.raw(
            "POST",
            f"{self._at}/repository/commits",
            body={
                "branch": branch,
                "start_sha": commit,
                "commit_message": message,
                "actions": actions,
            },
        )

    async def make_request(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        wanted = {
            "source_branch": branch,
            "target_branch": base,
            "title": title,
            "description": body,
            "remove_source_branch": True,
        }
        path = f"{self._at}/merge_requests"
        return _request(await self._rest.json("POST", path, _MergeRequest, body=wanted))

    async def _tree(self, commit: str) -> list[_Entry]:
        """A commit's tree never changes; the last few are remembered."""
        if checked_commit(commit) not in self._trees:
            found: list[_Entry] = []
            for page in range(1, MOST_PAGES + 1):
                entries = await self._rest.json(
                    "GET",
                    f"{self._at}/repository/tree",
                    list[_Entry],
                    params={
                        "ref": commit,
                        "recursive": "true",
                        "per_page": PER_PAGE,
                        "page": page,
                    },
                )
                found += entries
                if len(entries) < PER_PAGE:
                    break
            else:
                raise TooLarge(f"{self._repository} has more than {len(found)} files")
            while len(self._trees) >= 4:
                self._trees.pop(next(iter(self._trees)))
            self._trees[commit] = found
        return self._trees[commit]


def _request(request: _MergeRequest) -> PullRequest:
    is_merged = request.state == "merged"
    state = PullState.CLOSED if request.state == "closed" else PullState.OPEN
    merged_as = request.merge_commit_sha or request.squash_commit_sha or request.sha or ""
    return PullRequest(
        number=request.iid,
        url=shown_url(request.web_url),
        branch=request.source_branch,
        state=PullState.MERGED if is_merged else state,
        merge_commit=merged_as if is_merged else "",
    )
