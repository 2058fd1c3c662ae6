"""What every language model promises: JSON of the shape that was asked for, or Unavailable."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import msgspec
import pytest

from copilot.agents.investigator import Turn, contract
from copilot.domain.errors import Unavailable
from copilot.llm import OpenAICompatible
from copilot.llm.openai_compatible import MAX_TOKENS
from copilot.ports import LanguageModel
from tests.builders_notify import nobody_listens
from tests.fakes_http import Answer, HttpServer, Request, says, served
from tests.fakes_model import ScriptedModel

KEY = "sk-verySecret"
GOOD: dict[str, object] = {"action": "read_evidence", "argument": "E1", "answer": None}


def model_at(url: str, timeout_s: float = 10.0) -> OpenAICompatible:
    return OpenAICompatible(base_url=f"{url}/v1", api_key=KEY, model="tiny-1", timeout_s=timeout_s)


def completed(content: object, finish: str = "stop", **more: object) -> Answer:
    """What an OpenAI-compatible server answers; 11 tokens in, 7 out."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    message = {"role": "assistant", "content": text}
    return says(
        {
            "id": "c-1",
            "object": "chat.completion",
            "created": 1,
            "model": "tiny-1",
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
            **more,
        }
    )


class Script:
    """Answers one by one; the last one for ever."""

    def __init__(self, *answers: Answer | None) -> None:
        self._answers = list(answers)

    def __call__(self, request: Request) -> Answer | None:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


async def asked(model: LanguageModel) -> tuple[str, int, int]:
    reply = await model.next(system="You investigate.", prompt="What next?", schema=contract())
    return reply.json, reply.tokens_in, reply.tokens_out


async def failed(server: HttpServer, timeout_s: float = 10.0) -> Unavailable:
    """The error that the only turn ends with."""
    with pytest.raises(Unavailable) as caught:
        await asked(model_at(server.url, timeout_s))
    return caught.value


# ------------------------------------------------------------------ every model


@pytest.mark.parametrize("kind", ["openai-compatible", "scripted"])
async def test_an_answer_of_the_right_shape_comes_with_its_cost(kind: str) -> None:
    async with served(Script(completed(GOOD))) as server:
        model: LanguageModel = (
            model_at(server.url) if kind == "openai-compatible" else ScriptedModel([GOOD])
        )

        text, tokens_in, tokens_out = await asked(model)

    assert msgspec.json.decode(text, type=Turn).argument == "E1"
    assert tokens_in > 0
    assert tokens_out > 0
    assert model.name


@pytest.mark.parametrize("kind", ["openai-compatible", "scripted"])
async def test_no_answer_is_unavailable(kind: str) -> None:
    with nobody_listens() as url:
        model: LanguageModel = model_at(url) if kind == "openai-compatible" else ScriptedModel([])

        with pytest.raises(Unavailable):
            await asked(model)


# ------------------------------------------------------------------ over the wire


async def test_a_turn_asks_for_json_of_the_schema_and_bounds_the_answer() -> None:
    async with served(Script(completed(GOOD))) as server:
        await asked(model_at(server.url))

        (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json["model"] == "tiny-1"
    assert request.json["max_completion_tokens"] == MAX_TOKENS
    assert [m["content"] for m in request.json["messages"]] == ["You investigate.", "What next?"]
    wanted = request.json["response_format"]["json_schema"]
    assert request.json["response_format"]["type"] == "json_schema"
    assert list(wanted["schema"]["properties"]) == list(Turn.__struct_fields__)


async def test_the_cost_is_what_the_server_counted() -> None:
    async with served(Script(completed(GOOD))) as server:
        assert (await asked(model_at(server.url)))[1:] == (11, 7)


async def test_a_server_that_does_not_count_is_billed_by_length() -> None:
    async with served(Script(completed(GOOD, usage=None))) as server:
        text, tokens_in, tokens_out = await asked(model_at(server.url))

    assert tokens_in == len("You investigate.What next?") // 3 + 1
    assert tokens_out == len(text) // 3 + 1


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        pytest.param("I think it is DNS.", "JSON", id="no-json"),
        pytest.param({"action": "answer"}, "lacks 'argument'", id="something-is-missing"),
        pytest.param({**GOOD, "action": "delete_pod"}, "must be one of", id="unknown-tool"),
        pytest.param({**GOOD, "argument": 7}, "of type string", id="wrong-type"),
        pytest.param({**GOOD, "shell": "rm"}, "must not have 'shell'", id="too-much"),
        pytest.param({**GOOD, "answer": {"summary": []}}, "lacks 'hypotheses'", id="deep-down"),
    ],
)
async def test_an_answer_of_another_shape_is_repaired_once_and_both_are_billed(
    broken: object, told: str
) -> None:
    async with served(Script(completed(broken), completed(GOOD))) as server:
        text, tokens_in, tokens_out = await asked(model_at(server.url))

        assert json.loads(text) == GOOD
        assert (tokens_in, tokens_out) == (22, 14)
        assert len(server.requests) == 2
        assert told in server.requests[1].json["messages"][-1]["content"]


@pytest.mark.parametrize(
    "hopeless",
    [
        pytest.param("no", id="no-json"),
        pytest.param({"action": "dance"}, id="another-shape"),
        pytest.param(None, id="nothing"),
        pytest.param("[" * 100_000, id="nested-beyond-measure"),
        pytest.param('{"action":"answer","argument":"\\ud800","answer":null}', id="half-a-letter"),
    ],
)
async def test_a_second_wrong_answer_is_the_last_and_says_what_it_cost(hopeless: object) -> None:
    async with served(Script(completed(hopeless))) as server:
        error = await failed(server)

        assert len(server.requests) == 2
    assert error.detail == {"tokens_in": 22, "tokens_out": 14}
    assert "tiny-1" in error.message
    assert "does not fit" in error.message


@pytest.mark.parametrize("figure", ["NaN", "1e999", "9" * 400], ids=["nan", "infinite", "huge"])
async def test_a_figure_that_is_none_is_no_answer(figure: str) -> None:
    claim = {
        "move": "add",
        "cause": "unknown",
        "title": "t",
        "confidence": "FIGURE",
        "supporting": [],
        "against": [],
        "next_check": "",
    }
    answered = {**GOOD, "action": "answer", "answer": {"summary": [], "hypotheses": [claim]}}
    answer = json.dumps(answered).replace('"FIGURE"', figure)

    async with served(Script(completed(answer))) as server:
        await failed(server)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(Answer(status=500, body=b"oops"), "answered 500", id="failed"),
        pytest.param(Answer(status=429, body=b"slow down"), "answered 429", id="too-many"),
        pytest.param(Answer(status=401, body=b"who?"), "answered 401", id="wrong-key"),
        pytest.param(Answer(status=302, headers={"Location": "/x"}), "", id="sent-elsewhere"),
        pytest.param(None, "connection failed", id="cut"),
        pytest.param(Answer(body=b"{" * 999, cut_after=9), "connection failed", id="breaks-off"),
        pytest.param(Answer(body=b"<html>"), "no completion", id="a-web-page"),
        pytest.param(says({}), "no completion", id="an-empty-object"),
        pytest.param(says([]), "no completion", id="a-list"),
        pytest.param(completed(GOOD, choices=[]), "no completion", id="no-choices"),
        pytest.param(completed(GOOD, choices="x"), "no completion", id="choices-are-text"),
        pytest.param(completed('{"act', "length"), "longer than", id="cut-by-the-token-limit"),
        pytest.param(completed(None, "content_filter"), "by a filter", id="filtered"),
    ],
)
async def test_a_server_that_fails_is_asked_once(answer: Answer | None, reason: str) -> None:
    async with served(Script(answer)) as server:
        error = await failed(server)

        assert len(server.requests) == 1
    assert reason in error.message


async def test_an_answer_that_never_ends_is_not_read_to_its_end() -> None:
    async with served(Script(completed("x" * 30_000_000))) as server:
        assert "connection failed" in (await failed(server)).message


async def test_a_packed_answer_is_not_unpacked() -> None:
    packed = Answer(body=b"\x1f\x8b" + bytes(1_000), headers={"Content-Encoding": "gzip"})
    async with served(Script(packed)) as server:
        await failed(server)

        assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([Answer(delay_s=15)], id="at-once"),
        pytest.param([completed("no"), Answer(delay_s=15)], id="in-the-repair"),
    ],
)
async def test_a_turn_ends_when_its_time_is_up(answers: Sequence[Answer]) -> None:
    async with served(Script(*answers)) as server:
        began = time.monotonic()
        error = await failed(server, timeout_s=1.0)

    assert "took too long" in error.message
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_an_error_repeats_neither_the_key_nor_the_prompt(status: int) -> None:
    echo = says({"error": {"message": f"{KEY} said What next?"}}, status)
    async with served(Script(echo)) as server:
        error = await failed(server)

    assert KEY not in error.message
    assert "What next?" not in error.message
    assert error.__context__ is None
