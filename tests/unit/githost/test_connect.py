"""Which API a repository's address leads to, and what is refused before a token goes anywhere."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from copilot.domain.errors import Invalid
from copilot.githost.local import LocalGitHost
from copilot.githost.rest_hosts import connect
from copilot.settings import FixDelivery, Settings
from copilot.wiring import git_host, wired


@pytest.mark.parametrize(
    ("kind", "address", "api", "repository"),
    [
        ("github", "https://github.com/acme/cluster", "https://api.github.com", "acme/cluster"),
        (
            "github",
            "https://git.acme.example/acme/cluster.git",
            "https://git.acme.example/api/v3",
            "acme/cluster",
        ),
        (
            "gitlab",
            "https://gitlab.com/acme/platform/cluster",
            "https://gitlab.com/api/v4",
            "acme/platform/cluster",
        ),
    ],
)
async def test_the_api_is_derived_from_the_address(
    kind: str, address: str, api: str, repository: str
) -> None:
    host = connect(kind=kind, address=urlsplit(address), api="", token="t")
    await host.close()

    assert host.repository == repository
    assert host.api == api
    assert not host.is_simulation


@pytest.mark.parametrize(
    ("address", "api", "reason"),
    [
        ("https://github.com/acme", "", "owner/name"),
        ("https://github.com/acme/cluster/tree/main", "", "owner/name"),
        ("https://github.com/acme/cluster", "http://api.acme.example", "https://"),
    ],
)
def test_an_address_that_names_no_repository_or_no_safe_api_is_refused(
    address: str, api: str, reason: str
) -> None:
    with pytest.raises(Invalid, match=reason):
        connect(kind="github", address=urlsplit(address), api=api, token="t")


@pytest.mark.parametrize(
    ("url", "token", "reason"),
    [
        ("https://ada:hunter2@github.com/acme/cluster", "t", "must not hold credentials"),
        ("http://github.com/acme/cluster", "t", "https://host/owner/name"),
        ("https://github.com/acme/cluster", None, "COPILOT_GIT_TOKEN"),
        ("", "t", "COPILOT_GIT_URL"),
        ("file://elsewhere/srv/cluster.git", None, "names another machine"),
    ],
)
async def test_settings_that_lead_to_no_repository_say_what_to_set(
    tmp_path: Path, url: str, token: str | None, reason: str
) -> None:
    settings = Settings(
        data=tmp_path,
        cluster="home",
        delivery=FixDelivery.PULL_REQUEST,
        git_url=url,
        git_token=SecretStr(token) if token else None,
    )

    with pytest.raises(Invalid, match=reason) as raised:
        async with wired(
            settings, roles=("agent-remediator",), agent_token="", needs_cluster=False
        ):
            pass

    assert "hunter2" not in raised.value.message


@pytest.mark.parametrize("machine", ["", "localhost"])
async def test_the_address_of_a_repository_on_disk_may_need_escapes(
    tmp_path: Path, machine: str
) -> None:
    folder = tmp_path / "of the cluster é%.git"
    await LocalGitHost(folder).seed({"a.yaml": "a: 1\n"})
    url = folder.as_uri().replace("file://", f"file://{machine}", 1)
    settings = Settings(git_url=url, delivery=FixDelivery.PULL_REQUEST)

    async with AsyncExitStack() as stack:
        host = git_host(settings, stack)

        assert await host.default_branch() == "main"


async def test_only_the_remediator_gets_the_repository(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, cluster="home", delivery=FixDelivery.PULL_REQUEST)

    async with wired(settings, roles=("gateway",), agent_token="", needs_cluster=False) as parts:
        assert parts.cluster_name == "home"
