"""The programs we build from Go modules, once, into a cache that every checkout shares.

A folder of the cache is named by the sources that went in: the go.mod, go.sum and *.go files of
`modules/`. It is complete or it does not exist.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from lab.commands import LabError, output
from lab.instance import cache, locked

MODULES = Path(__file__).parent / "modules"
KUBERNETES = "1.34.4"
MIN_GO = (1, 26)

_VERSION = "k8s.io/component-base/version"
_MINOR = KUBERNETES.split(".")[1]
_STAMP = " ".join(
    f"-X {name}={value}"
    for name, value in {
        f"{_VERSION}.gitVersion": f"v{KUBERNETES}",
        f"{_VERSION}.gitMajor": "1",
        f"{_VERSION}.gitMinor": _MINOR,
        f"{_VERSION}.gitTreeState": "clean",
        "k8s.io/client-go/pkg/version.gitVersion": f"v{KUBERNETES}",
    }.items()
)
"""Without it the server says v0.0.0-master and kubectl cannot read that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One program."""

    name: str
    module: str
    package: str = "."
    stamp: str = ""
    minutes: int = 1
    """From nothing, on two cores."""


BUILDS = (
    Build(name="kubernetes", module="kubernetes", stamp=_STAMP, minutes=10),
    Build(name="etcd", module="etcd"),
    Build(name="coredns", module="coredns", minutes=2),
    Build(name="pause", module="programs", package="./pause"),
    Build(name="memhog", module="programs", package="./memhog"),
)
"""`kubernetes` is one program for all of Kubernetes: it is what it is called as."""


def binaries() -> Path:
    """The folder with all of them, built where it is missing."""
    folder = cache() / "bin" / _digest()
    if folder.is_dir():
        return folder
    with locked(cache() / "bin.lock"):
        if not folder.is_dir():  # somebody else built it while we waited
            _build_all(folder)
    return folder


def _digest() -> str:
    """Of every source and of how it is built."""
    digest = hashlib.sha256(repr(BUILDS).encode())
    for path in sorted(MODULES.rglob("*")):
        if path.suffix in (".go", ".mod", ".sum"):
            digest.update(f"{path.relative_to(MODULES)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _build_all(folder: Path) -> None:
    _check_go()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as name:
        made = Path(name)
        for number, build in enumerate(BUILDS, 1):
            print(
                f"==> [{number}/{len(BUILDS)}] building {build.name}"
                f" (up to {build.minutes} min the first time)",
                flush=True,
            )
            started = time.monotonic()
            _build(build, made / build.name)
            print(f"    {build.name}: {time.monotonic() - started:.0f} s", flush=True)
        made.chmod(0o755)
        made.rename(folder)
        made.mkdir()  # for TemporaryDirectory to remove


def _build(build: Build, to: Path) -> None:
    command = ["go", "build", "-trimpath", "-ldflags", f"-s -w {build.stamp}".strip()]
    # -mod=mod may touch go.sum; a checkout is not ours to change.
    with tempfile.TemporaryDirectory() as copy:
        sources = shutil.copytree(MODULES / build.module, Path(copy) / build.module)
        output(
            [*command, "-o", str(to), build.package],
            cwd=sources,
            CGO_ENABLED="0",
            GOTOOLCHAIN="local",
            GOFLAGS="-mod=mod",
        )


def _check_go() -> None:
    wanted = ".".join(map(str, MIN_GO))
    if not shutil.which("go"):
        raise LabError(f"Go {wanted} or newer is missing: the lab builds Kubernetes with it")
    said = output(["go", "env", "GOVERSION"]).strip()
    numbers = said.removeprefix("go").split(".")[:2]
    if tuple(int(n) for n in numbers if n.isdigit()) < MIN_GO:
        raise LabError(f"Go {wanted} or newer is needed; this is {said}")
