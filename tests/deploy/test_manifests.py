"""What an API server says of the manifests before anything runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.deploy.installation import HOME, ROLES, Shell
from tests.deploy.quickstart import ROOT

pytestmark = [pytest.mark.deploy, pytest.mark.lab, pytest.mark.timeout(180)]

OVERLAYS = sorted(path.parent.name for path in ROOT.glob("deploy/overlays/*/kustomization.yaml"))


@pytest.fixture(scope="module")
def namespaces(shell: Shell) -> Iterator[None]:
    """Nothing can be tried in a namespace that is not there."""
    for name in (HOME, "demo"):
        shell.run(f"kubectl create namespace {name}")
    shell.run(f"kubectl label namespace {HOME} pod-security.kubernetes.io/warn=restricted")
    yield
    shell.run(f"kubectl delete namespace {HOME} demo")


def built(shell: Shell, folder: str) -> list[dict[str, object]]:
    """What `kubectl` makes of a kustomization."""
    return list(yaml.safe_load_all(shell.run(f"kubectl kustomize deploy/{folder}")))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_api_server_takes_every_object_without_a_warning(
    overlay: str, namespaces: None, shell: Shell
) -> None:
    dry = "--server-side --dry-run=server --validate=strict"

    said = shell.run(f"kubectl apply -k deploy/overlays/{overlay} {dry} 2>&1")

    objects = built(shell, f"overlays/{overlay}")
    assert "Warning" not in said, said
    assert said.count("serverside-applied (server dry run)") == len(objects)


def test_the_example_of_a_secret_has_every_key_that_is_asked_for(shell: Shell) -> None:
    (example,) = yaml.safe_load_all((ROOT / "deploy/base/secrets.example.yaml").read_text())

    assert {*example["stringData"]} == keys_asked_for(built(shell, "base"))


def test_every_role_is_a_deployment_a_service_and_an_account(shell: Shell) -> None:
    named: dict[object, set[str]] = {}
    for one in built(shell, "base"):
        named.setdefault(one["kind"], set()).add(one["metadata"]["name"])  # type: ignore[index]  # any YAML

    assert named["Deployment"] == named["ServiceAccount"] == {*ROLES}
    assert named["Service"] == {*ROLES, "ui"}


def keys_asked_for(value: object) -> set[str]:
    """Of Secrets, wherever they are asked for."""
    if isinstance(value, list):
        return {key for one in value for key in keys_asked_for(one)}
    if not isinstance(value, dict):
        return set()
    own = {str(value["secretKeyRef"]["key"])} if "secretKeyRef" in value else set()
    return own | keys_asked_for(list(value.values()))
