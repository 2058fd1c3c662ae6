"""A bare repository on disk through the `git` command line: the simulation of a Git host.

Nothing of the user's own configuration, credentials or hooks has a part in it. Pull requests are
files beside the repository; whether one is merged is asked of Git itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from copilot.domain.errors import Conflict, Invalid, NotFound, Unavailable
from copilot.domain.pull_request import FileEdit, PullRequest, PullState
from copilot.githost import opening
from copilot.githost.paths import as_text, checked_branch, checked_commit, checked_path

TIMEOUT_S = 20.0
AUTHOR = ("Incident Co-Pilot", "incident-copilot@localhost")
MAX_OUTPUT = 8 * 2**20
_NOTHING = "0" * 40


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request as it is kept on disk."""

    number: int
    branch: str
    base: str
    title: str
    body: str
    head: str = ""
    """The last commit its branch was seen at: people may delete a branch once it is merged."""
    merge_commit: str = ""
    is_closed: bool = False


class LocalGitHost:
    """Meets `copilot.ports.GitHost`; `folder` is the bare repository."""

    is_simulation = True
    poll_s = 1.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pulls = folder / "pulls"
        self._command = shutil.which("git") or "git"

    @property
    def repository(self) -> str:
        return self.folder.name

    async def seed(self, files: dict[str, str], *, branch: str = "main") -> None:
        """Make the repository with these files; nothing happens where it is there."""
        if (self.folder / "HEAD").is_file():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        await self._git("init", "--bare", "--quiet", f"--initial-branch={checked_branch(branch)}")
        edits = [FileEdit(path=path, before="", after=text) for path, text in files.items()]
        commit = await self._commit("", edits, "Describe the cluster")
        await self._git("update-ref", f"refs/heads/{branch}", commit, _NOTHING)

    async def default_branch(self) -> str:
        return (await self._git("symbolic-ref", "--short", "HEAD")).decode().strip()

    async def head(self, branch: str) -> str:
        try:
            return await self._resolved(f"refs/heads/{checked_branch(branch)}")
        except _Failed:
            raise NotFound(f"{self.repository} has no branch {branch}") from None

    async def paths(self, commit: str) -> tuple[str, ...]:
        listed = await self._tree(commit)
        return tuple(path for path, (mode, _) in listed.items() if mode.startswith("100"))

    async def read(self, path: str, commit: str) -> str:
        checked_path(path)
        try:
            body = await self._git("cat-file", "blob", f"{checked_commit(commit)}:{path}")
        except _Failed:
            raise NotFound(f"{self.repository} has no file {path}") from None
        return as_text(path, body)

    async def open_change(
        self, *, branch: str, base: str, edits: Sequence[FileEdit], title: str, body: str
    ) -> PullRequest:
        return await opening.open_change(
            self, branch=branch, base=base, edits=edits, title=title, body=body
        )

    async def state(self, number: int) -> PullRequest:
        return await self._seen(self._kept(number))

    async def merge(self, number: int) -> PullRequest:
        kept = self._kept(number)
        now = await self._seen(kept)
        if now.state is PullState.MERGED:
            return now
        if now.state is PullState.CLOSED:
            raise Conflict(f"pull request {number} is closed")
        ours, theirs = await self.head(kept.base), await self.head(kept.branch)
        try:
            tree = await self._git("merge-tree", "--write-tree", ours, theirs)
            made = await self._git(
                *("commit-tree", tree.decode().split("\n", 1)[0], "-p", ours, "-p", theirs),
                stdin=f"Merge pull request {number}: {kept.title}\n".encode(),
            )
            await self._git("update-ref", f"refs/heads/{kept.base}", made.decode().strip(), ours)
        except _Failed:
            raise Conflict(f"pull request {number} does not merge into {kept.base}") from None
        return await self.state(number)

    async def close(self, number: int) -> PullRequest:
        """Close it without a merge."""
        kept = self._kept(number)
        self._write(msgspec.structs.replace(kept, is_closed=True))
        return await self.state(number)

    # ------------------------------------------------------------- what opening needs

    async def find(self, branch: str, base: str) -> PullRequest | None:
        found = [kept for kept in self._all() if kept.branch == branch and kept.base == base]
        return await self._seen(found[-1]) if found else None

    async def make_branch(
        self, branch: str, commit: str, edits: Sequence[FileEdit], message: str
    ) -> None:
        made = await self._commit(commit, edits, message)
        try:
            await self._git("update-ref", f"refs/heads/{branch}", made, _NOTHING)
        except _Failed:
            raise Conflict(f"branch {branch} is there already") from None

    async def make_request(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        return await self._seen(self._keep_new(branch, base, title, body))

    # ------------------------------------------------------------- pull requests

    async def _seen(self, kept: _Kept) -> PullRequest:
        merged = await self._merge_of(kept)
        state = PullState.MERGED if merged else PullState.OPEN
        if not merged and (kept.is_closed or not await self._is_there(kept.branch)):
            state = PullState.CLOSED  # as hosts do where a branch is deleted before it is merged
        return PullRequest(
            number=kept.number, url="", branch=kept.branch, state=state, merge_commit=merged
        )

    async def _merge_of(self, kept: _Kept) -> str:
        """The commit of the base that brought the branch in, empty for none."""
        theirs, base = await self._tip(kept), f"refs/heads/{kept.base}"
        log = await self._git(
            *("log", "--merges", "--first-parent", "--max-count=1000", "--format=%H %P"), base
        )
        for line in log.decode().splitlines():
            commit, *parents = line.split()
            if theirs in parents[1:]:
                return commit
        # `git merge` makes no commit of its own where the base has not moved since.
        is_ahead = await self._git("rev-list", "--max-count=1", theirs, f"^{base}")
        return await self._squashed(theirs, base) if is_ahead else theirs

    async def _squashed(self, theirs: str, base: str) -> str:
        """The commit of the base that makes the very change that the branch makes, empty for none:
        of a squash or a rebase nothing else tells."""
        try:
            start = (await self._git("merge-base", theirs, base)).decode().strip()
            change = await self._git("diff-tree", "-p", start, theirs)
            since = await self._git(
                *("log", "-p", "--first-parent", "--no-merges", "--max-count=200"),
                *("--format=commit %H", base, f"^{start}"),
            )
            ours = await self._patch_ids(change)
            made = await self._patch_ids(since)
        except (_Failed, Invalid):
            return ""  # histories that have nothing in common, or more than can be looked through
        wanted = {patch for patch, _ in ours}
        return next((commit for patch, commit in made if patch in wanted), "")

    async def _patch_ids(self, patches: bytes) -> list[tuple[str, str]]:
        """What tells equal changes, and the commit each is of."""
        output = await self._git("patch-id", "--stable", stdin=patches)
        pairs = (line.split(" ", 1) for line in output.decode().splitlines())
        return [(patch, commit) for patch, commit in pairs]

    async def _is_there(self, branch: str) -> bool:
        try:
            await self.head(branch)
        except NotFound:
            return False
        return True

    async def _tip(self, kept: _Kept) -> str:
        """The branch's commit, kept for when it is deleted.

        Raises:
            NotFound: it is gone, and was never seen.
        """
        try:
            now = await self.head(kept.branch)
        except NotFound:
            if not kept.head:
                raise
            return kept.head
        if now != kept.head:
            # As it is by now: somebody may have closed it in between.
            self._write(msgspec.structs.replace(self._kept(kept.number), head=now))
        return now

    def _all(self) -> list[_Kept]:
        paths = sorted(self._pulls.glob("*.json"), key=lambda path: int(path.stem))
        return [msgspec.json.decode(path.read_bytes(), type=_Kept) for path in paths]

    def _kept(self, number: int) -> _Kept:
        path = self._pulls / f"{number}.json"
        if not path.is_file():
            raise NotFound(f"{self.repository} has no pull request {number}")
        return msgspec.json.decode(path.read_bytes(), type=_Kept)

    def _keep_new(self, branch: str, base: str, title: str, body: str) -> _Kept:
        self._pulls.mkdir(exist_ok=True)
        while True:
            number = max((kept.number for kept in self._all()), default=0) + 1
            kept = _Kept(number=number, branch=branch, base=base, title=title, body=body)
            with contextlib.suppress(FileExistsError):
                with (self._pulls / f"{number}.json").open("xb") as file:
                    file.write(msgspec.json.encode(kept))
                return kept

    def _write(self, kept: _Kept) -> None:
        path = self._pulls / f"{kept.number}.json"
        beside = path.with_suffix(".new")
        beside.write_bytes(msgspec.json.encode(kept))
        beside.replace(path)

    # ------------------------------------------------------------- commits

    async def _commit(self, parent: str, edits: Sequence[FileEdit], message: str) -> str:
        listed = await self._tree(parent) if parent else {}
        for edit in edits:
            mode, _ = listed.get(checked_path(edit.path), ("100644", ""))
            blob = await self._git("hash-object", "-w", "--stdin", stdin=edit.after.encode())
            listed[edit.path] = (mode, blob.decode().strip())
        tree = await self._written(listed)
        parents = ("-p", parent) if parent else ()
        made = await self._git("commit-tree", tree, *parents, stdin=f"{message}\n".encode())
        return made.decode().strip()

    async def _tree(self, commit: str) -> dict[str, tuple[str, str]]:
        """Mode and hash of everything in the commit, by path."""
        output = await self._git("ls-tree", "-r", "-z", checked_commit(commit))
        found: dict[str, tuple[str, str]] = {}
        for entry in filter(None, output.decode(errors="replace").split("\0")):
            head, _, path = entry.partition("\t")
            mode, _, blob = head.split(" ")
            found[path] = (mode, blob)
        return found

    async def _written(self, listed: dict[str, tuple[str, str]]) -> str:
        """A tree of these, folder by folder."""
        here: list[str] = []
        folders: dict[str, dict[str, tuple[str, str]]] = {}
        for path, (mode, blob) in listed.items():
            folder, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(folder, {})[rest] = (mode, blob)
            else:
                kind = "commit" if mode == "160000" else "blob"
                here.append(f"{mode} {kind} {blob}\t{path}\0")
        for folder, inner in folders.items():
            here.append(f"040000 tree {await self._written(inner)}\t{folder}\0")
        made = await self._git("mktree", "-z", stdin="".join(here).encode())
        return made.decode().strip()

    async def _resolved(self, name: str) -> str:
        output = await self._git("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        return checked_commit(output.decode().strip())

    async def _git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What the command printed.

        Raises:
            Unavailable: there is no `git`, or it does not end.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *(self._command, "--git-dir", str(self.folder), "-c", "core.hooksPath=/dev/null"),
                *("-c", "gc.auto=0", *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_environment(),
            )
        except OSError as error:
            raise Unavailable(f"git cannot be run: {error.strerror}") from None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                output, said = await process.communicate(stdin)
        except TimeoutError:
            raise Unavailable(f"git {arguments[0]} did not end in {TIMEOUT_S:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if len(output) > MAX_OUTPUT:
            raise Invalid(f"git {arguments[0]} printed more than {MAX_OUTPUT} bytes")
        if process.returncode:
            raise _Failed(f"git {arguments[0]}: {said.decode(errors='replace')[:200]}")
        return output


class _Failed(Unavailable):
    """The command said no."""


def _environment() -> dict[str, str]:
    """Ours alone: no configuration, credentials or identity of whoever started us."""
    name, mail = AUTHOR
    return {
        "PATH": os.defpath,
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": mail,
    }
