"""Kubeconfigs, credentials and their renewal."""

import json
import sys
from pathlib import Path

import pytest

from copilot.domain.errors import Invalid, Refused
from copilot.kube.cluster import connect
from copilot.ports import Kind
from tests.builders_kube import Answer, FastClock, ScriptedApi, a_kubeconfig
from tests.fakes import FixedClock

PLUGIN = """
import json, pathlib, sys
count = pathlib.Path(sys.argv[1])
n = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(n))
print(json.dumps({
    "apiVersion": "client.authentication.k8s.io/v1",
    "kind": "ExecCredential",
    "status": {"token": f"token-{n}"},
}))
"""


def a_kubeconfig_with_plugin(folder: Path, server: str) -> Path:
    path = a_kubeconfig(folder, server)
    config = json.loads(path.read_text())
    script = folder / "plugin.py"
    script.write_text(PLUGIN)
    config["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(script), str(folder / "count")],
        }
    }
    path.write_text(json.dumps(config))
    return path


async def test_a_cluster_without_a_given_name_is_called_as_its_context(tmp_path: Path) -> None:
    path = a_kubeconfig(tmp_path, "http://127.0.0.1:1")

    cluster = await connect(kubeconfig=str(path), context=None, name=None, clock=FastClock())
    await cluster.close()

    assert cluster.name == "scripted"


@pytest.mark.parametrize(
    ("content", "context"),
    [
        pytest.param(None, None, id="no-such-file"),
        pytest.param("", None, id="empty"),
        pytest.param("{", None, id="no-yaml"),
        pytest.param("[]", None, id="a-list"),
        pytest.param('{"contexts": []}', None, id="no-current-context"),
        pytest.param("good", "elsewhere", id="no-such-context"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_named(
    content: str | None, context: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    if content == "good":
        a_kubeconfig(tmp_path, "http://127.0.0.1:1")
    elif content is not None:
        path.write_text(content)

    with pytest.raises(Invalid, match="kubeconfig cannot be used"):
        await connect(kubeconfig=str(path), context=context, name=None, clock=FastClock())


async def test_outside_a_cluster_there_is_no_service_account() -> None:
    with pytest.raises(Invalid, match="service account"):
        await connect(kubeconfig=None, context=None, name=None, clock=FastClock())


async def test_a_token_that_is_not_accepted_is_fetched_anew(tmp_path: Path) -> None:
    api = ScriptedApi()
    api.lists.append(Answer(status=401))
    await api.start()
    path = a_kubeconfig_with_plugin(tmp_path, f"http://127.0.0.1:{api.port}")
    cluster = await connect(kubeconfig=str(path), context=None, name=None, clock=FixedClock())

    with pytest.raises(Refused, match="does not accept our credentials"):
        await cluster.list_objects(Kind.POD)
    await cluster.list_objects(Kind.POD)
    await cluster.close()
    await api.kill()

    tokens = [request.headers["Authorization"] for request in api.requests]
    assert tokens == ["Bearer token-1", "Bearer token-2"]


async def test_short_lived_tokens_are_renewed_each_minute(tmp_path: Path) -> None:
    api, clock = ScriptedApi(), FixedClock()
    await api.start()
    path = a_kubeconfig_with_plugin(tmp_path, f"http://127.0.0.1:{api.port}")
    cluster = await connect(kubeconfig=str(path), context=None, name=None, clock=clock)

    for seconds in (0, 59, 2):
        clock.move(seconds)
        await cluster.list_objects(Kind.POD)
    await cluster.close()
    await api.kill()

    tokens = [request.headers["Authorization"] for request in api.requests]
    assert tokens == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
