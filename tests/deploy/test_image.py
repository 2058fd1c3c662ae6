"""The image as the Dockerfile makes it, looked at from outside and run as Kubernetes would run it."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from tests.deploy.started import started
from tools.image.assemble import DISTRIBUTIONS_LEFT_OUT

ROOT = Path(__file__).parents[2]
BILL = "usr/share/incident-copilot/sbom.cdx.json"
BUDGET_BYTES = 300_000_000
LARGE_BYTES = 1_000_000
SHELLS_AND_TOOLS = re.compile(
    r"(ba|da|a|z)?sh|busybox|(g|c)?cc(-.*)?|c\+\+|g\+\+(-.*)?|clang.*|ld(\..*)?|as|make|perl.*"
    r"|pip.*|uv|apt.*|dpkg.*|npm|node|curl|wget"
)
INSTALLERS = {"pip", "setuptools", "ensurepip", "venv", "distutils", "wheel", "hatchling"}

SANDBOX = """
set -e
root=$1; shift
mount --bind "$root" "$root"
for name in dev proc; do mount --rbind "/$name" "$root/$name"; done
mount -t tmpfs -o mode=1777 none "$root/tmp"
mount -t tmpfs -o uid=10001,gid=10001,mode=770 none "$root/data"
mount -o remount,bind,ro "$root"
exec chroot --userspec=10001:10001 --groups= "$root" "$@"
"""
"""A read-only root but for /tmp and /data, no rights: as the restricted level has it."""

EMBED = """
import asyncio
from copilot.embed.local import LocalEmbedder
print(len(asyncio.run(LocalEmbedder().embed(["out of memory"]))[0]))
"""

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Image:
    """What an archive holds, and its files laid out."""

    root: Path
    config: dict[str, Any]
    layer_bytes: int

    @property
    def command(self) -> list[str]:
        """Up to the program to run."""
        isolated = ["unshare", "--mount", "--propagation=private", "sh", "-c", SANDBOX, "sh"]
        return [*isolated, str(self.root)]


@dataclass(frozen=True)
class Used:
    """What was loaded once all that a role can reach was imported (tools/image/used.py)."""

    unused: list[str]
    libraries: list[str]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    made = subprocess.run(
        [sys.executable, ROOT / "tools/image/archive.py"], stdout=subprocess.PIPE, check=True
    )
    root = tmp_path_factory.mktemp("image")
    root.chmod(0o755)  # anybody may enter the root folder of a container
    with tarfile.open(made.stdout.decode().strip()) as archive:
        index = json.load(blob(archive, "index.json"))
        manifest = json.load(named(archive, index["manifests"][0]))
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=gzip.open(named(archive, layer))) as files:
                files.extractall(root, numeric_owner=True, filter="fully_trusted")
        config = json.load(named(archive, manifest["config"]))["config"]
    return Image(root, config, sum(layer["size"] for layer in manifest["layers"]))


@pytest.fixture(scope="session")
def used(image: Image) -> Used:
    program = (ROOT / "tools/image/used.py").read_text()
    command = [*image.command, "python", "-c", program]
    done = subprocess.run(command, env=environment(image), stdout=subprocess.PIPE, check=True)
    return Used(**json.loads(done.stdout))


def test_it_fits_into_its_budget_with_the_embedder_inside(image: Image) -> None:
    assert image.layer_bytes <= BUDGET_BYTES


def test_it_has_no_shell_no_compiler_and_no_package_manager(image: Image) -> None:
    files = [path for path in image.root.rglob("*") if not path.is_dir()]

    programs = {p.name for p in files if p.parent.name in ("bin", "sbin", "libexec")}
    assert not {name for name in programs if SHELLS_AND_TOOLS.fullmatch(name)}
    assert {"incident-copilot", "icp", "python"} <= programs
    modules = {path.name for path in image.root.glob("**/python3*/**/*") if path.is_dir()}
    assert not modules & INSTALLERS


def test_it_says_what_it_is_and_runs_as_a_numbered_user(image: Image) -> None:
    assert image.config["User"] == "10001:10001"
    assert image.config["Entrypoint"] == ["incident-copilot"]
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.title"] == "incident-copilot"
    assert labels["org.opencontainers.image.version"] == "0.1.0"
    assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_nothing_of_this_machine_is_in_it(image: Image) -> None:
    names = {path.name for path in image.root.rglob("*") if path.is_file()}

    assert not names & {"pip.conf", ".npmrc", ".netrc", "sources.list", "resolv.conf"}
    assert not list((image.root / "data").iterdir())


def test_its_bill_names_every_package_in_it_as_locked(image: Image) -> None:
    bill = json.loads((image.root / BILL).read_text())
    listed = {one["purl"] for one in bill["components"]}

    folders = list(image.root.glob("opt/**/*.dist-info"))
    installed = {(package_of(one), one.stem.rpartition("-")[2]) for one in folders}
    assert installed - {("incident-copilot", "0.1.0")} <= {
        tuple(purl.removeprefix("pkg:pypi/").split("@")) for purl in listed
    }
    locked = set(re.findall(r"^([a-z0-9-]+)==(\S+)", lock(), re.MULTILINE))
    assert installed - locked == {("incident-copilot", "0.1.0")}
    records = {path.name for path in (image.root / "var/lib/dpkg/status.d").iterdir()}
    assert records <= {purl.split("/")[2].split("@")[0] for purl in listed if ":deb/" in purl}
    assert {"libc6", "libssl3", "zlib1g"} <= records


def test_every_package_in_it_is_imported_by_something_of_ours(image: Image, used: Used) -> None:
    assert used.unused == []

    installed = {package_of(folder) for folder in image.root.glob("opt/**/*.dist-info")}
    assert not installed & {*DISTRIBUTIONS_LEFT_OUT}


def test_every_library_of_the_base_is_loaded_by_something_of_ours(image: Image, used: Used) -> None:
    of_the_base = {path.name for path in image.root.glob("usr/lib/**/lib*.so*")}

    assert of_the_base - {Path(name).name for name in used.libraries} == set()


def test_no_large_compiled_module_lies_in_it_that_nothing_loads(image: Image, used: Used) -> None:
    site = image.root / "opt/copilot/lib"
    large = {path.name for path in site.rglob("*.so*") if path.stat().st_size > LARGE_BYTES}

    assert large - {Path(name).name for name in used.libraries} == set()


def test_the_embedding_model_works_in_it(image: Image) -> None:
    command = [*image.command, "python", "-c", EMBED]
    done = subprocess.run(command, env=environment(image), stdout=subprocess.PIPE, check=True)

    assert int(done.stdout) == 384 * 4  # as float32


def test_what_it_imports_is_compiled_already(image: Image) -> None:
    folder = next(image.root.glob("opt/copilot/lib/python3*/site-packages/copilot"))

    for source in folder.rglob("*.py"):
        assert list((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc")), source


def test_everything_runs_on_the_demo_cluster_from_a_read_only_root(image: Image) -> None:
    up = [*image.command, *image.config["Entrypoint"], "up", "--demo", "--no-open", "--port=0"]

    with started(up, environment(image)) as visit:
        assert "<title>" in visit.page
        assert visit.got("/readyz")


def environment(image: Image) -> dict[str, str]:
    """The image's own, and what a manifest would add."""
    own = dict(pair.split("=", 1) for pair in image.config["Env"])
    system = "/usr/sbin:/usr/bin:/sbin:/bin"  # for the sandbox; the image's follows it
    added = {"COPILOT_HOST": "127.0.0.1"}
    return {**own, **added, "PATH": f"{system}:{own['PATH']}"}


def package_of(record: Path) -> str:
    """The package that a `.dist-info` is of, as the index writes it."""
    return re.sub(r"[-_.]+", "-", record.stem.rpartition("-")[0]).lower()


def lock() -> str:
    return (ROOT / "requirements/runtime.lock").read_text()


def named(archive: tarfile.TarFile, descriptor: dict[str, Any]) -> IO[bytes]:
    return blob(archive, f"blobs/{descriptor['digest'].replace(':', '/')}")


def blob(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    assert file, name
    return file
