"""Any OpenAI-compatible API as a `LanguageModel`, through pydantic-ai."""

from __future__ import annotations

import asyncio
import json

import httpx2
from openai import AsyncOpenAI, OpenAIError
from pydantic_ai import Agent, ModelRetry, NativeOutput, RunUsage, StructuredDict
from pydantic_ai.exceptions import (
    AgentRunError,
    ContentFilterError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    OutputTokenLimitExceeded,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from copilot.domain.errors import Unavailable
from copilot.llm.bounded import BoundedTransport
from copilot.llm.shape import misfit
from copilot.ports import Reply

MAX_TOKENS = 1_200
"""Of one answer; a cut answer is no JSON, so it must not be small. Who asks reserves as many."""
REPAIRS = 1
BYTES_A_TOKEN = 3
"""A careful guess, for servers that do not count."""
CONNECT_S = 5.0

_FAILURES = (TimeoutError, AgentRunError, UserError, OpenAIError, httpx2.HTTPError)
_MALFORMED = (IndexError, AttributeError, TypeError)
"""What pydantic-ai trips over where a completion has no choices, or something else for them."""
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "it took too long"),
    (ModelTimeoutError, "it took too long"),
    (ModelConnectionError, "the connection failed"),
    (OutputTokenLimitExceeded, f"its answer was longer than {MAX_TOKENS} tokens"),
    (ContentFilterError, "its answer was withheld by a filter"),
    (UnexpectedModelBehavior, "its answer does not fit the schema"),
    *((kind, "its answer is no completion") for kind in _MALFORMED),
)


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
                        transport=BoundedTransport(),
                        timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
                        trust_env=False,
                    ),
                )
            ),
        )

    async def next(self, *, system: str, prompt: str, schema: dict[str, object]) -> Reply:
        """One turn of at most `timeout_s`; an answer of another shape gets one repair.

        Tokens are those of both tries; the server's count, or a guess where it keeps none.

        Raises:
            Unavailable: no answer in time, or no valid one. `detail` has the tokens it cost.
        """
        usage = RunUsage()
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._agent(system, schema).run(prompt, usage=usage)
        except (*_FAILURES, *_MALFORMED) as error:
            raise Unavailable(
                f"the model {self.name} gave no usable answer ({_reason(error)})",
                detail={"tokens_in": usage.input_tokens, "tokens_out": usage.output_tokens},
            ) from None  # a server's error may quote the key or the prompt
        text = json.dumps(answer.output, separators=(",", ":"))
        return Reply(
            json=text,
            tokens_in=_count(usage.input_tokens, system + prompt),
            tokens_out=_count(usage.output_tokens, text),
        )

    def _agent(self, system: str, schema: dict[str, object]) -> Agent[None, dict[str, object]]:
        agent = Agent(
            self._model,
            output_type=NativeOutput(
                StructuredDict(schema, name=str(schema.get("title", "next_action")))
            ),
            instructions=system,
            retries=REPAIRS,
            model_settings=ModelSettings(
                temperature=0.0, max_tokens=MAX_TOKENS, timeout=self._timeout_s
            ),
        )

        @agent.output_validator
        async def fits(output: dict[str, object]) -> dict[str, object]:
            if found := misfit(output, schema):
                raise ModelRetry(found)
            return output

        return agent


def _reason(error: Exception) -> str:
    """What failed, and never what the server wrote."""
    if isinstance(error, ModelHTTPError):
        return f"it answered {error.status_code}"
    return next((said for kind, said in _REASONS if isinstance(error, kind)), type(error).__name__)


def _count(counted: int, text: str) -> int:
    return counted if counted > 0 else len(text.encode()) // BYTES_A_TOKEN + 1
