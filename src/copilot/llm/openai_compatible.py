"""Any OpenAI-compatible API as a `LanguageModel`, through pydantic-ai's model (not its agent:
one turn is one request and at most one repair, and here that can be seen)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx2
import msgspec
from openai import AsyncOpenAI, OpenAIError
from pydantic_ai import ModelRequest, ModelResponse
from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import (
    AgentRunError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from copilot.bounded import BoundedTransport
from copilot.domain.errors import Unavailable
from copilot.llm.shape import misfit
from copilot.ports import Reply

MAX_TOKENS = 1_200
"""Of one answer; a cut answer is no JSON, so it must not be small. Who asks reserves as many."""
TRIES = 2
BYTES_A_TOKEN = 3
"""A careful guess, for servers that do not count."""
MAX_BYTES = 2**20
"""Of one answer; 1,500 tokens with all their frills are some 20 KB."""
CONNECT_S = 5.0

_FAILURES = (TimeoutError, AgentRunError, UserError, OpenAIError, httpx2.HTTPError)
_MALFORMED = (IndexError, AttributeError, TypeError)
"""What pydantic-ai trips over where a completion has no choices, or something else for them."""
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "it took too long"),
    (ModelTimeoutError, "it took too long"),
    (ModelConnectionError, "the connection failed"),
    (UnexpectedModelBehavior, "its answer is no completion"),
    *((kind, "its answer is no completion") for kind in _MALFORMED),
)
_CUT = {
    "length": f"its answer was longer than {MAX_TOKENS} tokens",
    "content_filter": "its answer was withheld by a filter",
}
"""Asking again would end alike."""


@dataclass(slots=True)
class _Bill:
    """What the tries of a turn cost: the server's count, or a guess where it keeps none."""

    tokens_in: int = 0
    tokens_out: int = 0

    def add(self, answer: ModelResponse, asked: str) -> None:
        self.tokens_in += _count(answer.usage.input_tokens, asked)
        self.tokens_out += _count(answer.usage.output_tokens, answer.text or "")


class OpenAICompatible:
    """Meets `ports.LanguageModel`; keeps no conversation and no connection."""

    def __init__(self, *, base_url: str, api_key: str, model: str, timeout_s: float) -> None:
        self.name = model
        self._timeout_s = timeout_s
        self._model = OpenAIChatModel(
            model,
            provider=OpenAIProvider(
                openai_client=AsyncOpenAI(
                    base_url=base_url or None,
                    api_key=api_key or "none",  # local servers take any
                    max_retries=0,  # a port does not retry by itself
                    http_client=httpx2.AsyncClient(
                        transport=BoundedTransport(MAX_BYTES),
                        timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
                        trust_env=False,
                    ),
                )
            ),
        )

    async def next(self, *, system: str, prompt: str, schema: dict[str, object]) -> Reply:
        """One turn of at most `timeout_s`; an answer of another shape gets one repair.

        Raises:
            Unavailable: no answer in time, or no valid one. `detail` has the tokens it cost.
        """
        bill = _Bill()
        try:
            async with asyncio.timeout(self._timeout_s):
                text, reason = await self._turn(system, prompt, schema, bill)
        except (*_FAILURES, *_MALFORMED) as error:
            text, reason = "", _reason(error)
        if reason:  # raised out here: a server's error may quote the key or the prompt
            raise Unavailable(
                f"the model {self.name} gave no usable answer ({reason})",
                detail={"tokens_in": bill.tokens_in, "tokens_out": bill.tokens_out},
            )
        return Reply(json=text, tokens_in=bill.tokens_in, tokens_out=bill.tokens_out)

    async def _turn(
        self, system: str, prompt: str, schema: dict[str, object], bill: _Bill
    ) -> tuple[str, str]:
        """The answer and an empty reason, or no answer and why."""
        asked = prompt
        messages: list[ModelMessage] = []
        for _ in range(TRIES):
            messages.append(ModelRequest.user_text_prompt(asked, instructions=system))
            answer = await self._asked(messages, schema)
            messages.append(answer)
            bill.add(answer, system + prompt)
            if answer.finish_reason in _CUT:
                return "", _CUT[answer.finish_reason]
            text = answer.text or ""
            found = _misfit(text, schema)
            if not found:
                return text, ""
            asked = f"This does not fit the JSON schema: {found}. Answer again with all of it."
        return "", "its answer does not fit the schema"

    async def _asked(
        self, messages: list[ModelMessage], schema: dict[str, object]
    ) -> ModelResponse:
        wanted = OutputObjectDefinition(
            json_schema=schema, name=str(schema.get("title", "next_action"))
        )
        return await model_request(
            self._model,
            messages,
            model_settings=ModelSettings(
                temperature=0.0, max_tokens=MAX_TOKENS, timeout=self._timeout_s
            ),
            model_request_parameters=ModelRequestParameters(
                output_mode="native", output_object=wanted, allow_text_output=True
            ),
            instrument=False,
        )


def _misfit(text: str, schema: dict[str, object]) -> str:
    """What is wrong with an answer, for the model to read; empty where nothing is."""
    try:
        return misfit(msgspec.json.decode(text), schema)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return f"it is not JSON ({type(error).__name__})"


def _reason(error: Exception) -> str:
    """What failed, and never what the server wrote."""
    if isinstance(error, ModelHTTPError):
        return f"it answered {error.status_code}"
    return next((said for kind, said in _REASONS if isinstance(error, kind)), type(error).__name__)


def _count(counted: int, text: str) -> int:
    return counted if counted > 0 else len(text.encode()) // BYTES_A_TOKEN + 1
