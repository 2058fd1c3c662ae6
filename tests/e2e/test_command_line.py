"""The command line as people meet it: help, mistakes in one line, a clean stop."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from websockets.sync.client import connect

from tests.builders_kube import a_kubeconfig
from tests.e2e.copilot_process import COMMAND, Copilot, environment, free_port, up_with_demo

pytestmark = pytest.mark.timeout(60)

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def run(folder: Path, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself; one that does not meets the time limit of its test."""
    env = {
        **environment(folder / "data", **more),
        "COLUMNS": "200",
        "NO_COLOR": "1",
        "HOME": str(folder),
    }
    env["KUBECONFIG"] = str(folder / "none")
    return subprocess.run([*COMMAND, *args], env=env, capture_output=True, text=True, check=False)


def error_of(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line that a mistake is answered with."""
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ([], ["up", "serve", "demo", "token", "version", "--version"]),
        (["up"], ["--demo", "--context", "--kubeconfig", "--data", "--port", "--no-open"]),
        (["serve"], ["ROLE", "gateway", "watcher", "--kubeconfig"]),
        (["demo"], ["--write-kubeconfig", "--ingest-url"]),
        (["token"], ["access", "sender", "agent", "create", "revoke", "sign-out"]),
        (["rbac"], ["--namespace", "--opted-in", "--nodes", "--secret", "--kubelet-usage"]),
        (["migrate"], ["--from", "--to", "Stop the co-pilot"]),
        (["backup"], ["FILE", "--force", "tokens.json"]),
        (["restore"], ["FILE", "--force", "stop the co-pilot"]),
        (["audit"], ["list", "export", "verify"]),
        (["retention"], ["--dry-run", "--compact", "COPILOT_RETENTION_"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and len(value) < 2 else "",
)
def test_help_names_what_there_is(tmp_path: Path, command: list[str], told: list[str]) -> None:
    ended = run(tmp_path, *command, "--help")

    text = _STYLE.sub("", ended.stdout)
    assert ended.returncode == 0
    assert [word for word in told if word.lower() not in text.lower()] == []


def test_rights_are_printed_as_exactly_what_is_asked_for(tmp_path: Path) -> None:
    asked = ("--namespace", "shop", "--action", "set_service_port", "--secret", "pay/db")

    documents = list(yaml.safe_load_all(run(tmp_path, "rbac", *asked).stdout))

    assert [(d["kind"], d["metadata"]["namespace"]) for d in documents] == [
        *(("Role", "shop"), ("RoleBinding", "shop")),
        *(("Role", "pay"), ("RoleBinding", "pay")),
    ]
    assert documents[0]["rules"] == [
        {"apiGroups": [""], "resources": ["services"], "verbs": ["patch"]}
    ]


@pytest.mark.parametrize("asked", ["version", "--version"])
def test_the_version_comes_without_the_product(tmp_path: Path, asked: str) -> None:
    ended = run(tmp_path, asked, PYTHONPROFILEIMPORTTIME="1")

    assert re.fullmatch(r"\d+\.\d+\.\d+\n", ended.stdout)
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    ours = {name for name in imported if name.startswith("copilot.")}
    assert {name for name in ours if not name.startswith("copilot.cli")} == set()
    assert (
        imported & {"asyncio", "fastapi", "httpx", "msgspec", "numpy", "rich", "sqlite3"} == set()
    )


def test_retention_shows_what_would_go_of_each_tier(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/copilot.db").touch()

    ended = run(tmp_path, "retention", "--dry-run")

    assert ended.returncode == 0, ended.stderr
    assert "nothing was changed" in ended.stdout
    assert re.search(r"lines .* 14 d, 20\.0 GiB .* 0 lines, 0\.0 MiB", ended.stdout)


def test_retention_of_a_store_that_is_not_there_says_where_it_looked(tmp_path: Path) -> None:
    ended = run(tmp_path, "retention", "--dry-run")

    assert str(tmp_path / "data") in error_of(ended)


def test_a_store_moves_into_another_and_says_what_was_copied(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/copilot.db").touch()

    ended = run(tmp_path, "migrate", "--to", f"sqlite:{tmp_path / 'other.db'}")

    assert ended.returncode == 0, ended.stderr
    assert "hash, equal in both" in ended.stdout
    assert (tmp_path / "other.db").exists()


def test_a_store_does_not_move_into_itself(tmp_path: Path) -> None:
    assert "--to" in error_of(run(tmp_path, "migrate"))


@pytest.mark.parametrize("kind", ["access", "sender", "agent"])
def test_a_token_can_be_shown_again(tmp_path: Path, kind: str) -> None:
    first, second = run(tmp_path, "token", kind), run(tmp_path, "token", kind)

    assert len(first.stdout.strip()) >= 32
    assert first.stdout == second.stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        pytest.param(["serve", "agent-oracle"], "agent-detective", id="no such role"),
        pytest.param(["up", "--port", "70000"], "port", id="no such port"),
        pytest.param(["up", "--no-open"], "up --demo", id="no cluster at all"),
        pytest.param(["rbac", "--action", "set_memory"], "--namespace", id="an action and nowhere"),
        pytest.param(
            ["up", "--no-open", "--kubeconfig", "no/such/file"], "no/such/file", id="no kubeconfig"
        ),
    ],
)
def test_a_mistake_is_one_line_that_says_what_would_be_right(
    tmp_path: Path, args: list[str], told: str
) -> None:
    assert told in error_of(run(tmp_path, *args))


@pytest.mark.parametrize(
    ("args", "told"),
    [
        pytest.param(["frob"], "copilot --help", id="no such command"),
        pytest.param(["token", "master"], "copilot token --help", id="no such token"),
        pytest.param(["up", "--frob"], "copilot up --help", id="no such option"),
        pytest.param(["restore"], "copilot restore --help", id="an argument is missing"),
    ],
)
def test_what_is_not_understood_leads_to_the_help(
    tmp_path: Path, args: list[str], told: str
) -> None:
    ended = run(tmp_path, *args)

    assert ended.returncode == 2
    assert told in ended.stderr


@pytest.mark.parametrize("context", ["scripted", "another"])
def test_a_cluster_that_cannot_be_reached_is_named_with_what_to_do(
    tmp_path: Path, context: str
) -> None:
    kubeconfig = a_kubeconfig(tmp_path, f"http://127.0.0.1:{free_port()}")

    ended = run(
        tmp_path, "up", "--no-open", "--port", "0", "--kubeconfig", str(kubeconfig),
        "--context", context,
    )  # fmt: skip

    line = error_of(ended)
    assert context in line
    assert "kubectl get nodes" in line
    assert "--context" in line
    assert "up --demo" in line


@pytest.mark.parametrize(
    "args", [("schema", "apply"), ("token", "create", "--sender", "fluent-bit")], ids=" ".join
)
def test_the_first_command_of_all_makes_the_folder_for_its_owner_alone(
    tmp_path: Path, args: tuple[str, ...]
) -> None:
    ended = run(tmp_path, *args)

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_a_port_that_is_taken_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(tmp_path, "up", "--demo", "--no-open", "--port", str(port))

    line = error_of(ended)
    assert f"127.0.0.1:{port}" in line
    assert "--port" in line


@pytest.fixture
def running(tmp_path: Path, drain: str) -> Iterator[Copilot]:
    with up_with_demo(tmp_path, COPILOT_DRAIN=drain) as copilot:
        yield copilot


@pytest.mark.parametrize(
    ("name", "drain"),
    [
        pytest.param("SIGINT", "300", id="Ctrl-C waits for no drain"),
        pytest.param("SIGTERM", "0", id="SIGTERM after the drain"),
    ],
)
def test_it_stops_cleanly_and_at_once_even_while_it_is_being_watched(
    running: Copilot, tmp_path: Path, name: str
) -> None:
    process, log = running.processes[0], tmp_path / "up.log"
    host, _, port = running.url.removeprefix("http://").partition(":")
    headers = {"Authorization": f"Bearer {running.tokens['access']}"}
    with (
        connect(f"ws://{host}:{port}/ws", additional_headers=headers, proxy=None) as page,
        socket.create_connection((host, int(port))),
    ):
        assert "hello" in str(page.recv(5))
        process.send_signal(signal.Signals[name])
        code = process.wait()

    assert code == 0
    assert "Traceback" not in log.read_text()
    assert "error" not in log.read_text().lower()
