"""The programs we build from Go modules, once, into a cache that every checkout shares.

Where a program lies says from which sources it was made: the go.mod, go.sum and *.go files of its
module in `modules/`.
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
    Build(name="shop", module="programs", package="./shop"),
)
"""`kubernetes` is one program for all of Kubernetes: it is what it is called as."""


def program(name: str) -> Path:
    """The path of one of ours, built where it is missing."""
    build = next(build for build in BUILDS if build.name == name)
    path = cache() / "bin" / _digest(build) / name
    if not path.exists():
        with locked(cache() / f"{name}.lock"):
            if not path.exists():  # somebody else may have built it while we waited
                _build(build, path)
    return path


def programs() -> None:
    """Build all that are missing, in this order."""
    for build in BUILDS:
        program(build.name)


def _digest(build: Build) -> str:
    """Of the sources and of how they are built."""
    digest = hashlib.sha256(repr(build).encode())
    sources = MODULES / build.module
    for path in sorted(sources.rglob("*")):
        if path.suffix in (".go", ".mod", ".sum"):
            digest.update(f"{path.relative_to(sources)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _build(build: Build, to: Path) -> None:
    """All or nothing: who finds the program at its place may run it."""
    _check_go()
    print(f"==> building {build.name} (up to {build.minutes} min the first time)", flush=True)
    started = time.monotonic()
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent) as name:
        folder = Path(name)
        # -mod=mod may touch go.sum; a checkout is not ours to change.
        sources = shutil.copytree(MODULES / build.module, folder / "sources")
        command = ["go", "build", "-trimpath", "-ldflags", f"-s -w {build.stamp}".strip()]
        output(
            [*command, "-o", str(folder / build.name), build.package],
            cwd=sources,
            environment={"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"},
        )
        (folder / build.name).rename(to)
    print(f"    {build.name}: {time.monotonic() - started:.0f} s", flush=True)


def _check_go() -> None:
    wanted = ".".join(map(str, MIN_GO))
    if not shutil.which("go"):
        raise LabError(f"Go {wanted} or newer is missing: the lab builds Kubernetes with it")
    said = output(["go", "env", "GOVERSION"]).strip()
    numbers = said.removeprefix("go").split(".")[:2]
    if tuple(int(n) for n in numbers if n.isdigit()) < MIN_GO:
        raise LabError(f"Go {wanted} or newer is needed; this is {said}")
