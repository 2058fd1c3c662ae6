"""A lab with the image on its node, a database that its pods can reach, and a person's terminal."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
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
from tests.servers import created, dropped

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
    given = os.environ
    if given.get("TIDB_HOST"):
        yield Address(
            host=given["TIDB_HOST"],
            port=int(given.get("TIDB_PORT", "4000")),
            user=given.get("TIDB_USER", "root"),
            password=given.get("TIDB_PASSWORD", ""),
            database=DATABASE,
            authority=Path(given["TIDB_CA"]) if given.get("TIDB_CA") else None,
        )
        return
    assert is_installed(), "MariaDB is missing: run `make mariadb`"
    folder = tmp_path_factory.mktemp("mariadb")
    made = MariaDb.made(folder, is_synced=False, host=NODE_IP, port=4000, password=PASSWORD)
    made.start()
    yield made.address(DATABASE)
    made.stop()


def done(work: Coroutine[object, object, None]) -> None:
    """On a thread of its own: the browser's driver has a loop on this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


@pytest.fixture(scope="module")
def database(server: Address) -> Iterator[Address]:
    """An empty one. Where the server is somebody's, `incidentdb` must not be there before."""
    if os.environ.get("TIDB_HOST"):
        server = replace(server, database=os.environ.get("TIDB_DB", "incidentdb_test_deploy"))
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
