"""Slack-compatible incoming webhooks (Slack, Mattermost, Rocket.Chat).

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
https://docs.slack.dev/messaging/formatting-message-text (escaping)
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx

from copilot.domain.notification import Delivery, Notification
from copilot.notify.delivery import (
    TIMEOUT_S,
    client,
    exchange,
    of_answer,
    of_failure,
    one_line,
)

MAX_TITLE = 200
MAX_TEXT = 3_000
_BREAK = "\u200b"
"""A space of no width: what it splits is read as it was and means nothing any more."""
_MENTION = re.compile(r"(?<![\w.])@(?=\w)")
_MARKDOWN_LINK = re.compile(r"\](?=\()")


class SlackWebhook:
    """Posts to the one channel that the webhook's address stands for."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url.strip()
        self._timeout_s = timeout_s

    async def deliver(self, notification: Notification) -> tuple[Delivery, str]:
        """What became of it; the webhook's address is a secret and is never in the reason."""
        try:
            async with client(self._timeout_s) as http:
                answer = await exchange(http, "POST", self._url, json=_message(notification))
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            return of_failure(failure, _secrets(self._url))
        return of_answer(answer, _secrets(self._url))


def _message(notification: Notification) -> dict[str, object]:
    title = escaped(one_line(notification.title, MAX_TITLE))
    text = escaped(notification.text[:MAX_TEXT])
    return {
        "text": f"*{title}*\n{text}\n<{notification.link}|Open the incident>",
        "unfurl_links": False,  # nobody fetches what a log line links to
        "unfurl_media": False,
    }


def escaped(text: str) -> str:
    """Text from a cluster that can become neither a link nor a mention.

    The three characters are Slack's own rule; `@here` and `[text](address)` are what Mattermost
    and Rocket.Chat would understand.
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN_LINK.sub(f"]{_BREAK}", _MENTION.sub(f"@{_BREAK}", text))


def _secrets(url: str) -> list[str]:
    """The address whole and in the parts that open the channel."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return [url]
    return [url, path if len(path) > 1 else "", *(p for p in path.split("/") if len(p) > 7)]
