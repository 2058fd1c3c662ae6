"""What every embedder promises: a vector a text, alike for what means alike, or Unavailable."""

from __future__ import annotations

import base64
import math
import struct
import sys
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from copilot.domain.errors import Invalid, Unavailable
from copilot.domain.retrieval import Vector
from copilot.embed import NoEmbedder
from copilot.embed.local import LocalEmbedder, missing
from copilot.embed.openai_compatible import SPARE, OpenAIEmbedder
from copilot.ports import Embedder
from copilot.search.meaning import Meaning
from tests.builders_notify import nobody_listens
from tests.fakes import FixedClock
from tests.fakes_embedder import DIMENSIONS, FakeEmbedder, numbers_of
from tests.fakes_http import Answer, Request, says, served

KEY = "sk-verySecret"
KINDS = ("local", "openai-compatible", "fake")
HOSTILE = ["", " ", "\0", "\ud800 lone", "😀" * 50, "a" * 100_000, "'; DROP TABLE runbooks; --"]


def embedder_at(url: str, *, dimensions: int = 0, timeout_s: float = 10.0) -> OpenAIEmbedder:
    return OpenAIEmbedder(
        base_url=f"{url}/v1",
        api_key=KEY,
        model="text-embedding-3-small",
        dimensions=dimensions,
        price_usd=0.02,
        timeout_s=timeout_s,
        clock=FixedClock(0),
    )


def embeddings(request: Request) -> Answer:
    """What an OpenAI-compatible server answers: base64, in any order, 3 tokens a text."""
    texts = request.json["input"]
    data = [
        {"object": "embedding", "index": i, "embedding": packed(numbers_of(text))}
        for i, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 3 * len(texts), "total_tokens": 3 * len(texts)}
    return says({"object": "list", "data": data[::-1], "model": "m", "usage": usage})


def packed(numbers: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def answering(*embeddings: object, status: int = 200) -> Answer:
    """An answer with these embeddings, as they are."""
    data = [{"object": "embedding", "index": i, "embedding": e} for i, e in enumerate(embeddings)]
    return says({"object": "list", "data": data, "model": "m", "usage": {}}, status)


@asynccontextmanager
async def an_embedder(kind: str) -> AsyncIterator[Embedder]:
    async with served(embeddings) as server:
        made: dict[str, type[Embedder]] = {"local": LocalEmbedder, "fake": FakeEmbedder}
        embedder: Embedder = made[kind]() if kind in made else embedder_at(server.url)
        try:
            yield embedder
        finally:
            await embedder.close()


def cosine(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(array("f", one), array("f", other), strict=True))


# ------------------------------------------------------------------ every embedder


@pytest.mark.parametrize("kind", KINDS)
async def test_each_text_has_a_vector_of_length_one_in_its_place(kind: str) -> None:
    texts = ["the disk is full", "cache warmed", "a rather longer text about certificates"]
    async with an_embedder(kind) as embedder:
        vectors = await embedder.embed(texts)
        alone = [(await embedder.embed([text]))[0] for text in texts]

        assert {len(vector) for vector in vectors} == {embedder.dimensions * 4}
        assert all(math.isclose(cosine(one, one), 1.0, abs_tol=1e-4) for one in vectors)
        # in 8 bits a text differs a little by what it is padded with
        assert all(cosine(a, b) > 0.98 for a, b in zip(vectors, alone, strict=True))


@pytest.mark.parametrize("kind", KINDS)
async def test_no_text_makes_no_vector_and_asks_nobody(kind: str) -> None:
    async with an_embedder(kind) as embedder:
        assert await embedder.embed([]) == ()
        assert embedder.use.texts == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_whatever_a_text_holds_it_has_a_vector(kind: str) -> None:
    async with an_embedder(kind) as embedder:
        vectors = await embedder.embed(HOSTILE)

        assert len(vectors) == len(HOSTILE)
        assert all(all(map(math.isfinite, array("f", vector))) for vector in vectors)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_it_did_is_counted(kind: str) -> None:
    async with an_embedder(kind) as embedder:
        await embedder.embed(["the disk is full", "cache warmed"])

        assert embedder.use.texts == 2
        assert embedder.use.tokens > 0
        assert embedder.use.failures == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_more_texts_than_a_batch_come_back_in_their_order(kind: str) -> None:
    async with an_embedder(kind) as embedder:
        texts = [f"text {'x ' * (i % 7)}number {i}" for i in range(embedder.batch + 3)]
        vectors = await embedder.embed(texts)
        (last,) = await embedder.embed(texts[-1:])

        assert len(vectors) == len(texts)
        assert cosine(vectors[-1], last) > 0.98


async def test_no_embedder_says_why_and_gives_nothing() -> None:
    none = NoEmbedder("it is switched off")

    with pytest.raises(Unavailable, match="switched off"):
        await none.embed(["text"])
    assert (none.name, none.dimensions, await none.embed([])) == ("", 0, ())


# ------------------------------------------------------------------ the local model


async def test_the_local_model_knows_what_means_alike() -> None:
    assert missing() == ""
    embedder = LocalEmbedder()
    try:
        full, space, cat = await embedder.embed(
            ["the disk is full", "no space left on device", "the cat sat on the mat"]
        )
    finally:
        await embedder.close()

    assert cosine(full, space) > 0.5
    assert cosine(full, cat) < 0.3


async def test_weights_that_are_not_those_we_know_are_not_used(tmp_path: Path) -> None:
    wrong = tmp_path / "model.onnx"
    wrong.write_bytes(b"something else")
    embedder = LocalEmbedder(wrong)
    try:
        with pytest.raises(Unavailable, match=r"model\.onnx is not the one we know"):
            await embedder.embed(["text"])
    finally:
        await embedder.close()
    assert embedder.use.failures == 1


async def test_a_model_that_cannot_be_loaded_is_unavailable_and_fails_no_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as where its library does not load
    embedder = LocalEmbedder()
    try:
        with pytest.raises(Unavailable, match="cannot be loaded"):
            await embedder.embed(["text"])
        assert await Meaning(embedder).of("text") is None
    finally:
        await embedder.close()
    assert embedder.use.failures == 2


async def test_weights_that_cannot_be_read_are_unavailable(tmp_path: Path) -> None:
    embedder = LocalEmbedder(tmp_path / "gone.onnx")
    try:
        with pytest.raises(Unavailable, match="cannot be loaded"):
            await embedder.embed(["text"])
    finally:
        await embedder.close()


async def test_a_closed_local_embedder_is_unavailable() -> None:
    embedder = LocalEmbedder()
    await embedder.close()

    with pytest.raises(Unavailable, match="closed"):
        await embedder.embed(["text"])


# ------------------------------------------------------------------ over HTTP


async def test_texts_go_out_in_batches_with_the_key_and_no_more_than_was_set() -> None:
    async with served(embeddings) as server:
        embedder = embedder_at(server.url, dimensions=DIMENSIONS)
        await embedder.embed([f"text {i}" for i in range(130)])

    assert [len(one.json["input"]) for one in server.requests] == [64, 64, 2]
    assert {one.json["dimensions"] for one in server.requests} == {DIMENSIONS}
    assert {one.headers["authorization"] for one in server.requests} == {f"Bearer {KEY}"}
    assert embedder.name == f"text-embedding-3-small@{DIMENSIONS}"


async def test_tokens_become_a_price() -> None:
    async with served(embeddings) as server:
        embedder = embedder_at(server.url)
        await embedder.embed(["a", "b"])

    assert embedder.use.tokens == 6
    assert embedder.use.cost_usd == pytest.approx(0.00000012)


async def test_a_server_that_knows_only_numbers_is_understood() -> None:
    async with served(lambda _: answering([3.0, 4.0])) as server:
        (vector,) = await embedder_at(server.url).embed(["text"])

    assert list(array("f", vector)) == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize(
    "answer",
    [
        answering(),
        answering([1.0], [1.0]),
        answering([]),
        answering("no base64!"),
        answering(packed([0.0, 0.0])),
        answering(packed([math.nan, 1.0])),
        answering({"a": 1}),
        says({"error": "x"}),
        says([1, 2]),
        Answer(body=b"<html>", headers={"Content-Type": "text/html"}),
    ],
)
async def test_an_answer_without_vectors_is_unavailable_and_not_asked_for_again(
    answer: Answer,
) -> None:
    async with served(lambda _: answer) as server:
        embedder = embedder_at(server.url)
        with pytest.raises(Unavailable, match="gave no vectors"):
            await embedder.embed(["text"])

    assert len(server.requests) == 1
    assert embedder.use.failures == 1


async def test_vectors_of_another_length_than_before_are_of_no_use() -> None:
    answers = [answering([1.0, 0.0]), answering([1.0, 0.0, 0.0])]
    async with served(lambda _: answers.pop(0)) as server:
        embedder = embedder_at(server.url)
        await embedder.embed(["text"])
        with pytest.raises(Unavailable, match="vectors of 2, 3 numbers"):
            await embedder.embed(["text"])


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_passing_failure_is_tried_again(status: int) -> None:
    answers = [says({}, status), says({}, status), answering([1.0])]
    async with served(lambda _: answers.pop(0)) as server:
        embedder = embedder_at(server.url)
        assert len(await embedder.embed(["text"])) == 1

    assert embedder.use.failures == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_lasting_failure_is_not_tried_again_and_quotes_nothing(status: int) -> None:
    async with served(lambda _: says({"error": {"message": f"{KEY} secret text"}}, status)) as s:
        with pytest.raises(Invalid if status == 400 else Unavailable) as caught:
            await embedder_at(s.url).embed(["secret text"])

    assert len(s.requests) == 1
    assert str(status) in caught.value.message
    assert KEY not in caught.value.message
    assert "secret text" not in caught.value.message


async def test_a_server_that_is_down_is_left_alone_after_a_while() -> None:
    async with served(lambda _: says({}, 503)) as server:
        embedder = embedder_at(server.url)
        for _ in range(SPARE):
            with pytest.raises(Unavailable):
                await embedder.embed(["text"])

    assert len(server.requests) == SPARE + SPARE  # each asked once, and all spare tries


async def test_nobody_there_is_unavailable() -> None:
    with nobody_listens() as url, pytest.raises(Unavailable, match="connection failed"):
        await embedder_at(url).embed(["text"])


async def test_an_answer_that_does_not_end_is_cut_off() -> None:
    huge = Answer(body=b"[" + b" " * (17 * 2**20), headers={"Content-Type": "application/json"})
    async with served(lambda _: huge) as server:
        with pytest.raises(Unavailable):
            await embedder_at(server.url).embed(["text"])


async def test_an_answer_that_does_not_come_is_unavailable() -> None:
    async with served(lambda _: Answer(delay_s=30)) as server:
        with pytest.raises(Unavailable, match="too long"):
            await embedder_at(server.url, timeout_s=0.05).embed(["text"])
