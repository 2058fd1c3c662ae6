"""Any OpenAI-compatible API as a `LanguageModel`, through pydantic-ai."""

from __future__ import annotations

import asyncio

import httpx
import msgspec
from pydantic_ai import Agent, NativeOutput, StructuredDict
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from copilot.domain.errors import Unavailable
from copilot.ports import Reply

MAX_TOKENS = 1_500
"""Of one answer; a cut answer is no JSON, so it must not be small."""
REPAIRS = 1


class OpenAICompatible:
    """Meets `ports.LanguageModel`; keeps no conversation."""

    def __init__(self, *, base_url: str, api_key: str, model: str, timeout_s: float) -> None:
        self.name = model
        self._timeout_s = timeout_s
        self._model = OpenAIChatModel(
            model,
            provider=OpenAIProvider(
                base_url=base_url or None,
                api_key=api_key or "none",  # local servers take any
            ),
        )

    async def next(self, *, system: str, prompt: str, schema: dict[str, object]) -> Reply:
        """One turn; an answer that does not fit the schema gets one repair.

        Raises:
            Unavailable: no answer in time, or no valid one.
        """
        name = str(schema.get("title", "next_action"))
        agent = Agent(
            self._model,
            output_type=NativeOutput(StructuredDict(schema, name=name)),
            instructions=system,
            retries=REPAIRS,
            model_settings=ModelSettings(
                temperature=0.0, max_tokens=MAX_TOKENS, timeout=self._timeout_s
            ),
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await agent.run(prompt)
        except (TimeoutError, AgentRunError, UserError, httpx.HTTPError) as error:
            raise Unavailable(
                f"the model {self.name} gave no usable answer ({type(error).__name__})"
            ) from error
        usage = answer.usage
        return Reply(
            json=msgspec.json.encode(answer.output).decode(),
            tokens_in=usage.input_tokens,
            tokens_out=usage.output_tokens,
        )
