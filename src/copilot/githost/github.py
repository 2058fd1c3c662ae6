"""GitHub, also GitHub Enterprise Server, by its REST API.

The token needs `contents: write` and `pull_requests: write` on the one repository.

https://docs.github.com/en/rest/git https://docs.github.com/en/rest/pulls/pulls
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from copilot.domain.errors import Invalid, NotFound, Refused, TooLarge, Unavailable
from copilot.domain.pull_request import FileEdit, PullRequest, PullState
from copilot.githost import opening
from copilot.githost.paths import as_text, checked_branch, checked_commit, checked_path
from copilot.githost.rest import Rest

MOST_REMEMBERED = 1000


class _Repository(msgspec.Struct):
    default_branch: str


class _Object(msgspec.Struct):
    sha: str


class _Ref(msgspec.Struct):
    object: _Object


class _Commit(msgspec.Struct):
    sha: str
    tree: _Object


class _Entry(msgspec.Struct):
    path: str
    mode: str
    type: str
    sha: str


class _Tree(msgspec.Struct):
    sha: str
    tree: list[_Entry]
    truncated: bool = False


class _Made(msgspec.Struct):
    """A tree or a commit that was just made."""

    sha: str


class _Blob(msgspec.Struct):
    content: str
    encoding: str


class _Head(msgspec.Struct):
    ref: str


class _Pull(msgspec.Struct):
    """As listed, where `merged` is missing, and by itself."""

    number: int
    html_url: str
    state: str
    head: _Head
    merged_at: str | None = None
    merge_commit_sha: str | None = None


class GitHub:
    """Meets `copilot.ports.GitHost`; `repository` is `owner/name`."""

    is_simulation = False
    poll_s = 30.0

    def __init__(self, *, api: str, repository: str, token: str) -> None:
        self._repository = repository
        self._owner = repository.partition("/")[0]
        self._at = f"/repos/{'/'.join(quote(part, safe='') for part in repository.split('/'))}"
        self._rest = Rest(
            host="GitHub",
            api=api,
            headers={
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                "Authorization": f"Bearer {token.strip()}",
            },
            token=token,
        )
        self._trees: dict[str, _Tree] = {}
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
        return (await self._rest.json("GET", self._at, _Repository)).default_branch

    async def head(self, branch: str) -> str:
        path = f"{self._at}/git/ref/heads/{quote(checked_branch(branch))}"
        return (await self._rest.json("GET", path, _Ref)).object.sha

    async def paths(self, commit: str) -> tuple[str, ...]:
        tree = await self._tree(commit)
        return tuple(e.path for e in tree.tree if e.type == "blob" and e.mode != "120000")

    async def read(self, path: str, commit: str) -> str:
        checked_path(path)
        entry = next((e for e in (await self._tree(commit)).tree if e.path == path), None)
        if entry is None or entry.type != "blob" or entry.mode == "120000":
            raise NotFound(f"{self._repository} has no file {path}")
        if entry.sha not in self._blobs:
            blob = await self._rest.json("GET", f"{self._at}/git/blobs/{entry.sha}", _Blob)
            if len(self._blobs) >= MOST_REMEMBERED:
                self._blobs.clear()
            self._blobs[entry.sha] = as_text(path, _decoded(blob))
        return self._blobs[entry.sha]

    async def open_change(
        self, *, branch: str, base: str, edits: Sequence[FileEdit], title: str, body: str
    ) -> PullRequest:
        return await opening.open_change(
            self, branch=branch, base=base, edits=edits, title=title, body=body
        )

    async def state(self, number: int) -> PullRequest:
        return _request(await self._rest.json("GET", f"{self._at}/pulls/{number}", _Pull))

    async def merge(self, number: int) -> PullRequest:
        raise Refused("pull requests on GitHub are merged by people, on GitHub")

    # ------------------------------------------------------------- what opening needs

    async def find(self, branch: str, base: str) -> PullRequest | None:
        found = await self._rest.json(
            "GET",
            f"{self._at}/pulls",
            list[_Pull],
            params={"head": f"{self._owner}:{branch}", "base": base, "state": "all"},
        )
        ours = [pull for pull in found if pull.head.ref == branch]
        return _request(max(ours, key=lambda pull: pull.number)) if ours else None

    async def make_branch(
        self, branch: str, commit: str, edits: Sequence[FileEdit], message: str
    ) -> None:
        now = await self._tree(commit)
        modes = {entry.path: entry.mode for entry in now.tree}
        changed = [
            {
                "path": edit.path,
                "mode": modes.get(edit.path, "100644"),
                "type": "blob",
                "content": edit.after,
            }
            for edit in edits
        ]
        tree = await self._rest.json(
            "POST", f"{self._at}/git/trees", _Made, body={"base_tree": now.sha, "tree": changed}
        )
        made = await self._rest.json(
            "POST",
            f"{self._at}/git/commits",
            _Made,
            body={"message": message, "tree": tree.sha, "parents": [commit]},
        )
        await self._rest.raw(
            "POST",
            f"{self._at}/git/refs",
            body={"ref": f"refs/heads/{branch}", "sha": made.sha},
        )

    async def make_request(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        wanted = {"title": title, "head": branch, "base": base, "body": body}
        return _request(await self._rest.json("POST", f"{self._at}/pulls", _Pull, body=wanted))

    async def _tree(self, commit: str) -> _Tree:
        """A commit's tree never changes; the last few are remembered."""
        if checked_commit(commit) not in self._trees:
            made = await self._rest.json("GET", f"{self._at}/git/commits/{commit}", _Commit)
            tree = await self._rest.json(
                "GET", f"{self._at}/git/trees/{made.tree.sha}", _Tree, params={"recursive": 1}
            )
            if tree.truncated:
                raise TooLarge(f"{self._repository} has more files than GitHub lists at once")
            while len(self._trees) >= 4:
                self._trees.pop(next(iter(self._trees)))
            self._trees[commit] = tree
        return self._trees[commit]


def _decoded(blob: _Blob) -> bytes:
    if blob.encoding != "base64":
        raise Unavailable(f"GitHub answered a file as {blob.encoding[:20]!r}")
    try:
        return base64.b64decode(blob.content)
    except (binascii.Error, ValueError):
        raise Unavailable("GitHub answered a file that is not base64") from None


def _request(pull: _Pull) -> PullRequest:
    state = PullState.OPEN if pull.state == "open" else PullState.CLOSED
    if pull.merged_at:
        state = PullState.MERGED
    return PullRequest(
        number=pull.number,
        url=shown_url(pull.html_url),
        branch=pull.head.ref,
        state=state,
        merge_commit=(pull.merge_commit_sha or "") if pull.merged_at else "",
    )


def shown_url(url: str) -> str:
    """An address for people to follow, empty where it is none: it comes from outside."""
    is_fine = url.startswith(("https://", "http://")) and url.isprintable() and len(url) < 2000
    return url if is_fine else ""


def repository_of(path: str) -> str:
    """`owner/name` from the path of a repository's address.

    Raises:
        Invalid: it is none.
    """
    name = path.strip("/").removesuffix(".git")
    if name.count("/") != 1 or not all(name.split("/")):
        raise Invalid(f"{path[:200]!r} does not name a repository as owner/name")
    return name
