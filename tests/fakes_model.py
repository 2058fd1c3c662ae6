"""A language model that says what the test tells it to."""

from __future__ import annotations

import json
from collections.abc import Sequence

from copilot.domain.errors import Unavailable
from copilot.ports import Reply


class ScriptedModel:
    """Gives its replies one by one: a dict as JSON, text as it is, an error raised.

    Out of replies it is `Unavailable`. What it was asked is kept in `prompts`.
    """

    def __init__(
        self, replies: Sequence[dict[str, object] | str | Unavailable], *, tokens: int = 400
    ) -> None:
        self._replies = list(replies)
        self._tokens = tokens
        self.prompts: list[str] = []

    @property
    def name(self) -> str:
        return "scripted"

    async def next(self, *, system: str, prompt: str, schema: dict[str, object]) -> Reply:
        self.prompts.append(prompt)
        if not self._replies:
            raise Unavailable("nothing left to say")
        reply = self._replies.pop(0)
        if isinstance(reply, Unavailable):
            raise reply
        text = reply if isinstance(reply, str) else json.dumps(reply)
        return Reply(json=text, tokens_in=self._tokens, tokens_out=50)
