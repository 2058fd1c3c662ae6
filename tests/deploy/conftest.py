"""A lab with the image on its node, a database that its pods can reach, and a person's terminal."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from copilot.store.mysql import Address
from lab.binaries import program
from lab.instance import NODE_IP
from tests.browser import browser
from tests.contract.cluster_targets import KubeHttp, Target
from tests.deploy.installation import Shell, inventory
from tests.mariadb import MariaDb, is_installed
from tests.servers import created, dropped, offers_tls

__all__ = ["Browser", "browser"]

PASSWORD = "s3cret-of-the-test"  # as people have it who write `-p$TIDB_PASSWORD`
DATABASE = "incidentdb"


@pytest.fixture(scope="session")
def cluster() -> Target:
    given = os.environ.get("COPILOT_TEST_KUBECONFIG")
    assert given, "there is no cluster: run `make test-deploy`"
    return Target(is_demo=False, kubeconfig=Path(given), context=None)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """The TiDB that is named, else MariaDB at the node's address, at TiDB's port, with TLS."""
    if (named := _named_tidb()) is not None:
        yield named
        return
    assert is_installed(), "MariaDB is missing: run `make mariadb`"
    folder = tmp_path_factory.mktemp("mariadb")
    made = MariaDb.made(folder, is_synced=False, host=NODE_IP, port=4000, password=PASSWORD)
    made.start()
    yield made.address(DATABASE)
    made.stop()


def _named_tidb() -> Address | None:
    """The one that TIDB_HOST names, where pods can talk to it: from elsewhere, over TLS."""
    given = os.environ
    host, port = given.get("TIDB_HOST", ""), int(given.get("TIDB_PORT") or 4000)
    if not host:
        return None
    if host in ("127.0.0.1", "localhost", "::1") or not offers_tls(host, port):
        told = f"TiDB was NOT run: pods cannot talk to {host}:{port} over TLS; MariaDB stands in"
        print(told, file=sys.__stderr__, flush=True)  # not only where a test fails
        return None
    return Address(
        host=host,
        port=port,
        user=given.get("TIDB_USER") or "root",
        password=given.get("TIDB_PASSWORD", ""),
        database=f"incidentdb_test_{secrets.token_hex(4)}",
        authority=Path(given["TIDB_CA"]) if given.get("TIDB_CA") else None,
    )


def done(work: Coroutine[object, object, None]) -> None:
    """On a thread of its own: the browser's driver has a loop on this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


@pytest.fixture(scope="module")
def database(server: Address) -> Iterator[Address]:
    """An empty one. Where the server is somebody's its name is ours alone: it is dropped."""
    done(created(server))
    yield server
    done(dropped(server))


@pytest.fixture(scope="module")
def shell(cluster: Target, database: Address, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """`kubectl` and `mysql` on the path, the quickstart's values in the environment."""
    home = tmp_path_factory.mktemp("home")
    (home / "kubectl").symlink_to(program("kubernetes"))
    if database.authority:
        (home / ".my.cnf").write_text(f"[client]\nssl-ca={database.authority}\n")
    return Shell(
        {
            "HOME": str(home),
            "PATH": f"{home}:{os.environ['PATH']}",
            "KUBECONFIG": str(cluster.kubeconfig),
            "OPENAI_API_KEY": "",
            "TIDB_HOST": database.host,
            "TIDB_PORT": str(database.port),
            "TIDB_USER": database.user,
            "TIDB_PASSWORD": database.password,
            "TIDB_DB": database.database,
        }
    )


@pytest.fixture(scope="module")
def before(shell: Shell) -> set[str]:
    """What is in the cluster before anything of ours is."""
    return inventory(shell)


@pytest.fixture(scope="module")
def demo(cluster: Target) -> Iterator[KubeHttp]:
    """The demo's namespace, as the administrator sees it."""
    kube = KubeHttp(cluster, "demo")
    yield kube
    kube.http.close()
