"""Any OpenAI-compatible API's `/embeddings`, in batches, with a bounded number of second tries."""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
from array import array
from collections.abc import Sequence
from sys import byteorder

import httpx2
from openai import APIConnectionError, APIStatusError, AsyncOpenAI, OpenAIError
from openai.types import CreateEmbeddingResponse

from copilot.bounded import BoundedTransport
from copilot.domain.errors import Invalid, Unavailable
from copilot.domain.retrieval import Vector
from copilot.ports import Clock, EmbedderUse

MAX_BYTES = 16 * 2**20
"""Of one answer: a batch of 3,072 numbers each as text is 4 MB."""
MOST_CHARS = 8_000
"""Of a text: the usual limit is 8,191 tokens, and no token is shorter than a character."""
TRIES = 4
"""Of one batch."""
SPARE = 20
"""Second tries that are free; beyond, each takes ten answers: a service that is down is left
alone."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 20.0
CONNECT_S = 5.0
_PASSING = frozenset({408, 409, 429, 500, 502, 503, 504})
_REFUSING = frozenset({400, 413, 422})
"""What is said of a text, or of every request where the service is set up wrongly."""


class OpenAIEmbedder:
    """Meets `ports.Embedder`; keeps no connection."""

    batch = 64

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        model: str,
        dimensions: int,
        price_usd: float,
        timeout_s: float,
        clock: Clock,
    ) -> None:
        """`dimensions` 0 takes the model's own; `price_usd` is for a million tokens."""
        self.name = f"{model}@{dimensions}" if dimensions else model
        self.about = f"{model} at {base_url or 'OpenAI'}"
        self.dimensions = dimensions
        self._model = model
        self._asked_dimensions = dimensions
        self._price_usd = price_usd
        self._timeout_s = timeout_s
        self._clock = clock
        self._spare = float(SPARE)
        self._n_texts = self._n_tokens = self._n_failures = 0
        self._client = AsyncOpenAI(
            base_url=base_url or None,
            api_key=api_key or "none",  # local servers take any
            max_retries=0,  # ours are counted
            http_client=httpx2.AsyncClient(
                transport=BoundedTransport(MAX_BYTES),
                timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
                trust_env=False,
            ),
        )

    @property
    def use(self) -> EmbedderUse:
        return EmbedderUse(
            texts=self._n_texts,
            tokens=self._n_tokens,
            cost_usd=self._n_tokens * self._price_usd / 1_000_000,
            failures=self._n_failures,
        )

    async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
        """See the port; what the server wrote is never in an error."""
        found: list[Vector] = []
        for start in range(0, len(texts), self.batch):
            part = [_sendable(text) for text in texts[start : start + self.batch]]
            found += await self._embedded(part)
            self._n_texts += len(part)
            self._spare = min(SPARE, self._spare + 0.1)
        return tuple(found)

    async def close(self) -> None:
        await self._client.close()

    async def _embedded(self, texts: list[str]) -> list[Vector]:
        tried = 0
        while True:
            tried += 1
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer = await self._asked(texts)
                return self._vectors(answer, len(texts))
            except (TimeoutError, OpenAIError, httpx2.HTTPError, _OfNoUse) as error:
                self._n_failures += 1
                reason, pause_s = _reason(error), _pause_s(error, tried)
                if isinstance(error, APIStatusError) and error.status_code in _REFUSING:
                    raise Invalid(f"the embedder {self._model} refuses it ({reason})") from None
            if pause_s is None or tried >= TRIES or self._spare < 1:
                raise Unavailable(f"the embedder {self._model} gave no vectors ({reason})")
            self._spare -= 1
            await self._clock.sleep(pause_s)

    async def _asked(self, texts: list[str]) -> CreateEmbeddingResponse:
        if self._asked_dimensions:
            return await self._client.embeddings.create(
                model=self._model,
                input=texts,
                encoding_format="base64",  # a quarter of the size of text
                dimensions=self._asked_dimensions,
            )
        return await self._client.embeddings.create(
            model=self._model, input=texts, encoding_format="base64"
        )

    def _vectors(self, answer: CreateEmbeddingResponse, n: int) -> list[Vector]:
        """Raises: _OfNoUse."""
        data = getattr(answer, "data", None)
        if not isinstance(data, list) or len(data) != n:
            raise _OfNoUse(f"not {n} vectors")
        try:
            ordered = sorted(data, key=lambda one: int(one.index))
            vectors = [_unit(one.embedding) for one in ordered]
        except (AttributeError, TypeError, ValueError, OverflowError, binascii.Error) as error:
            raise _OfNoUse("what came are no vectors") from error
        lengths = {len(vector) // 4 for vector in vectors} | {self.dimensions or 0} - {0}
        if len(lengths) != 1:
            raise _OfNoUse(f"vectors of {', '.join(map(str, sorted(lengths)))} numbers")
        self.dimensions = lengths.pop()
        used = getattr(getattr(answer, "usage", None), "total_tokens", 0)
        self._n_tokens += used if isinstance(used, int) and used > 0 else 0
        return vectors


class _OfNoUse(Exception):
    """An answer that holds no vectors for what was asked."""


def _unit(embedding: object) -> Vector:
    """Of length 1, from base64 of float32 or, where a server knows no better, from numbers.

    Raises:
        ValueError: there are no numbers, or not finite ones.
    """
    numbers = array("f")
    if isinstance(embedding, str):
        numbers.frombytes(base64.b64decode(embedding, validate=True))
        if byteorder == "big":
            numbers.byteswap()
    elif isinstance(embedding, list):
        numbers.extend(embedding)
    length = math.sqrt(math.fsum(x * x for x in numbers))
    if not math.isfinite(length) or length == 0.0:
        raise ValueError("no vector")
    unit = array("f", (x / length for x in numbers))
    if byteorder == "big":
        unit.byteswap()
    return Vector(unit.tobytes())


def _sendable(text: str) -> str:
    """What an API takes: no lone surrogates, not too long, not nothing."""
    return text[:MOST_CHARS].encode("utf-8", "replace").decode() or " "


def _reason(error: Exception) -> str:
    """What failed, and never what the server wrote."""
    if isinstance(error, APIStatusError):
        return f"it answered {error.status_code}"
    if isinstance(error, _OfNoUse):
        return str(error)
    if isinstance(error, TimeoutError):
        return "it took too long"
    return "the connection failed"


def _pause_s(error: Exception, tried: int) -> float | None:
    """How long to wait before the next try; None where another would end alike."""
    pause_s = min(FIRST_PAUSE_S * (1 << (tried - 1)), LONGEST_PAUSE_S)
    if isinstance(error, APIStatusError):
        if error.status_code not in _PASSING:
            return None
        return min(max(pause_s, _asked_pause_s(error.response)), LONGEST_PAUSE_S)
    if isinstance(error, TimeoutError | APIConnectionError | httpx2.HTTPError):
        return pause_s
    return None


def _asked_pause_s(response: httpx2.Response) -> float:
    """What the server asks for, in seconds; dates are not read."""
    said = response.headers.get("retry-after", "")
    return float(said) if said.isdecimal() and len(said) < 6 else 0.0
