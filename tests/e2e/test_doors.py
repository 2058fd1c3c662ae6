"""What senders really send, through the doors of the running product, to what can be read of it."""

from __future__ import annotations

import gzip
import json
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.builders_ingest import (
    JSON,
    LINES,
    Recorded,
    a_record,
    all_recorded,
    as_json,
    decoded,
    recorded,
)
from tests.e2e.copilot_process import Copilot, demo_cluster, up_on, wait_for

pytestmark = pytest.mark.timeout(60)

_TOO_LARGE = 33 * 1024 * 1024


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster that sends nothing, so that every line that is stored is ours."""
    folder = tmp_path_factory.mktemp("cluster")
    with demo_cluster(folder, folder / "data", "", "") as kubeconfig:
        yield kubeconfig


@pytest.fixture(scope="module")
def copilot(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copilot]:
    copilot = up_on(tmp_path_factory.mktemp("doors"), kubeconfig)
    yield copilot
    copilot.stop()


@pytest.fixture(scope="module")
def client(copilot: Copilot) -> Iterator[httpx.Client]:
    with copilot.client() as client:
        yield client


@pytest.fixture(scope="module")
def sender(copilot: Copilot) -> Iterator[httpx.Client]:
    with copilot.sender() as sender:
        yield sender


def send(sender: httpx.Client, request: Recorded) -> httpx.Response:
    """As it was recorded, with our token."""
    own = ("host", "content-length", "connection", "x-api-key")
    headers = {k: v for k, v in request.headers.items() if k.lower() not in own}
    return sender.post(request.path, content=request.body, headers=headers)


def stored(client: httpx.Client) -> dict[str, int]:
    """How much of each kind is in the store."""
    counts: dict[str, int] = client.get("/readyz?verbose").raise_for_status().json()["stored"]
    return counts


def gained(client: httpx.Client, before: dict[str, int]) -> dict[str, int]:
    """What came to be since. The kubelets' points come in all the time, so they do not count."""
    now = stored(client)
    kinds = ("lines", "spans", "set_aside")
    return {kind: now[kind] - before[kind] for kind in kinds if now[kind] != before[kind]}


def search(client: httpx.Client, text: str) -> list[dict[str, Any]]:
    query: dict[str, str | int] = {"q": f"{text} until:2100-01-01", "limit": 200}
    hits: list[dict[str, Any]] = (
        client.get("/api/search", params=query).raise_for_status().json()["hits"]
    )
    return hits


@pytest.mark.parametrize("name", all_recorded())
def test_what_a_sender_really_sends_is_stored_whole_and_once(
    client: httpx.Client, sender: httpx.Client, name: str
) -> None:
    request, batch = recorded(name), decoded(name)
    before = stored(client)

    first, again = send(sender, request), send(sender, request)

    assert (first.status_code, again.status_code) == (200, 200)
    wanted = {"lines": len(batch.lines), "spans": len(batch.spans)}
    assert gained(client, before) == {kind: count for kind, count in wanted.items() if count}
    if not request.path.startswith("/v1/"):
        assert first.json() == {"stored": batch.n_records, "set_aside": 0, "repeat": False}
        assert again.json() == {"stored": 0, "set_aside": 0, "repeat": True}


def test_metric_points_are_kept_once_a_second_and_series(
    client: httpx.Client, sender: httpx.Client
) -> None:
    names = ("otlp/metrics", "otlp/metrics_with_exemplars", "fluentbit/otlp_metrics_self")
    sent = {
        (point.name, point.stream, str(point.attributes), point.ts_us // 1_000_000)
        for name in names
        for point in decoded(name).points
    }

    for name in names:
        send(sender, recorded(name)).raise_for_status()

    assert stored(client)["points"] >= len(sent)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("fluentbit/http_msgpack", '"cache grew" ns:demo', "log"),
        ("fluentbit/otlp_logs_whole_record", '"cache grew" ns:demo', "log"),
        ("fluentbit/http_json_lines_kmsg_oom", '"Memory cgroup out of memory"', "log"),
        ("fluentbit/http_kubernetes_events_list", "BackOff kind:event", "event"),
        ("otlp/logs", "kind:log", "log"),
        ("alertmanager/firing_node_oom_kill", "kind:incident", "incident"),
    ],
)
def test_what_was_sent_is_found(
    client: httpx.Client, sender: httpx.Client, name: str, text: str, kind: str
) -> None:
    send(sender, recorded(name)).raise_for_status()

    hits = search(client, text)

    assert kind in {hit["kind"] for hit in hits}


def test_a_line_that_was_found_opens_with_its_neighbours(
    client: httpx.Client, sender: httpx.Client
) -> None:
    marker = uuid.uuid4().hex
    lines = [f"{word} {marker}" for word in ("before", "itself", "after")]
    sender.post("/ingest", content=as_json(*map(a_record, lines)), headers=JSON).raise_for_status()

    (hit,) = search(client, f'"itself {marker}"')
    window = client.get("/api/logs", params={"address": hit["ref"], "before": 1, "after": 1}).json()

    assert [line["body"] for line in window["lines"]] == lines


def test_of_a_mixed_body_the_good_lines_are_kept_and_the_others_can_be_read(
    client: httpx.Client, sender: httpx.Client
) -> None:
    marker, before = uuid.uuid4().hex, stored(client)
    good = [as_json(a_record(f"{word} {marker}"))[1:-1] for word in ("one", "two")]
    body = b"\n".join([good[0], f'{{"log": "torn {marker}'.encode(), good[1]])

    answer = sender.post("/ingest", content=body, headers=LINES)

    assert answer.status_code == 200
    assert answer.json() == {"stored": 2, "set_aside": 1, "repeat": False}
    assert gained(client, before) == {"lines": 2, "set_aside": 1}
    newest = client.get("/api/set-aside").json()[0]
    assert f"torn {marker}" in newest["body"]
    assert newest["reason"]
    assert client.get("/api/status").json()["set_aside"] == stored(client)["set_aside"]


def test_of_a_body_that_is_cut_off_the_beginning_is_kept(
    client: httpx.Client, sender: httpx.Client
) -> None:
    marker = uuid.uuid4().hex
    records = as_json(*(a_record(f"line {n} {marker}") for n in range(10)))
    cut = gzip.compress(records, compresslevel=0)[: len(records) // 2]

    answer = sender.post("/ingest", content=cut, headers={**JSON, "Content-Encoding": "gzip"})

    assert answer.status_code == 200
    assert len(search(client, marker)) == answer.json()["stored"] >= 3
    assert "ends early" in client.get("/api/set-aside").json()[0]["reason"]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        pytest.param("/ingest", b"\x00\x01garbage", JSON, 400, id="garbage"),
        pytest.param("/ingest", b"", JSON, 400, id="nothing"),
        pytest.param("/ingest", b"{}", {"Content-Type": "text/plain"}, 415, id="plain text"),
        pytest.param(
            "/ingest", b"{}", {**JSON, "Content-Encoding": "br"}, 415, id="unknown encoding"
        ),
        pytest.param(
            "/v1/logs", b"\xff" * 40, {"Content-Type": "application/x-protobuf"}, 400, id="otlp"
        ),
        pytest.param("/alertmanager", b'{"alerts": 7}', JSON, 400, id="alertmanager"),
        pytest.param(
            "/ingest",
            gzip.compress(b" " * 2**28, compresslevel=1),
            {**JSON, "Content-Encoding": "gzip"},
            413,
            id="a bomb",
        ),
    ],
)
def test_what_cannot_be_read_at_all_is_refused_with_the_reason(
    client: httpx.Client,
    sender: httpx.Client,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    before = stored(client)

    answer = sender.post(path, content=body, headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert len(problem["detail"]) > 10
    assert gained(client, before) == {}


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(copilot: Copilot) -> None:
    address = urlsplit(copilot.url)
    head = (
        f"POST /ingest HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        f"X-Api-Key: {copilot.tokens['sender']}\r\nContent-Length: {_TOO_LARGE}\r\n\r\n"
    )
    assert address.hostname

    with socket.create_connection((address.hostname, address.port or 80), timeout=10) as wire:
        wire.sendall(head.encode())
        with wire.makefile("rb") as answers:  # until the co-pilot hangs up
            answer = answers.read().decode()

    assert answer.startswith("HTTP/1.1 413 ")
    assert "the body is over" in answer


@pytest.mark.parametrize("path", ["/ingest", "/v1/logs", "/v1/metrics", "/v1/traces"])
@pytest.mark.parametrize("kind", ["none", "access", "mistyped"])
def test_only_a_senders_token_opens_a_senders_door(
    client: httpx.Client, copilot: Copilot, path: str, kind: str
) -> None:
    before = stored(client)
    tokens = {**copilot.tokens, "mistyped": copilot.tokens["sender"] + "x"}
    headers = {} if kind == "none" else {"Authorization": f"Bearer {tokens[kind]}"}

    with httpx.Client(base_url=copilot.url, headers=headers, trust_env=False) as stranger:
        answer = stranger.post(path, content=as_json(a_record()), headers=JSON)

    assert answer.status_code == 401
    assert gained(client, before) == {}


def test_a_secret_in_a_line_is_nowhere_in_what_is_kept(
    client: httpx.Client, sender: httpx.Client, copilot: Copilot
) -> None:
    marker, canary = uuid.uuid4().hex, f"canary{uuid.uuid4().hex}"
    secrets = [
        f'login failed for {marker}: password="{canary}"',
        f"calling {marker} with Authorization: Bearer {canary}",
        f"postgres://app:{canary}@db/{marker} refused",
    ]
    torn = f'{{"log": "{marker} token={canary}'.encode()
    body = b"\n".join([*(as_json(a_record(line))[1:-1] for line in secrets), torn])

    sender.post("/ingest", content=body, headers=LINES).raise_for_status()

    hits = search(client, marker)
    assert len(hits) == len(secrets)
    assert all("***" in hit["snippet"] for hit in hits)
    assert search(client, canary) == []
    assert "***" in client.get("/api/set-aside").json()[0]["body"]
    files = [path for path in copilot.data.rglob("*") if path.is_file()]
    assert [path.name for path in files if canary.encode() in path.read_bytes()] == []


def test_what_was_acknowledged_survives_a_kill(kubeconfig: Path, tmp_path: Path) -> None:
    marker = uuid.uuid4().hex
    bodies = [as_json(*(a_record(f"{marker} {b}-{n}") for n in range(5))) for b in range(40)]
    first = up_on(tmp_path, kubeconfig)
    with first.sender() as sender:
        for body in bodies:
            assert sender.post("/ingest", content=body, headers=JSON).status_code == 200
        first.kill()

    second = up_on(tmp_path, kubeconfig)
    try:
        with second.client() as client, second.sender() as sender:
            found = search(client, marker)
            repeats = [sender.post("/ingest", content=body, headers=JSON) for body in bodies]
            after = search(client, marker)
    finally:
        second.stop()

    assert len(found) == 5 * len(bodies)
    assert all(repeat.json()["repeat"] for repeat in repeats)
    assert {hit["ref"] for hit in after} == {hit["ref"] for hit in found}


def test_a_body_cut_by_a_kill_is_there_whole_or_not_at_all(
    kubeconfig: Path, tmp_path: Path
) -> None:
    marker = uuid.uuid4().hex
    body = as_json(*(a_record(f"{marker} {n}") for n in range(100)))
    first = up_on(tmp_path, kubeconfig)
    address = urlsplit(first.url)
    head = (
        f"POST /ingest HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        f"X-Api-Key: {first.tokens['sender']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    assert address.hostname
    with socket.create_connection((address.hostname, address.port or 80), timeout=10) as wire:
        wire.sendall(head.encode() + body)
        time.sleep(0.002)
        first.kill()

    second = up_on(tmp_path, kubeconfig)
    try:
        with second.client() as client, second.sender() as sender:
            n_found = len(search(client, marker))
            sender.post("/ingest", content=body, headers=JSON).raise_for_status()
            wait_for(lambda: len(search(client, marker)) == 100, "the whole body")
    finally:
        second.stop()

    assert n_found in (0, 100)
    assert json.loads(body)
