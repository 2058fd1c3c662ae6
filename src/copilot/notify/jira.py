"""Jira issues, one for each incident: looked up by its label before it is made.

Version 2 of the REST API with its wiki text serves both kinds of Jira; only the search differs:
Cloud removed `search` in favour of `search/jql`, Data Center has the former only.

https://developer.atlassian.com/changelog/#CHANGE-2046
https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issue-search/
https://developer.atlassian.com/server/jira-servicedesk/rest/v1103/api-group-search/
"""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import quote

import httpx
import msgspec

from copilot.domain.notification import Delivery, Notification
from copilot.notify.delivery import (
    TIMEOUT_S,
    Answer,
    client,
    exchange,
    of_answer,
    of_failure,
    one_line,
    plain,
)

MAX_SUMMARY = 250
"""Jira's own limit is 255, in one line."""
MAX_TEXT = 20_000
"""Well within Jira's 32,767 characters for a description or comment."""
MOST_REMEMBERED = 1_000
_NO_SUCH_PATH = (404, 405)
_SEARCHES = ("search/jql", "search")
_OPENS = re.compile(r"\{(?=noformat)|\[(?=~)", re.IGNORECASE)
"""What would close the frame around a text, or mention somebody in spite of it."""
_BREAK = "\u200b"
"""A space of no width."""


class _Issue(msgspec.Struct):
    key: str


class _Issues(msgspec.Struct):
    issues: list[_Issue]


class JiraIssue:
    """Makes the incident's issue, or comments on it where there is one.

    `user` and an API token sign in to Cloud, a personal access token alone to Data Center.
    """

    def __init__(
        self, *, url: str, project: str, user: str, token: str, timeout_s: float = TIMEOUT_S
    ) -> None:
        token = token.strip()
        self._api = f"{url.strip().rstrip('/')}/rest/api/2"
        self._project = project
        self._timeout_s = timeout_s
        pair = base64.b64encode(f"{user}:{token}".encode()).decode()
        self._sign_in = f"Basic {pair}" if user else f"Bearer {token}"
        self._secrets = (token, pair)
        self._search = _SEARCHES[0]
        self._known: dict[str, str] = {}
        """Keys by label of issues just made or found: Cloud's search lags behind its writes."""

    async def deliver(self, notification: Notification) -> tuple[Delivery, str]:
        """What became of it. A lookup that fails has surely delivered nothing."""
        label = label_of(notification)
        try:
            async with client(self._timeout_s, headers={"Authorization": self._sign_in}) as http:
                try:
                    key = self._known.get(label) or await self._lookup(http, label)
                except _LookupFailed as failed:
                    return Delivery.NOT_DELIVERED, f"looking the issue up failed: {failed}"
                return await self._write(http, notification, label, key)
        except UnicodeEncodeError:  # a token no header can carry
            return Delivery.NOT_DELIVERED, "the address or the token of this channel is malformed"

    async def _lookup(self, http: httpx.AsyncClient, label: str) -> str:
        """The key of the oldest issue with the label, empty for none."""
        project = self._project.replace("\\", "\\\\").replace('"', '\\"')
        params: dict[str, str | int] = {
            "jql": f'project = "{project}" AND labels = "{label}" ORDER BY created ASC',
            "fields": "summary",
            "maxResults": 1,
        }
        try:
            answer = await exchange(http, "GET", f"{self._api}/{self._search}", params=params)
            if answer.status in _NO_SUCH_PATH and self._search == _SEARCHES[0]:
                answer = await exchange(http, "GET", f"{self._api}/{_SEARCHES[1]}", params=params)
                if answer.is_success:
                    self._search = _SEARCHES[1]
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            raise _LookupFailed(of_failure(failure, self._secrets)[1]) from None
        if not answer.is_success:
            raise _LookupFailed(of_answer(answer, self._secrets)[1])
        try:
            issues = msgspec.json.decode(answer.body, type=_Issues).issues
        except (msgspec.DecodeError, UnicodeError) as error:
            raise _LookupFailed(plain(str(error), self._secrets)) from None
        return issues[0].key if issues else ""

    async def _write(
        self, http: httpx.AsyncClient, notification: Notification, label: str, key: str
    ) -> tuple[Delivery, str]:
        body = f"{inert(notification.text)}\n\n{notification.link}"
        if key:
            url = f"{self._api}/issue/{quote(key, safe='')}/comment"
            document: dict[str, object] = {"body": body}
        else:
            url = f"{self._api}/issue"
            document = {"fields": self._fields(notification, label, body)}
        try:
            answer = await exchange(http, "POST", url, json=document)
        except httpx.HTTPError as failure:
            return of_failure(failure, self._secrets)
        self._remember(label, key or _key_in(answer), answer)
        return of_answer(answer, self._secrets)

    def _fields(self, notification: Notification, label: str, body: str) -> dict[str, object]:
        return {
            "project": {"key": self._project},
            "summary": one_line(notification.title, MAX_SUMMARY),
            "description": body,
            "issuetype": {"name": "Task"},
            "labels": ["incident-copilot", label],
        }

    def _remember(self, label: str, key: str, answer: Answer) -> None:
        if not answer.is_success:
            self._known.pop(label, None)  # it may be gone: look again next time
        elif key:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[label] = key


class _LookupFailed(Exception):
    """With the reason, for people."""


def label_of(notification: Notification) -> str:
    """The label that only this incident's issue has, also where co-pilots share a project."""
    label = f"incident-copilot-{notification.incident_id}"
    if not notification.incident_key:
        return label
    key = hashlib.blake2b(notification.incident_key.encode(), digest_size=4).hexdigest()
    return f"{label}-{key}"


def inert(text: str) -> str:
    """Text from a cluster in which Jira finds no macro, link or mention.

    https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=all
    """
    text = _OPENS.sub(lambda opening: f"{opening.group()}{_BREAK}", text[:MAX_TEXT])
    return f"{{noformat}}\n{text}\n{{noformat}}"


def _key_in(answer: Answer) -> str:
    """The key of the issue that was just made, empty where the answer does not say."""
    try:
        return msgspec.json.decode(answer.body, type=_Issue).key
    except (msgspec.DecodeError, UnicodeError):
        return ""
