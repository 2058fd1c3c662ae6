"""By what search finds, as the running product says it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.copilot_process import Copilot, demo_cluster, up_on, wait_for

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cluster")
    with demo_cluster(folder, folder / "data", "", "") as kubeconfig:
        yield kubeconfig


def index_of(copilot: Copilot) -> dict[str, Any]:
    with copilot.client() as client:
        answer = client.get("/readyz", params={"verbose": "1"}).raise_for_status().json()
    index: dict[str, Any] = answer["index"]
    return index


def with_vectors(index: dict[str, Any]) -> dict[str, Any] | None:
    return index if index["vectors_waiting"] < index["documents"] else None


def test_with_the_local_model_sections_of_runbooks_come_to_have_a_meaning(
    kubeconfig: Path, tmp_path: Path
) -> None:
    copilot = up_on(tmp_path, kubeconfig, env={"COPILOT_EMBEDDER": "local"})
    try:
        index = wait_for(lambda: with_vectors(index_of(copilot)), "a vector", 50)
        with copilot.client() as client:
            metrics = client.get("/metrics").raise_for_status().text
    finally:
        copilot.stop()

    assert index["model"] == "all-MiniLM-L6-v2-int8"
    assert index["words_waiting"] == 0
    assert index["texts"] >= index["documents"] - index["vectors_waiting"]
    assert "copilot_index_vectors_waiting" in metrics
    assert "search        by words and by meaning (all-MiniLM-L6-v2-int8" in log_of(tmp_path)


def all_read(index: dict[str, Any]) -> dict[str, Any] | None:
    return index if index["documents"] and not index["words_waiting"] else None


def test_without_an_embedder_search_is_by_words_and_says_so(
    kubeconfig: Path, tmp_path: Path
) -> None:
    copilot = up_on(tmp_path, kubeconfig, env={"COPILOT_EMBEDDER": "off"})
    try:
        index = wait_for(lambda: all_read(index_of(copilot)), "words", 50)
    finally:
        copilot.stop()

    assert (index["model"], index["vectors_waiting"], index["texts"]) == (None, 0, 0)
    assert index["about"] == "switched off by COPILOT_EMBEDDER"
    assert "search        by words alone: switched off" in log_of(tmp_path)


def log_of(folder: Path) -> str:
    return "\n".join(path.read_text() for path in folder.rglob("*.log"))
