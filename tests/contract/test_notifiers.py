"""What every channel promises: the truth about delivery, in bounded time, without its secrets."""

from __future__ import annotations

import base64
import time

import pytest

from copilot.domain.notification import Delivery
from copilot.ports import Notifier
from tests.builders_notify import (
    HOOK_PATH,
    TOKEN,
    a_message,
    finds_nothing,
    jira_at,
    nobody_accepts,
    nobody_listens,
    slack_at,
)
from tests.fakes_http import Answer, served

CHANNELS = ("slack", "jira")


def channel_at(kind: str, url: str, timeout_s: float = 3.0) -> Notifier:
    return slack_at(url, timeout_s) if kind == "slack" else jira_at(url, timeout_s)


async def told(kind: str, answer: Answer | None, timeout_s: float = 3.0) -> tuple[Delivery, str]:
    """What a channel says of a delivery that gets this answer."""
    async with served(finds_nothing(answer)) as server:
        return await channel_at(kind, server.url, timeout_s).deliver(a_message())


@pytest.mark.parametrize("kind", CHANNELS)
async def test_an_accepted_message_is_delivered_once(kind: str) -> None:
    async with served(finds_nothing(Answer(status=201, body=b"ok"))) as server:
        told = await channel_at(kind, server.url).deliver(a_message())

        assert told == (Delivery.DELIVERED, "")
        assert [r.method for r in server.requests].count("POST") == 1


@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize(
    ("status", "delivery"),
    [
        pytest.param(302, Delivery.NOT_DELIVERED, id="moved-elsewhere"),
        pytest.param(400, Delivery.NOT_DELIVERED, id="refused-as-invalid"),
        pytest.param(401, Delivery.NOT_DELIVERED, id="not-signed-in"),
        pytest.param(404, Delivery.NOT_DELIVERED, id="no-such-channel"),
        pytest.param(429, Delivery.NOT_DELIVERED, id="too-many"),
        pytest.param(503, Delivery.NOT_DELIVERED, id="not-taken-on"),
        pytest.param(500, Delivery.UNKNOWN, id="failed-while-at-it"),
        pytest.param(502, Delivery.UNKNOWN, id="a-gateway-lost-the-answer"),
        pytest.param(504, Delivery.UNKNOWN, id="a-gateway-waited-in-vain"),
    ],
)
async def test_a_status_says_whether_it_may_be_sent_again(
    kind: str, status: int, delivery: Delivery
) -> None:
    said, reason = await told(kind, Answer(status=status, body=b"no\nmore"))

    assert said is delivery
    assert reason == f"answered {status}: no more"


@pytest.mark.parametrize("kind", CHANNELS)
async def test_a_refused_connection_surely_delivered_nothing(kind: str) -> None:
    with nobody_listens() as url:
        said, reason = await channel_at(kind, url).deliver(a_message())

    assert said is Delivery.NOT_DELIVERED
    assert "ConnectError" in reason


@pytest.mark.parametrize("kind", CHANNELS)
async def test_a_connection_that_is_never_accepted_surely_delivered_nothing(kind: str) -> None:
    with nobody_accepts() as url:
        said, reason = await channel_at(kind, url, timeout_s=0.9).deliver(a_message())

    assert said is Delivery.NOT_DELIVERED
    assert "ConnectTimeout" in reason


@pytest.mark.parametrize("kind", CHANNELS)
async def test_a_connection_cut_after_the_request_leaves_the_outcome_unknown(kind: str) -> None:
    said, reason = await told(kind, None)

    assert said is Delivery.UNKNOWN
    assert "RemoteProtocolError" in reason


@pytest.mark.parametrize("kind", CHANNELS)
async def test_an_answer_that_takes_too_long_leaves_the_outcome_unknown(kind: str) -> None:
    began = time.monotonic()

    said, reason = await told(kind, Answer(delay_s=15), timeout_s=0.5)

    assert said is Delivery.UNKNOWN
    assert "ReadTimeout" in reason
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(status=201, body=b"x" * 50_000, cut_after=10), id="breaks-off"),
        pytest.param(Answer(status=201, body=b"x" * 5_000_000), id="never-ends"),
        pytest.param(Answer(status=201, body=b"\xff\x00{", headers={"Content-Encoding": "gzip"}),
                     id="is-no-text"),
    ],
)  # fmt: skip
async def test_an_accepted_message_stays_delivered_whatever_the_body_does(
    kind: str, answer: Answer
) -> None:
    assert await told(kind, answer) == (Delivery.DELIVERED, "")


@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "127.0.0.1", "http://[bad", "http://127.0.0.1:port", ""]
)
async def test_an_address_that_is_none_is_a_reason_and_no_crash(kind: str, url: str) -> None:
    said, reason = await channel_at(kind, url).deliver(a_message())

    assert said is Delivery.NOT_DELIVERED
    assert reason


@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize("status", [400, 500])
async def test_no_reason_repeats_a_secret_that_the_far_side_repeats(kind: str, status: int) -> None:
    pair = base64.b64encode(f"ada:{TOKEN}".encode()).decode()
    echo = f"you said {TOKEN} Basic {pair} at {HOOK_PATH}?x and verySecretPart".encode()

    async with served(finds_nothing(Answer(status=status, body=echo))) as server:
        notifier = jira_at(server.url, user="ada") if kind == "jira" else slack_at(server.url)
        _, reason = await notifier.deliver(a_message())

    assert reason.startswith(f"answered {status}: you said")
    mine = (TOKEN, pair) if kind == "jira" else (HOOK_PATH, "verySecretPart", "T0AAAAAAA")
    assert not [secret for secret in mine if secret in reason]


@pytest.mark.parametrize("kind", CHANNELS)
async def test_a_reason_is_one_short_line(kind: str) -> None:
    _, reason = await told(kind, Answer(status=400, body=b"\x1b[31m" + b"long\r\n" * 10_000))

    assert reason.isprintable()
    assert len(reason) < 250
