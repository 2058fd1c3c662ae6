"""Slack-compatible incoming webhooks (Slack, Mattermost, Rocket.Chat).

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import httpx

from copilot.domain.notification import Delivery, Notification
from copilot.notify.delivery import TIMEOUT_S, of_failure, of_response


class SlackWebhook:
    """Posts to the one channel that the webhook's address stands for."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def deliver(self, notification: Notification) -> tuple[Delivery, str]:
        """What became of it; the webhook's address is a secret and is never in the reason."""
        body = {
            "text": f"*{_escaped(notification.title)}*\n{_escaped(notification.text)}\n"
            f"<{notification.link}|Open the incident>"
        }
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
                return of_response(await http.post(self._url, json=body))
        except httpx.HTTPError as failure:
            delivery, reason = of_failure(failure)
            return delivery, reason.replace(self._url, "the webhook")


def _escaped(text: str) -> str:
    """Text from a cluster must not become a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
