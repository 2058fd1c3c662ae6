"""What a Slack message looks like: hostile text stays text."""

from __future__ import annotations

import pytest

from copilot.notify.slack import escaped
from tests.builders_notify import a_message, slack_at
from tests.fakes_http import Answer, served


async def posted(title: str, text: str) -> dict[str, object]:
    async with served(lambda _: Answer(body=b"ok")) as server:
        await slack_at(server.url).deliver(a_message(title, text))
        body: dict[str, object] = server.requests[0].json
        return body


async def test_a_message_has_its_title_its_text_and_the_way_to_the_incident() -> None:
    body = await posted("INC-7 billing", "killed & restarted")

    assert body["text"] == (
        "*INC-7 billing*\nkilled &amp; restarted\n"
        "<http://copilot.test/incident/?id=7|Open the incident>"
    )


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        pytest.param("<!channel>", "&lt;!channel&gt;", id="a-broadcast"),
        pytest.param("<@U024BE7LH>", "&lt;@\u200bU024BE7LH&gt;", id="a-mention"),
        pytest.param("<http://evil|ok>", "&lt;http://evil|ok&gt;", id="a-link-with-a-mask"),
        pytest.param("&lt;", "&amp;lt;", id="escaped-before"),
        pytest.param("wake up @here", "wake up @\u200bhere", id="a-mention-elsewhere"),
        pytest.param("[ok](http://evil)", "[ok]\u200b(http://evil)", id="a-markdown-link"),
        pytest.param("![x](http://evil)", "![x]\u200b(http://evil)", id="a-markdown-image"),
        pytest.param("ada@example.com", "ada@example.com", id="an-address-stays"),
        pytest.param("app@sha256:12ab", "app@sha256:12ab", id="a-digest-stays"),
    ],
)
def test_hostile_text_stays_text(hostile: str, shown: str) -> None:
    assert escaped(hostile) == shown


async def test_a_title_cannot_grow_into_lines_of_its_own() -> None:
    body = await posted("INC-7\n*all is well*\r\n" + "x" * 5_000, "killed")

    first, second, *_ = str(body["text"]).split("\n")
    assert first.startswith("*INC-7 *all is well* xxx")
    assert len(first) < 250
    assert second == "killed"


async def test_a_long_text_is_cut_and_nothing_it_links_to_is_fetched() -> None:
    body = await posted("INC-7", "http://evil.test/x " * 10_000)

    assert len(str(body["text"])) < 4_000
    assert body["unfurl_links"] is False
    assert body["unfurl_media"] is False
