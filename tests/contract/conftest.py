"""The API server that the cluster contract runs on, and a namespace in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.contract.cluster_targets import KubeHttp, Target, chosen_target


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with chosen_target() as chosen:
        yield chosen


@pytest.fixture(scope="module")
def api(target: Target) -> Iterator[KubeHttp]:
    """A client with a namespace of its own, which goes at the end."""
    namespace = f"copilot-contract-{secrets.token_hex(3)}"
    api = KubeHttp(target, namespace)
    body = {"metadata": {"name": namespace}}
    assert api.http.post("/api/v1/namespaces", json=body).status_code == 201
    try:
        yield api
    finally:
        api.http.delete(f"/api/v1/namespaces/{namespace}")
        api.http.close()
