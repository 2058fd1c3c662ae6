"""GitHub and GitLab as small honest servers: a repository in memory behind the calls we make.

Each request to GitHub is held against its published OpenAPI description (`tests/published.py`). No
package holds GitLab's: the `Shape`s below are ours, written by hand from its documentation. An unknown path, parameter or field is a failed test.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests import published
from tests.fakes_http import Answer, Request, says

TOKEN = "glpat-or-ghp-0123456789"
BASE = "main"


def sha_of(*parts: str) -> str:
    return hashlib.sha1("\0".join(parts).encode(), usedforsecurity=False).hexdigest()


@dataclass
class Pull:
    number: int
    branch: str
    base: str
    state: str = "open"
    merged_as: str = ""
    is_from_a_fork: bool = False


@dataclass
class Repository:
    """Branches, commits (each the whole content by path) and pull requests."""

    commits: dict[str, dict[str, str]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    pulls: list[Pull] = field(default_factory=list)

    def commit(self, files: dict[str, str], *parents: str) -> str:
        sha = sha_of(*parents, *(f"{path}\0{text}" for path, text in sorted(files.items())))
        self.commits[sha] = files
        return sha

    def blob(self, sha: str) -> str | None:
        texts = (text for files in self.commits.values() for text in files.values())
        return next((text for text in texts if sha_of(text) == sha), None)

    def merge(self, number: int) -> None:
        pull = self.pulls[number - 1]
        files = {**self.commits[self.branches[BASE]], **self.commits[self.branches[pull.branch]]}
        pull.merged_as = self.commit(files, self.branches[BASE], self.branches[pull.branch])
        pull.state, self.branches[BASE] = "merged", pull.merged_as


Fields = dict[str, type | tuple[type, ...]]


@dataclass(frozen=True)
class Shape:
    """A request: its path, its query, its body."""

    method: str
    path: str
    answer: Callable[..., Answer]
    query: frozenset[str] = frozenset()
    required: Fields = field(default_factory=dict)
    optional: Fields = field(default_factory=dict)

    def check(self, request: Request) -> None:
        assert set(request.query) <= self.query, request.query
        body = request.json if request.body else {}
        assert set(self.required) <= set(body) <= {*self.required, *self.optional}, body
        for name, value in body.items():
            assert isinstance(value, {**self.required, **self.optional}[name]), (name, value)


class Host:
    """What both have: they find the shape, check who asks, and may be told to fail once."""

    shapes: tuple[Shape, ...]

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.failures: list[Answer] = []
        self.cut: list[str] = []
        """`METHOD path-end`: there the connection is cut once, the work being done."""

    def __call__(self, request: Request) -> Answer | None:
        assert TOKEN not in request.path
        assert TOKEN not in str(request.query)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return says({"message": "Bad credentials"}, 401)
        if self.failures:
            return self.failures.pop(0)
        for shape in self.shapes:
            match = re.fullmatch(shape.path, request.path)
            if shape.method == request.method and match:
                self.check(shape, request)
                answer = shape.answer(self, request, *map(unquote, match.groups()))
                return None if self._is_cut(request) else answer
        raise AssertionError(f"no such call is published: {request.method} {request.path}")

    def check(self, shape: Shape, request: Request) -> None:
        shape.check(request)

    def _is_cut(self, request: Request) -> bool:
        for cut in self.cut:
            method, _, end = cut.partition(" ")
            if request.method == method and request.path.endswith(end):
                self.cut.remove(cut)
                return True
        return False


class FakeGitHub(Host):
    """https://docs.github.com/en/rest, version 2022-11-28."""

    def __call__(self, request: Request) -> Answer | None:
        assert request.headers["accept"] == "application/vnd.github+json"
        assert request.headers["x-github-api-version"] == "2022-11-28"
        assert request.headers["user-agent"]
        published.check("github", request)
        return super().__call__(request)

    def check(self, shape: Shape, request: Request) -> None:
        """It is held against what is published."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self.trees: dict[str, dict[str, str]] = {}

    def _repository(self, request: Request) -> Answer:
        return says({"id": 1, "full_name": "acme/cluster", "default_branch": BASE})

    def _ref(self, request: Request, branch: str) -> Answer:
        sha = self.repository.branches.get(branch)
        if sha is None:
            return says({"message": "Not Found", "status": "404"}, 404)
        return says({"ref": f"refs/heads/{branch}", "object": {"type": "commit", "sha": sha}})

    def _commit(self, request: Request, sha: str) -> Answer:
        self.trees[f"{sha[:39]}t"[:40]] = self.repository.commits[sha]
        return says({"sha": sha, "tree": {"sha": f"{sha[:39]}t"}, "parents": []})

    def _tree(self, request: Request, sha: str) -> Answer:
        assert request.query == {"recursive": "1"}
        entries = [
            {"path": path, "mode": "100644", "type": "blob", "sha": sha_of(text), "size": len(text)}
            for path, text in self.trees[sha].items()
        ]
        folder = {"path": "apps", "mode": "040000", "type": "tree", "sha": "0" * 40}
        link = {"path": "link", "mode": "120000", "type": "blob", "sha": "1" * 40}
        return says({"sha": sha, "tree": [folder, link, *entries], "truncated": False})

    def _blob(self, request: Request, sha: str) -> Answer:
        content = base64.encodebytes((self.repository.blob(sha) or "").encode()).decode()
        return says({"sha": sha, "content": content, "encoding": "base64", "size": 1})

    def _make_tree(self, request: Request) -> Answer:
        files = dict(self.trees[request.json["base_tree"]])
        for entry in request.json["tree"]:
            assert entry["mode"] in ("100644", "100755")
            assert entry["type"] == "blob"
            files[entry["path"]] = entry["content"]
        sha = sha_of("tree", *map(str, sorted(files.items())))
        self.trees[sha] = files
        return says({"sha": sha, "tree": [], "truncated": False}, 201)

    def _make_commit(self, request: Request) -> Answer:
        sha = self.repository.commit(self.trees[request.json["tree"]], *request.json["parents"])
        return says({"sha": sha}, 201)

    def _make_ref(self, request: Request) -> Answer:
        branch = request.json["ref"].removeprefix("refs/heads/")
        assert request.json["ref"].startswith("refs/heads/")
        if branch in self.repository.branches:
            return says({"message": "Reference already exists"}, 422)
        self.repository.branches[branch] = request.json["sha"]
        return says({"ref": request.json["ref"]}, 201)

    def _pulls(self, request: Request) -> Answer:
        assert request.query["state"] == "all"
        owner, _, branch = request.query["head"].partition(":")
        assert owner == "acme"
        wanted = (branch, request.query["base"])
        found = [p for p in self.repository.pulls if (p.branch, p.base) == wanted]
        return says([self._shown(p) for p in found])

    def _pull(self, request: Request, number: str) -> Answer:
        if int(number) > len(self.repository.pulls):
            return says({"message": "Not Found", "status": "404"}, 404)
        return says(self._shown(self.repository.pulls[int(number) - 1]))

    def _make_pull(self, request: Request) -> Answer:
        body = request.json
        if any(p.branch == body["head"] and p.state == "open" for p in self.repository.pulls):
            errors = [{"message": "A pull request already exists for acme:x."}]
            return says({"message": "Validation Failed", "errors": errors}, 422)
        number = len(self.repository.pulls) + 1
        pull = Pull(number, body["head"], body["base"])
        self.repository.pulls.append(pull)
        return says(self._shown(pull), 201)

    def _shown(self, pull: Pull) -> dict[str, Any]:
        return {
            "number": pull.number,
            "html_url": f"https://github.example/acme/cluster/pull/{pull.number}",
            "state": "open" if pull.state == "open" else "closed",
            "head": {"ref": pull.branch, "sha": self.repository.branches[pull.branch]},
            "base": {"ref": pull.base},
            "merged_at": "2026-11-23T08:00:00Z" if pull.state == "merged" else None,
            # an open one has a test merge commit here
            "merge_commit_sha": pull.merged_as or "f" * 40,
        }

    _AT = "/repos/acme/cluster"
    shapes = (
        Shape("GET", _AT, _repository),
        Shape("GET", rf"{_AT}/git/ref/heads/(.+)", _ref),
        Shape("GET", rf"{_AT}/git/commits/([0-9a-f]{{40}})", _commit),
        Shape("GET", rf"{_AT}/git/trees/([0-9a-ft]{{40}})", _tree),
        Shape("GET", rf"{_AT}/git/blobs/([0-9a-f]{{40}})", _blob),
        Shape("POST", f"{_AT}/git/trees", _make_tree),
        Shape("POST", f"{_AT}/git/commits", _make_commit),
        Shape("POST", f"{_AT}/git/refs", _make_ref),
        Shape("GET", f"{_AT}/pulls", _pulls),
        Shape("GET", rf"{_AT}/pulls/(\d+)", _pull),
        Shape("POST", f"{_AT}/pulls", _make_pull),
    )


class FakeGitLab(Host):
    """https://docs.gitlab.com/api, version 4."""

    def _project(self, request: Request) -> Answer:
        return says({"id": 1, "path_with_namespace": "acme/cluster", "default_branch": BASE})

    def _branch(self, request: Request, branch: str) -> Answer:
        sha = self.repository.branches.get(branch)
        if sha is None:
            return says({"message": "404 Branch Not Found"}, 404)
        return says({"name": branch, "commit": {"id": sha}})

    def _tree(self, request: Request) -> Answer:
        assert request.query["recursive"] == "true"
        files = self.repository.commits[request.query["ref"]]
        entries = [
            {"id": "0" * 40, "name": "apps", "type": "tree", "path": "apps", "mode": "040000"},
            {"id": "1" * 40, "name": "link", "type": "blob", "path": "link", "mode": "120000"},
            *(
                {"id": sha_of(text), "name": path, "type": "blob", "path": path, "mode": "100644"}
                for path, text in files.items()
            ),
        ]
        size, page = int(request.query["per_page"]), int(request.query["page"])
        assert size <= 100
        return says(entries[size * (page - 1) : size * page])

    def _blob(self, request: Request, sha: str) -> Answer:
        return Answer(body=(self.repository.blob(sha) or "").encode())

    def _make_commit(self, request: Request) -> Answer:
        body = request.json
        if body["branch"] in self.repository.branches:
            return says({"message": f"A branch called '{body['branch']}' already exists."}, 400)
        files = dict(self.repository.commits[body["start_sha"]])
        for action in body["actions"]:
            assert set(action) == {"action", "file_path", "content", "encoding"}
            assert action["action"] == "update"
            assert action["encoding"] in ("text", "base64")
            assert action["file_path"] in files
            files[action["file_path"]] = action["content"]
        sha = self.repository.commit(files, body["start_sha"])
        self.repository.branches[body["branch"]] = sha
        return says({"id": sha}, 201)

    def _requests(self, request: Request) -> Answer:
        assert request.query["state"] == "all"
        wanted = (request.query["source_branch"], request.query["target_branch"])
        found = [p for p in self.repository.pulls if (p.branch, p.base) == wanted]
        return says([self._shown(p) for p in found])

    def _request(self, request: Request, number: str) -> Answer:
        if int(number) > len(self.repository.pulls):
            return says({"message": "404 Not found"}, 404)
        return says(self._shown(self.repository.pulls[int(number) - 1]))

    def _make_request(self, request: Request) -> Answer:
        body = request.json
        if any(
            p.branch == body["source_branch"] and p.state == "open" and not p.is_from_a_fork
            for p in self.repository.pulls
        ):
            return says({"message": ["Another open merge request already exists"]}, 409)
        pull = Pull(len(self.repository.pulls) + 1, body["source_branch"], body["target_branch"])
        self.repository.pulls.append(pull)
        return says(self._shown(pull), 201)

    def _shown(self, pull: Pull) -> dict[str, Any]:
        return {
            "iid": pull.number,
            "id": 1000 + pull.number,
            "web_url": f"https://gitlab.example/acme/cluster/-/merge_requests/{pull.number}",
            "state": {"open": "opened"}.get(pull.state, pull.state),
            "source_branch": pull.branch,
            "target_branch": pull.base,
            "source_project_id": 8 if pull.is_from_a_fork else 7,
            "target_project_id": 7,
            "sha": self.repository.branches.get(pull.branch),
            "merge_commit_sha": pull.merged_as or None,
            "squash_commit_sha": None,
        }

    _AT = "/projects/acme%2Fcluster"
    shapes = (
        Shape("GET", _AT, _project),
        Shape("GET", rf"{_AT}/repository/branches/([^/]+)", _branch),
        Shape(
            "GET",
            f"{_AT}/repository/tree",
            _tree,
            frozenset({"ref", "path", "recursive", "per_page", "page", "pagination"}),
        ),
        Shape("GET", rf"{_AT}/repository/blobs/([0-9a-f]{{40}})/raw", _blob),
        Shape(
            "POST",
            f"{_AT}/repository/commits",
            _make_commit,
            required={"branch": str, "commit_message": str, "actions": list},
            optional={
                "start_branch": str,
                "start_sha": str,
                "start_project": (int, str),
                "author_email": str,
                "author_name": str,
                "stats": bool,
                "force": bool,
            },
        ),
        Shape(
            "GET",
            f"{_AT}/merge_requests",
            _requests,
            frozenset({"state", "source_branch", "target_branch", "per_page", "page", "order_by"}),
        ),
        Shape("GET", rf"{_AT}/merge_requests/(\d+)", _request),
        Shape(
            "POST",
            f"{_AT}/merge_requests",
            _make_request,
            required={"source_branch": str, "target_branch": str, "title": str},
            optional={
                "description": str,
                "remove_source_branch": bool,
                "squash": bool,
                "labels": str,
                "assignee_id": int,
            },
        ),
    )
