"""Messages, and the channels they go to: a webhook, a Jira of either kind, addresses nobody serves."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from copilot.domain.incident import IncidentId
from copilot.domain.notification import Channel, Notification, NotificationId
from copilot.notify.jira import JiraIssue
from copilot.notify.slack import SlackWebhook
from tests.fakes_http import Answer, Handler, Request, says

HOOK_PATH = "/services/T0AAAAAAA/B0BBBBBBB/verySecretPart"
TOKEN = "jira-token-verySecret"


def a_message(
    title: str = "INC-7 billing is out of memory",
    text: str = "Container app was killed.",
    *,
    incident_id: int = 7,
    incident_key: str = "",
    channel: Channel = Channel.SLACK,
) -> Notification:
    return Notification(
        id=NotificationId(1),
        incident_id=IncidentId(incident_id),
        channel=channel,
        dedupe_key=f"{channel}:{incident_id}:{title}",
        title=title,
        text=text,
        link=f"http://copilot.test/incident/?id={incident_id}",
        attempts=1,
        incident_key=incident_key,
    )


def slack_at(url: str, timeout_s: float = 3.0) -> SlackWebhook:
    return SlackWebhook(f"{url}{HOOK_PATH}", timeout_s=timeout_s)


def jira_at(
    url: str,
    timeout_s: float = 3.0,
    *,
    user: str = "",
    token: str = TOKEN,
    project: str = "OPS",
) -> JiraIssue:
    return JiraIssue(url=url, project=project, user=user, token=token, timeout_s=timeout_s)


@dataclass
class FakeJira:
    """The part of Jira's REST API that we use; `cloud` or Data Center, which differ in search.

    `answers` come first, one for each write; None cuts the connection after the write was done.
    """

    cloud: bool = True
    lags: bool = False
    """The search does not find what was made just now."""
    issues: dict[str, dict[str, object]] = field(default_factory=dict)
    comments: list[tuple[str, str]] = field(default_factory=list)
    answers: list[Answer | None] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer | None:
        if request.method == "GET":
            return self._search(request)
        written = self._write(request)
        return self.answers.pop(0) if self.answers else written

    def _search(self, request: Request) -> Answer:
        if self.cloud and request.path == "/rest/api/2/search":
            return says({"errorMessages": ["The requested API has been removed."]}, 410)
        if not self.cloud and request.path != "/rest/api/2/search":
            return Answer(status=404, body=b"null for uri")
        found = [
            {"id": "1", "key": key}
            for key, fields in self.issues.items()
            if not self.lags
            and any(f'"{label}"' in request.query["jql"] for label in _labels(fields))
        ]
        return says({"issues": found[: int(request.query["maxResults"])]})

    def _write(self, request: Request) -> Answer:
        if request.path == "/rest/api/2/issue":
            key = f"OPS-{len(self.issues) + 1}"
            self.issues[key] = request.json["fields"]
            return says({"id": "1", "key": key}, 201)
        key = request.path.split("/")[-2]
        if key not in self.issues:
            return says({"errorMessages": ["Issue does not exist"]}, 404)
        self.comments.append((key, request.json["body"]))
        return says({"id": "9"}, 201)


def _labels(fields: dict[str, object]) -> list[str]:
    labels = fields["labels"]
    assert isinstance(labels, list)
    return [label for label in labels if label != "incident-copilot"]


def finds_nothing(answer: Answer | None) -> Handler:
    """A channel that gives this answer to every write; a lookup finds no issue."""

    def handle(request: Request) -> Answer | None:
        return says({"issues": []}) if request.method == "GET" else answer

    return handle


@contextmanager
def nobody_listens() -> Iterator[str]:
    """An address that refuses connections."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"


@contextmanager
def nobody_accepts() -> Iterator[str]:
    """An address whose queue of connections is full: connecting drags on."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        callers = [socket.socket() for _ in range(3)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(busy.getsockname())
        try:
            yield f"http://127.0.0.1:{busy.getsockname()[1]}"
        finally:
            for caller in callers:
                caller.close()
