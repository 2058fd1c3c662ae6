"""Jira issues, one for each incident: looked up by its label before it is made.

https://developer.atlassian.com/cloud/jira/platform/rest/v2/
"""

from __future__ import annotations

import httpx
import msgspec

from copilot.domain.notification import Delivery, Notification
from copilot.notify.delivery import TIMEOUT_S, of_failure, of_response


class _Issue(msgspec.Struct):
    key: str


class _Issues(msgspec.Struct):
    issues: list[_Issue] = []


class JiraIssue:
    """Makes the incident's issue, or comments on it where there is one."""

    def __init__(self, *, url: str, project: str, user: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._project = project
        self._auth = (user, token) if user else None
        self._headers = {} if user else {"Authorization": f"Bearer {token}"}

    async def deliver(self, notification: Notification) -> tuple[Delivery, str]:
        """What became of it. A lookup that fails has surely delivered nothing."""
        label = f"incident-copilot-{notification.incident_id}"
        async with httpx.AsyncClient(
            timeout=TIMEOUT_S, auth=self._auth, headers=self._headers, trust_env=False
        ) as http:
            try:
                found = await http.get(
                    f"{self._url}/rest/api/2/search",
                    params={
                        "jql": f'project = "{self._project}" AND labels = "{label}"',
                        "fields": "summary",
                        "maxResults": 1,
                    },
                )
                found.raise_for_status()
                issues = msgspec.json.decode(found.content, type=_Issues).issues
            except (httpx.HTTPError, msgspec.MsgspecError) as failure:
                return Delivery.NOT_DELIVERED, f"looking the issue up failed: {failure}"[:300]
            try:
                return of_response(await self._write(http, notification, label, issues))
            except httpx.HTTPError as failure:
                return of_failure(failure)

    async def _write(
        self, http: httpx.AsyncClient, notification: Notification, label: str, issues: list[_Issue]
    ) -> httpx.Response:
        text = f"{notification.text}\n\n{notification.link}"
        if issues:
            return await http.post(
                f"{self._url}/rest/api/2/issue/{issues[0].key}/comment", json={"body": text}
            )
        fields = {
            "project": {"key": self._project},
            "summary": notification.title[:250],
            "description": text,
            "issuetype": {"name": "Task"},
            "labels": ["incident-copilot", label],
        }
        return await http.post(f"{self._url}/rest/api/2/issue", json={"fields": fields})
