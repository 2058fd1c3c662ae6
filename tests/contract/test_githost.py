"""What every Git host must do, run on the local one and on GitHub and GitLab as published."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from copilot.domain.errors import (
    Busy,
    Conflict,
    CopilotError,
    Invalid,
    NotFound,
    Refused,
    Unavailable,
)
from copilot.domain.pull_request import FileEdit, PullRequest, PullState
from copilot.githost.github import GitHub
from copilot.githost.gitlab import GitLab
from copilot.githost.local import LocalGitHost
from copilot.ports import GitHost
from tests.fakes_githosts import BASE, TOKEN, FakeGitHub, FakeGitLab, Host, Pull, Repository
from tests.fakes_http import Answer, HttpServer, says, served

FILES = {"apps/shop.yaml": "replicas: 2 # é\r\n", "README.md": "hello"}
EDIT = FileEdit(path="apps/shop.yaml", before="replicas: 2 # é\r\n", after="replicas: 3 # é\r\n")
BRANCH = "incident-copilot/shop-7-0123456789ab"


@dataclass
class Subject:
    """A host under test, and what people do on it."""

    host: GitHost
    merge: Callable[[int], Awaitable[None]]
    close: Callable[[int], Awaitable[None]]
    change: Callable[[str, str], Awaitable[None]]
    """Somebody else changes a file on the base."""


@pytest.fixture(params=["local", "github", "gitlab"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    if request.param == "local":
        yield await _local(tmp_path)
        return
    repository = a_repository()
    fake = FakeGitHub(repository) if request.param == "github" else FakeGitLab(repository)
    async with served(fake) as server:
        host = connected(fake, server)
        yield _remote(host, repository)
        await host.close()


def a_repository() -> Repository:
    repository = Repository()
    repository.branches[BASE] = repository.commit(dict(FILES))
    return repository


def connected(fake: Host, server: HttpServer, token: str = TOKEN) -> GitHub | GitLab:
    kind = GitHub if isinstance(fake, FakeGitHub) else GitLab
    return kind(api=server.url, repository="acme/cluster", token=token)


async def _local(folder: Path) -> Subject:
    host = LocalGitHost(folder / "cluster.git")
    await host.seed(FILES, branch=BASE)

    async def merge(number: int) -> None:
        await host.merge(number)

    async def close(number: int) -> None:
        await host.close(number)

    async def change(path: str, text: str) -> None:
        before = await host.read(path, await host.head(BASE))
        other = await host.open_change(
            branch="somebody/else",
            base=BASE,
            edits=[FileEdit(path=path, before=before, after=text)],
            title="else",
            body="",
        )
        await host.merge(other.number)

    return Subject(host=host, merge=merge, close=close, change=change)


def _remote(host: GitHost, repository: Repository) -> Subject:
    async def merge(number: int) -> None:
        repository.merge(number)

    async def close(number: int) -> None:
        repository.pulls[number - 1].state = "closed"

    async def change(path: str, text: str) -> None:
        now = repository.branches[BASE]
        repository.branches[BASE] = repository.commit({**repository.commits[now], path: text}, now)

    return Subject(host=host, merge=merge, close=close, change=change)


async def opened(subject: Subject, **more: object) -> PullRequest:
    wanted = {"branch": BRANCH, "base": BASE, "edits": [EDIT], "title": "More", "body": "Why."}
    return await subject.host.open_change(**{**wanted, **more})  # type: ignore[arg-type]  # as named


async def test_files_are_listed_without_links_and_read_with_their_line_ends(
    subject: Subject,
) -> None:
    commit = await subject.host.head(await subject.host.default_branch())

    assert sorted(await subject.host.paths(commit)) == sorted(FILES)
    assert await subject.host.read("apps/shop.yaml", commit) == FILES["apps/shop.yaml"]


async def test_a_change_is_one_commit_on_a_branch_of_its_own_and_leaves_the_rest(
    subject: Subject,
) -> None:
    before = await subject.host.head(BASE)

    request = await opened(subject)

    assert (request.branch, request.state) == (BRANCH, PullState.OPEN)
    assert request.merge_commit == ""
    assert await subject.host.head(BASE) == before
    head = await subject.host.head(BRANCH)
    assert await subject.host.read("apps/shop.yaml", head) == EDIT.after
    assert await subject.host.read("README.md", head) == FILES["README.md"]


async def test_opening_it_again_gives_the_same_one(subject: Subject) -> None:
    first = await opened(subject)

    assert await opened(subject) == first
    assert await subject.host.state(first.number) == first
    with pytest.raises(NotFound):
        await subject.host.state(first.number + 1)


async def test_a_merged_one_tells_the_commit_that_the_base_has_now(subject: Subject) -> None:
    request = await opened(subject)

    await subject.merge(request.number)

    seen = await subject.host.state(request.number)
    assert seen.state is PullState.MERGED
    assert seen.merge_commit == await subject.host.head(BASE)
    assert await subject.host.read("apps/shop.yaml", seen.merge_commit) == EDIT.after
    assert await opened(subject) == seen


async def test_one_that_people_merge_by_moving_the_base_to_it_is_merged(tmp_path: Path) -> None:
    subject = await _local(tmp_path)
    request = await opened(subject)
    head = await subject.host.head(BRANCH)

    (tmp_path / "cluster.git" / "refs" / "heads" / BASE).write_text(f"{head}\n")

    seen = await subject.host.state(request.number)
    assert (seen.state, seen.merge_commit) == (PullState.MERGED, head)


@pytest.mark.parametrize("others", [0, 1, 2])
async def test_one_that_people_squash_is_merged_whatever_else_is_committed(
    tmp_path: Path, others: int
) -> None:
    """As `git merge --squash` leaves it: one commit of the base with the very change."""
    subject = await _local(tmp_path)
    request = await opened(subject)
    host = local_host(subject)
    if others:
        await subject.change("README.md", "before")
    squashed = await host._commit(await host.head(BASE), [EDIT], "Squashed")
    await host._git("update-ref", f"refs/heads/{BASE}", squashed)
    if others > 1:
        await subject.change("README.md", "after")

    seen = await host.state(request.number)

    assert (seen.state, seen.merge_commit) == (PullState.MERGED, squashed)


async def test_another_change_of_the_same_file_is_no_squash(tmp_path: Path) -> None:
    subject = await _local(tmp_path)
    request = await opened(subject)

    await subject.change("apps/shop.yaml", "replicas: 4 # é\r\n")

    assert (await subject.host.state(request.number)).state is PullState.OPEN


@pytest.mark.parametrize(("is_merged", "state"), [(True, "merged"), (False, "closed")])
async def test_a_branch_that_is_deleted_tells_whether_it_was_merged(
    tmp_path: Path, is_merged: bool, state: str
) -> None:
    subject = await _local(tmp_path)
    request = await opened(subject)
    if is_merged:
        await subject.merge(request.number)

    await local_host(subject)._git("update-ref", "-d", f"refs/heads/{BRANCH}")

    assert (await subject.host.state(request.number)).state == state


def local_host(subject: Subject) -> LocalGitHost:
    assert isinstance(subject.host, LocalGitHost)
    return subject.host


async def test_a_closed_one_is_told_from_a_merged_one(subject: Subject) -> None:
    request = await opened(subject)

    await subject.close(request.number)

    assert (await subject.host.state(request.number)).state is PullState.CLOSED


async def test_a_file_that_is_not_any_more_what_was_approved_opens_nothing(
    subject: Subject,
) -> None:
    await subject.change("apps/shop.yaml", "replicas: 9\n")

    with pytest.raises(Conflict, match="not any more"):
        await opened(subject)
    with pytest.raises(NotFound):
        await subject.host.head(BRANCH)


async def test_a_change_of_another_file_is_no_reason_to_refuse(subject: Subject) -> None:
    await subject.change("README.md", "hello again")

    assert (await opened(subject)).state is PullState.OPEN


async def test_a_branch_of_that_name_with_something_else_is_not_taken_for_ours(
    subject: Subject,
) -> None:
    other = FileEdit(path=EDIT.path, before=EDIT.before, after="replicas: 5\n")
    await opened(subject, edits=[other], branch=BRANCH, base=BASE)

    with pytest.raises(Conflict, match="something else"):
        await opened(subject, base="release")


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/etc/passwd", ".git/config", "a//b", "a\\b", "a/.GIT/b", ""]
)
async def test_a_path_that_leads_out_of_the_repository_is_refused(
    subject: Subject, path: str
) -> None:
    commit = await subject.host.head(BASE)

    with pytest.raises(Invalid):
        await subject.host.read(path, commit)
    with pytest.raises(Invalid):
        await opened(subject, edits=[FileEdit(path=path, before="", after="x")])


@pytest.mark.parametrize("branch", ["--upload-pack=x", "a..b", "a b", "a\nb", "x.lock", "a/.b", ""])
async def test_a_branch_that_could_be_taken_for_something_else_is_refused(
    subject: Subject, branch: str
) -> None:
    with pytest.raises(Invalid):
        await opened(subject, branch=branch)


async def test_a_commit_is_named_by_its_whole_hash_only(subject: Subject) -> None:
    with pytest.raises(Invalid):
        await subject.host.paths("--output=x")


# ----------------------------------------------------------------- on the network only


@pytest.fixture(params=[FakeGitHub, FakeGitLab], ids=["github", "gitlab"])
def fake(request: pytest.FixtureRequest) -> Host:
    made: Host = request.param(a_repository())
    return made


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (says({"message": "Bad credentials"}, 401), Refused),
        (says({"message": "Resource not accessible"}, 403), Refused),
        (Answer(status=403, headers={"x-ratelimit-remaining": "0"}), Busy),
        (Answer(status=403, headers={"retry-after": "60"}), Busy),
        (says({"message": "Not Found"}, 404), NotFound),
        (says({"message": "Conflict"}, 409), Conflict),
        (says({"message": "Validation Failed"}, 422), Invalid),
        (says({"message": "slow down"}, 429), Busy),
        (Answer(status=500, body=b"<html>"), Unavailable),
        (Answer(status=302, headers={"location": "https://elsewhere.example/"}), Unavailable),
        (Answer(status=200, body=b"no json"), Unavailable),
    ],
    ids=lambda value: value.status if isinstance(value, Answer) else value.__name__,
)
async def test_each_refusal_has_its_word(
    fake: Host, answer: Answer, error: type[CopilotError]
) -> None:
    fake.failures.append(answer)
    async with served(fake) as server:
        host = connected(fake, server)
        with pytest.raises(error) as raised:
            await host.head(BASE)
        await host.close()

    assert type(raised.value) is error


async def test_the_token_is_in_no_error_whoever_repeats_it(fake: Host) -> None:
    fake.failures.append(says({"message": f"no such token: {TOKEN}"}, 401))
    async with served(fake) as server:
        host = connected(fake, server)
        with pytest.raises(Refused) as raised:
            await host.head(BASE)
        await host.close()

    assert TOKEN not in raised.value.message
    assert "no such token" in raised.value.message


async def test_people_merge_there_and_we_do_not(fake: Host) -> None:
    async with served(fake) as server:
        host = connected(fake, server)
        with pytest.raises(Refused, match="people"):
            await host.merge(1)
        await host.close()


@pytest.mark.parametrize(
    ("kind", "cut"),
    [
        pytest.param(FakeGitHub, "/git/refs", id="github, the branch"),
        pytest.param(FakeGitHub, "/pulls", id="github, the pull request"),
        pytest.param(FakeGitLab, "/repository/commits", id="gitlab, the branch"),
        pytest.param(FakeGitLab, "/merge_requests", id="gitlab, the merge request"),
    ],
)
async def test_an_answer_that_is_lost_on_the_way_makes_no_second_one(
    kind: type[Host], cut: str
) -> None:
    fake = kind(a_repository())
    fake.cut.append(f"POST {cut}")
    async with served(fake) as server:
        host = connected(fake, server)
        subject = _remote(host, fake.repository)
        with pytest.raises(Unavailable):
            await opened(subject)
        request = await opened(subject)
        await host.close()

    assert request.number == 1
    assert len(fake.repository.pulls) == 1
    assert sorted(fake.repository.branches) == [BRANCH, BASE]


async def test_a_merge_request_of_a_fork_is_not_taken_for_ours_whatever_its_branch_is_called() -> (
    None
):
    repository = a_repository()
    theirs = Pull(number=1, branch=BRANCH, base=BASE, is_from_a_fork=True)
    repository.pulls.append(theirs)
    fake = FakeGitLab(repository)
    async with served(fake) as server:
        host = connected(fake, server)
        request = await opened(_remote(host, repository))
        await host.close()

    assert request.number == 2
