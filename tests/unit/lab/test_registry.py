"""The lab's registry over loopback: what containerd asks of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest

from lab.images import Built, digest
from lab.registry import PASSWORD, USER, Registry

IMAGE = Built(layers=(b"a layer",), config=b"{}")
ACCESS = httpx.BasicAuth(USER, PASSWORD)


@pytest.fixture(scope="module")
def registry() -> Iterator[httpx.Client]:
    with Registry(("127.0.0.1", 0), {"app:1": IMAGE, "app:2": IMAGE}) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with httpx.Client(base_url=url, trust_env=False) as client:
            yield client
        server.shutdown()
        thread.join(5)


def test_an_image_can_be_pulled_by_tag_and_then_by_digest(registry: httpx.Client) -> None:
    manifest = registry.get("/v2/public/app/manifests/1")
    layer = manifest.json()["layers"][0]["digest"]

    assert manifest.headers["Content-Type"] == "application/vnd.oci.image.manifest.v1+json"
    assert (
        registry.get(f"/v2/public/app/manifests/{digest(IMAGE.manifest)}").content
        == manifest.content
    )
    assert registry.get(f"/v2/public/app/blobs/{layer}").content == b"a layer"


def test_a_head_says_the_length_and_sends_nothing(registry: httpx.Client) -> None:
    answer = registry.head("/v2/public/app/manifests/1")

    assert answer.content == b""
    assert int(answer.headers["Content-Length"]) == len(IMAGE.manifest)


def test_tags_are_listed(registry: httpx.Client) -> None:
    assert registry.get("/v2/public/app/tags/list").json() == {"name": "app", "tags": ["1", "2"]}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/v2/public/app/manifests/9", 404, id="no such tag"),
        pytest.param("/v2/public/other/manifests/1", 404, id="no such repository"),
        pytest.param("/v2/elsewhere/app/manifests/1", 404, id="no such realm"),
        pytest.param("/v2/public/app/blobs/sha256:0", 404, id="no such blob"),
        pytest.param("/v2/private/app/manifests/1", 401, id="no password"),
        pytest.param("/v2/members/app/manifests/1", 401, id="no token"),
        pytest.param("/v2/busy/app/manifests/1", 429, id="too many requests"),
    ],
)
def test_what_is_refused_is_refused_with_its_reason(
    registry: httpx.Client, path: str, status: int
) -> None:
    answer = registry.get(path)

    assert answer.status_code == status
    assert answer.json()["errors"][0]["code"]


def test_the_password_opens_the_private_realm(registry: httpx.Client) -> None:
    assert registry.get("/v2/private/app/manifests/1", auth=ACCESS).status_code == 200


def test_only_a_member_s_token_opens_the_members_realm(registry: httpx.Client) -> None:
    path = "/v2/members/app/manifests/1"
    strangers = registry.get("/token").json()["token"]
    members = registry.get("/token", auth=ACCESS).json()["token"]

    refused = registry.get(path, headers={"Authorization": f"Bearer {strangers}"})
    opened = registry.get(path, headers={"Authorization": f"Bearer {members}"})

    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
    assert opened.status_code == 200
