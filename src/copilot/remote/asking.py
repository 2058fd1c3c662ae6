"""How a question is put to an agent elsewhere: who asks, how long there is, and when it is put again.

A repeat helps where one of several replicas is going, and does harm where all of them are at their
limit. So it waits a random while, longer each time, is put only while somebody still waits, and
never makes more than a fifth of what is asked anyhow (`Budget`).
"""

from __future__ import annotations

import random
import secrets
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx
import msgspec

from copilot.deadline import TooLate, remaining_s, within
from copilot.domain import errors
from copilot.ports import Clock
from copilot.remote.wire import KEY, MAX_BYTES, NOT_BEGUN, REMAINING_MS

TRIES = 3
PAUSE_S = 0.2
"""At most, before the second try; twice as long before the third."""
LONGEST_PAUSE_S = 5.0
"""An agent that asks for more is left to whoever asked us."""
CONNECT_S = 3.0
AT_ONCE = 64
"""Connections; legs and people together never need as many."""

_BY_STATUS = {
    kind.status: kind
    for kind in (
        errors.BadInput,
        errors.Invalid,
        errors.Refused,
        errors.NotFound,
        errors.Conflict,
        errors.Busy,
    )
}
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class NotBegun(errors.Away):
    """Nothing of it was begun: it did not arrive, or was turned away at the door."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of whom."""

    agent: str
    """`agent-detective`."""
    url: str
    body: bytes
    limit_s: float
    acts: bool = False
    """Doing it twice would act twice: it is put again only where it surely was not begun."""


class Budget:
    """How many repeats are left: each question brings a fifth of one."""

    SHARE = 0.2
    MOST = 5.0
    """At the start, and saved up in good times."""

    def __init__(self) -> None:
        self._left = self.MOST

    def note(self) -> None:
        """A question is put for the first time."""
        self._left = min(self._left + self.SHARE, self.MOST)

    def take(self) -> bool:
        """Whether it may be put again."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Asker:
    """Puts questions to agents; one for a process."""

    def __init__(
        self,
        *,
        token: Callable[[], str],
        clock: Clock,
        chance: random.Random,
        trust: ssl.SSLContext | bool = True,
        hand_on: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        # `token` is asked for each time: kubelet exchanges it long before it ends.
        self._token = token
        self._clock = clock
        self._chance = chance
        self._hand_on = hand_on  # headers of the trace under way
        self._budgets: dict[str, Budget] = {}
        self._http = httpx.AsyncClient(
            verify=trust, trust_env=False, limits=httpx.Limits(max_connections=AT_ONCE)
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, question: Question) -> bytes:
        """The body of the answer.

        Raises:
            Away: the agent could not be asked.
            CopilotError: what it raised itself.
        """
        budget = self._budgets.setdefault(question.agent, Budget())
        budget.note()
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if question.acts:
            headers[KEY] = secrets.token_hex(16)
        try:
            async with within(question.limit_s, f"asking {question.agent}"):
                return await self._insist(question, headers, budget)
        except TooLate as late:
            raise errors.Away(late.message, detail={"agent": question.agent}) from late

    async def _insist(self, question: Question, headers: dict[str, str], budget: Budget) -> bytes:
        n_tries = 1
        while True:
            try:
                return await self._put(question, headers)
            except errors.Away as away:
                may_repeat = isinstance(away, NotBegun) or not question.acts
                pause_s = self._pause_s(away, n_tries)
                is_last = n_tries == TRIES or pause_s > min(LONGEST_PAUSE_S, remaining_s())
                if is_last or not may_repeat or not budget.take():
                    raise
            await self._clock.sleep(pause_s)
            n_tries += 1

    def _pause_s(self, away: errors.Away, n_tries: int) -> float:
        asked_s = away.detail.get("retry_after_s", 0)
        at_least_s = float(asked_s) if isinstance(asked_s, int) else 0.0
        return at_least_s + self._chance.uniform(0, PAUSE_S * 2 ** (n_tries - 1))

    async def _put(self, question: Question, headers: dict[str, str]) -> bytes:
        left_s = remaining_s()
        try:
            async with self._http.stream(
                "POST",
                question.url,
                content=question.body,
                headers={
                    **headers,
                    **self._hand_on(),
                    "Authorization": f"Bearer {self._token()}",
                    REMAINING_MS: str(int(left_s * 1000)),
                },
                timeout=httpx.Timeout(left_s, connect=min(CONNECT_S, left_s)),
            ) as response:
                body = await _bounded(response, question.agent)
        except httpx.HTTPError as failure:
            kind = NotBegun if isinstance(failure, _NOT_SENT) else errors.Away
            raise kind(
                f"{question.agent} does not answer ({type(failure).__name__}); it is tried again",
                detail={"agent": question.agent},
            ) from failure
        if response.status_code != httpx.codes.OK:
            _refuse(question.agent, response, body)
        return body


async def _bounded(response: httpx.Response, agent: str) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            raise errors.Unavailable(f"{agent} answered more than {MAX_BYTES} bytes")
    return bytes(body)


class _Problem(msgspec.Struct):
    detail: str = ""


def _refuse(agent: str, response: httpx.Response, body: bytes) -> NoReturn:
    try:
        said = msgspec.json.decode(body, type=_Problem).detail
    except msgspec.MsgspecError:
        said = ""
    said = said or f"{agent} answered {response.status_code}"
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise errors.Away(f"{agent} does not take us for a role: {said}", detail={"agent": agent})
    if NOT_BEGUN in response.headers:
        asked = response.headers.get("Retry-After", "")
        after_s = int(asked) if asked.isdecimal() and len(asked) < 6 else 0
        raise NotBegun(said, detail={"agent": agent, "retry_after_s": after_s})
    if response.status_code in (502, 504):  # of something between us
        raise errors.Away(said, detail={"agent": agent})
    raise _BY_STATUS.get(response.status_code, errors.Unavailable)(said)


def token_in(path: Path) -> Callable[[], str]:
    """The token in this file, as it is each time."""

    def read() -> str:
        try:
            return path.read_text().strip()
        except OSError as error:
            raise errors.Unavailable(
                f"the token to ask other roles with cannot be read: {path} ({error.strerror}); "
                "see COPILOT_CALLER_TOKEN_FILE"
            ) from error

    return read
