"""A proposal as a pull request: read from the Git host, edited, opened, and taken back."""

from __future__ import annotations

import asyncio
import difflib
import re
from dataclasses import replace

import msgspec

from copilot.domain.errors import BadInput, Conflict, Invalid, NotFound, Refused, TooLarge
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Proposal, ProposalStatus, Way
from copilot.domain.pull_request import FileEdit, PullDraft, PullRequest
from copilot.domain.secrets import mask
from copilot.ports import GitHost
from copilot.remediate.digest import digest
from copilot.remediate.gitops.manifest import Tracked, changed, wanted
from copilot.remediate.plan import NOTHING

MAX_FILES = 500
"""Files that are read for one proposal."""
MAX_ROUNDS = 16
"""How deep bases may build on bases."""
MAX_TITLE = 120
AT_ONCE = 8
"""Files that are read from the host at the same time."""


async def with_pull(proposal: Proposal, host: GitHost, *, base: str, root: str) -> Proposal:
    """The proposal, to be delivered as a pull request: what is approved is then the files too. A
    manifest that is not there, or not so that it can be edited, refuses it, with why.

    Raises:
        Unavailable, Busy: the host does not answer; nothing is known then.
    """
    is_right = proposal.status is ProposalStatus.PROPOSED or proposal.way is Way.PULL_REQUEST
    if not is_right or not _is_of_manifest(proposal):
        return proposal
    try:
        if proposal.operations:
            raise Invalid("it takes more than another manifest, which a commit cannot do")
        pull = await _draft(proposal, host, base=base, root=root)
    except (BadInput, NotFound, Refused) as error:
        return msgspec.structs.replace(
            proposal,
            status=ProposalStatus.REFUSED,
            refusal=f"no pull request can be made: {error.message}",
        )
    return msgspec.structs.replace(
        proposal,
        status=ProposalStatus.PROPOSED,
        refusal="",
        way=Way.PULL_REQUEST,
        pull=pull,
        digest=digest_of(proposal, pull),
        risk_reasons=(*proposal.risk_reasons, *pull.notes),
    )


def _is_of_manifest(proposal: Proposal) -> bool:
    """Whether Git has a say in it: not in which pods are deleted, or which node is cordoned."""
    return proposal.patch != NOTHING and proposal.action.target.kind not in ("Node", "Pod")


def without_pull(proposal: Proposal) -> Proposal:
    """The same proposal as a patch."""
    return msgspec.structs.replace(proposal, pull=None, digest=digest_of(proposal, None))


def digest_of(proposal: Proposal, pull: PullDraft | None) -> str:
    """What an approval names: the patch, and the files where it is a pull request."""
    return digest(
        target=proposal.action.target,
        base=proposal.base,
        patch=proposal.patch,
        rollback=proposal.rollback,
        operations=proposal.operations,
        pull=pull,
    )


async def _draft(proposal: Proposal, host: GitHost, *, base: str, root: str) -> PullDraft:
    branch = base or await host.default_branch()
    edits, notes = await _edits(
        proposal.action.target, host, branch, root, proposal.patch, proposal.rollback
    )
    return PullDraft(
        repository=host.repository,
        base=branch,
        root=root,
        edits=edits,
        diff=diff_of(edits),
        is_simulation=host.is_simulation,
        notes=notes,
    )


async def _edits(
    target: ObjectRef, host: GitHost, branch: str, root: str, patch: str, rollback: str | None
) -> tuple[tuple[FileEdit, ...], tuple[str, ...]]:
    """The files with the patch made in them, and what a reviewer should know."""
    repository = await tracked(host, await host.head(branch), root)
    change = await asyncio.to_thread(changed, repository, target, patch=patch, rollback=rollback)
    edits = tuple(
        FileEdit(path=path, before=repository.files[path], after=text)
        for path, text in sorted(change.files.items())
    )
    return edits, change.notes


async def tracked(host: GitHost, commit: str, root: str) -> Tracked:
    """The repository at a commit, with every file read that this cluster is made of."""
    paths = frozenset(await host.paths(commit))
    repository = Tracked(paths=paths, files={}, root=root.strip("/"))
    for _ in range(MAX_ROUNDS):
        missing = wanted(repository)
        if not missing:
            return repository
        if len(repository.files) + len(missing) > MAX_FILES:
            raise TooLarge(f"more than {MAX_FILES} manifests; name the folder of this cluster")
        read = await _all_read(host, commit, sorted(missing))
        unread = [path for path, text in read.items() if text is None]
        repository = replace(
            repository,
            files={**repository.files, **{path: text or "" for path, text in read.items()}},
            unread=(*repository.unread, *unread),
        )
    raise Invalid("kustomizations build on each other without end")


async def _all_read(host: GitHost, commit: str, paths: list[str]) -> dict[str, str | None]:
    """The files' texts, None for what is no manifest by its size or coding."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def read(path: str) -> str | None:
        async with at_once:
            try:
                return await host.read(path, commit)
            except (Invalid, TooLarge):
                return None

    return dict(zip(paths, await asyncio.gather(*map(read, paths)), strict=True))


async def open_pull(proposal: Proposal, host: GitHost) -> PullRequest:
    """The proposal's pull request; called again it finds the one that is there.

    Raises:
        Conflict: a file is not any more what was approved; nothing was opened.
    """
    pull = _pull_of(proposal)
    return await host.open_change(
        branch=branch_of(proposal),
        base=pull.base,
        edits=pull.edits,
        title=title_of(proposal),
        body=_body(proposal, pull),
    )


async def open_revert(proposal: Proposal, host: GitHost, *, reason: str) -> PullRequest:
    """A pull request that takes the change back, and nothing that others committed since; called
    again it finds the one that is there.

    Raises:
        Conflict, Invalid: what was changed is not as we left it; nothing was opened.
    """
    pull = _pull_of(proposal)
    back = tuple(FileEdit(path=e.path, before=e.after, after=e.before) for e in pull.edits)
    try:
        return await _open_back(proposal, pull, host, back, reason)
    except Conflict:
        if proposal.rollback is None:
            raise
    target = proposal.action.target
    back, _ = await _edits(target, host, pull.base, pull.root, proposal.rollback, proposal.patch)
    return await _open_back(proposal, pull, host, back, reason)


async def _open_back(
    proposal: Proposal, pull: PullDraft, host: GitHost, edits: tuple[FileEdit, ...], reason: str
) -> PullRequest:
    return await host.open_change(
        branch=f"{branch_of(proposal)}-revert",
        base=pull.base,
        edits=edits,
        title=f"Revert: {title_of(proposal)}"[:MAX_TITLE],
        body=f"The change was merged and did not hold:\n\n{quoted(reason)}\n",
    )


def _pull_of(proposal: Proposal) -> PullDraft:
    if proposal.pull is None:
        raise Invalid(f"proposal {proposal.id} is no pull request")
    return proposal.pull


def branch_of(proposal: Proposal) -> str:
    """The branch's name: the same each time, and another for any other change."""
    target = proposal.action.target
    return f"incident-copilot/{_slug(target)}-{proposal.id}-{proposal.digest[:12]}"


def _slug(target: ObjectRef) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", target.name.lower()).strip("-")[:40] or "object"


def title_of(proposal: Proposal) -> str:
    """One line without what a host may act upon."""
    return " ".join(inert(proposal.title).split())[:MAX_TITLE]


def inert(text: str) -> str:
    """Text of a cluster in which a host finds no mention, no reference and no markup."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"[@#!<>`\[\]]", lambda found: f"{found.group()}\u200b", printable)


def quoted(text: str) -> str:
    """Text of a cluster as a block that nothing in it can leave."""
    lines = "".join(c if c.isprintable() or c == "\n" else " " for c in text).split("\n")
    return "\n".join(f"    {line}" for line in lines)


def _body(proposal: Proposal, pull: PullDraft) -> str:
    target = proposal.action.target
    notes = "".join(f"- {inert(note)}\n" for note in (*proposal.risk_reasons, *pull.notes))
    return (
        f"Proposed by Incident Co-Pilot for INC-{proposal.incident_id}, "
        f"about {inert(str(target))}; approved as digest `{proposal.digest[:12]}`.\n\n"
        f"Why:\n\n{quoted(proposal.why)}\n\n"
        f"Risk: {proposal.risk}\n{notes}\n"
        "It is merged by people. Once the cluster carries it, it is verified, and where it does "
        "not hold a pull request that takes it back is opened.\n"
    )


def diff_of(edits: tuple[FileEdit, ...]) -> str:
    """Unified, of all files, with secrets masked."""
    lines: list[str] = []
    for edit in edits:
        lines += difflib.unified_diff(
            edit.before.splitlines(),
            edit.after.splitlines(),
            f"a/{edit.path}",
            f"b/{edit.path}",
            lineterm="",
        )
    return mask("\n".join(lines))
