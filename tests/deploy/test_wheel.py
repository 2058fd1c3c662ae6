"""The package as it is shipped: built, installed into an environment of its own, run without Node."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.deploy.started import started

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert (ROOT / "src/copilot/ui_dist/index.html").exists(), "the screens are not built: make ui"
    folder = tmp_path_factory.mktemp("wheel")
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", str(ROOT)]
    subprocess.run([sys.executable, *build], check=True)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the wheel and what it asks for."""
    environment = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [str(environment / "bin/python"), "-m", "pip", "install", "--quiet", "--no-compile"]
    lock = f"--requirement={ROOT / 'requirements/runtime.lock'}"
    subprocess.run([*pip, "--require-hashes", lock], check=True)
    subprocess.run([*pip, "--no-index", str(wheel)], check=True)  # so the lock lacks nothing
    return environment / "bin"


def test_the_wheel_has_the_screens_and_the_runbooks_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert "copilot/ui_dist/index.html" in names
    runbooks = {Path(name).name for name in names if name.startswith("copilot/runbooks/")}
    assert runbooks == {path.name for path in (ROOT / "docs/runbooks").glob("*.md")}
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"copilot"}


def test_an_installed_wheel_shows_its_screens_without_node(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "incident-copilot"), "up", "--demo", "--no-open", "--port=0"]
    environment = {"PATH": str(installed), "HOME": str(tmp_path)}

    with started(command, environment) as visit:
        assert "<title>" in visit.page
        assert visit.got("/healthz")
