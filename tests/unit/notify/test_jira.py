"""One issue for each incident, whatever happens on the way, on both kinds of Jira."""

from __future__ import annotations

import pytest

from copilot.domain.notification import Delivery
from copilot.notify.jira import inert
from tests.builders_notify import TOKEN, FakeJira, a_message, jira_at, nobody_listens
from tests.fakes_http import Answer, says, served

KINDS = pytest.mark.parametrize("cloud", [True, False], ids=["cloud", "data-center"])


@KINDS
async def test_the_first_message_makes_an_issue_and_the_next_comments_on_it(cloud: bool) -> None:
    jira = FakeJira(cloud=cloud)
    async with served(jira) as server:
        assert await jira_at(server.url).deliver(a_message("INC-7 opened", "killed"))
        assert await jira_at(server.url).deliver(a_message("INC-7 resolved", "well again"))

    assert list(jira.issues) == ["OPS-1"]
    assert jira.issues["OPS-1"]["project"] == {"key": "OPS"}
    assert [(key, "well again" in body) for key, body in jira.comments] == [("OPS-1", True)]


@KINDS
async def test_the_search_is_one_that_this_kind_of_jira_has(cloud: bool) -> None:
    async with served(FakeJira(cloud=cloud)) as server:
        jira = jira_at(server.url)
        await jira.deliver(a_message(incident_id=1))
        await jira.deliver(a_message(incident_id=2))

        asked = [r.path.removeprefix("/rest/api/2/") for r in server.requests]
    first = ["search/jql"] if cloud else ["search/jql", "search"]
    then = ["search/jql"] if cloud else ["search"]
    assert asked == [*first, "issue", *then, "issue"]


async def test_a_retry_after_a_lost_answer_finds_the_issue_it_made() -> None:
    jira = FakeJira(answers=[Answer(status=503)])
    async with served(jira) as server:
        first, _ = await jira_at(server.url).deliver(a_message())
        again, _ = await jira_at(server.url).deliver(a_message())

    assert (first, again) == (Delivery.NOT_DELIVERED, Delivery.DELIVERED)
    assert list(jira.issues) == ["OPS-1"]


async def test_an_issue_just_made_is_known_while_the_search_still_lags() -> None:
    jira = FakeJira(lags=True)
    async with served(jira) as server:
        channel = jira_at(server.url)
        await channel.deliver(a_message("INC-7 opened"))
        await channel.deliver(a_message("INC-7 resolved"))

    assert list(jira.issues) == ["OPS-1"]
    assert len(jira.comments) == 1


async def test_an_issue_that_was_deleted_is_looked_up_anew() -> None:
    jira = FakeJira()
    async with served(jira) as server:
        channel = jira_at(server.url)
        await channel.deliver(a_message("INC-7 opened"))
        jira.issues.clear()
        gone, _ = await channel.deliver(a_message("INC-7 resolved"))
        again, _ = await channel.deliver(a_message("INC-7 resolved"))

    assert (gone, again) == (Delivery.NOT_DELIVERED, Delivery.DELIVERED)
    assert len(jira.issues) == 1


async def test_incidents_of_one_number_from_two_clusters_have_two_issues() -> None:
    jira = FakeJira()
    async with served(jira) as server:
        for key in ("blue/1700", "green/1800", "blue/1700"):
            await jira_at(server.url).deliver(a_message(incident_id=1, incident_key=key))

    assert len(jira.issues) == 2
    assert [key for key, _ in jira.comments] == ["OPS-1"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(status=401, body=b"who are you"), id="refused"),
        pytest.param(Answer(status=500, body=b"oops"), id="failed"),
        pytest.param(Answer(body=b"<html>sign in</html>"), id="a-page-to-sign-in"),
        pytest.param(says({"total": 0}), id="no-issues-in-it"),
        pytest.param(None, id="cut"),
        pytest.param(Answer(delay_s=15), id="too-slow"),
    ],
)
async def test_nothing_is_written_while_the_lookup_fails(answer: Answer | None) -> None:
    async with served(lambda _: answer) as server:
        said, reason = await jira_at(server.url, timeout_s=0.5).deliver(a_message())

        assert said is Delivery.NOT_DELIVERED
        assert reason.startswith("looking the issue up failed: ")
        assert {r.method for r in server.requests} == {"GET"}


async def test_a_jira_that_is_away_says_so_without_its_token() -> None:
    with nobody_listens() as url:
        said, reason = await jira_at(url).deliver(a_message())

    assert said is Delivery.NOT_DELIVERED
    assert "ConnectError" in reason
    assert TOKEN not in reason


@pytest.mark.parametrize("token", ["t\u00f6ken", "two\nlines"])
async def test_a_token_that_no_header_can_carry_is_a_reason_and_no_crash(token: str) -> None:
    async with served(FakeJira()) as server:
        said, reason = await jira_at(server.url, token=token).deliver(a_message())

        assert said is Delivery.NOT_DELIVERED
        assert "malformed" in reason
        assert server.requests == []


@pytest.mark.parametrize(
    ("user", "sent"),
    [("", f"Bearer {TOKEN}"), ("ada", "Basic YWRhOmppcmEtdG9rZW4tdmVyeVNlY3JldA==")],
    ids=["data-center-token", "cloud-user-and-token"],
)
async def test_it_signs_in_as_this_kind_of_jira_wants(user: str, sent: str) -> None:
    async with served(FakeJira()) as server:
        await jira_at(server.url, user=user).deliver(a_message())

        assert {r.headers["authorization"] for r in server.requests} == {sent}


async def test_the_summary_is_one_line_that_jira_takes() -> None:
    jira = FakeJira()
    async with served(jira) as server:
        await jira_at(server.url).deliver(a_message("INC-7\r\nbilling " + "x" * 500))

    summary = str(jira.issues["OPS-1"]["summary"])
    assert summary.startswith("INC-7 billing xxx")
    assert len(summary) <= 255


@pytest.mark.parametrize(
    "hostile",
    [
        "{noformat} {html}<script>{html}",
        "{code} [~admin] {NOFORMAT}",
        "!http://evil/x.png! {noformat:title=x} h1. all is well",
    ],
)
def test_hostile_text_never_leaves_its_frame(hostile: str) -> None:
    framed = inert(hostile).lower()

    inside = framed.removeprefix("{noformat}\n").removesuffix("\n{noformat}")
    assert framed == f"{{noformat}}\n{inside}\n{{noformat}}"
    assert "{noformat" not in inside
    assert "[~" not in inside


async def test_a_project_cannot_widen_the_search() -> None:
    async with served(FakeJira()) as server:
        await jira_at(server.url, project='OPS" OR "a" = "a').deliver(a_message())

        asked = server.requests[0].query["jql"]
    assert asked.startswith('project = "OPS\\" OR \\"a\\" = \\"a" AND labels = ')
