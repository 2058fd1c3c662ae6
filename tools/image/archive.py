#!/usr/bin/env python3
"""The image as an archive for the lab, where no registry can be reached: built from the Dockerfile.

The base is made of Debian's packages, the wheels are fetched beforehand, the screens are those of
`make ui`; buildah does the rest. What was built from the same files before is used again. The last
line on standard output is the path of the archive (OCI); all else goes to standard error.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from lab import host
from lab.commands import LabError, output
from lab.instance import cache, locked
from tools.image.base import PYTHON, base
from tools.image.build import BUILDERS, ROOT, Build, version

NAME = f"docker.io/library/incident-copilot:{version()}"
"""What it is called once it is imported; a Pod says `incident-copilot:VERSION`."""

SOURCES = (
    ".dockerignore",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "docs/runbooks",
    "pyproject.toml",
    "requirements",
    "src",
    "tools/image/assemble.py",
    "tools/image/bill.py",
    "ui/package-lock.json",
)
LOCKS = ("requirements/runtime.lock", "requirements/build.lock")
KEPT = 6
"""Archives, of whichever checkouts; the oldest go."""


def archive() -> Path:
    """The image of this checkout.

    Raises:
        LabError: something is missing; the message says what and what to do.
    """
    if not (ROOT / "src/copilot/ui_dist/index.html").exists():
        raise LabError("the screens are not built: make ui")
    folder = cache() / "image"
    path = folder / f"incident-copilot-{version()}-{digest(*SOURCES)}.tar"
    if not path.exists():
        host.install({"buildah": "buildah", "debootstrap": "debootstrap"})
        with locked(folder / "build.lock"):
            if not path.exists():  # somebody else may have built it while we waited
                build(path)
    path.touch()
    for old in sorted(folder.glob("incident-copilot-*.tar"), key=age)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def build(to: Path) -> None:
    """Under the lock, so what other builds left in the folder is of runs that were killed."""
    for left in [*to.parent.glob("storage-*"), *to.parent.glob("tmp*")]:
        shutil.rmtree(left, ignore_errors=True)
    print("==> the image, from the Dockerfile (two to five minutes)", flush=True)
    with storage() as buildah, tempfile.TemporaryDirectory(dir=to.parent) as work:
        arguments = {"BASE": base(buildah), "UI": "screens-taken", "VERSION": version()}
        options = Build(arguments=arguments, wheels=wheels()).options("buildah")
        output([*buildah, *BUILDERS["buildah"][1:], *options, f"--tag={NAME}", str(ROOT)])
        made = Path(work, to.name)
        output([*buildah, "push", "--quiet", NAME, f"oci-archive:{made}:{NAME}"])
        made.rename(to)


@contextlib.contextmanager
def storage() -> Iterator[list[str]]:
    """buildah with images of its own, which go away; those of the machine's user are not touched."""
    with tempfile.TemporaryDirectory(dir=cache() / "image", prefix="storage-") as folder:
        for driver in ("overlay", "vfs"):  # the first is fast, and not to be had inside containers
            places = [f"--root={folder}/{driver}", f"--runroot={folder}/run"]
            command = ["buildah", *places, f"--storage-driver={driver}"]
            if not subprocess.run([*command, "info"], capture_output=True, check=False).returncode:
                break
        try:
            yield command
        finally:
            mounted = f"{folder}/{driver}/{driver}"  # by overlay
            for last in ([*command, "rm", "--all"], ["umount", mounted]):
                subprocess.run(last, capture_output=True, check=False)


def wheels() -> Path:
    """All that the lock files name, by the machine's own pip and what it is told about indexes."""
    if sys.version_info[:2] != PYTHON:
        wanted = ".".join(map(str, PYTHON))
        raise LabError(f"wheels are chosen for the base's Python: run this with Python {wanted}")
    folder = cache() / "image" / f"wheels-{digest(*LOCKS)}"
    if not folder.exists():
        print("==> wheels for the image", flush=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            made = Path(name, "wheels")
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(made)]
            chosen = ["--no-deps", "--only-binary=:all:", "--require-hashes"]
            output([*pip, *chosen, *(f"--requirement={ROOT / lock}" for lock in LOCKS)])
            made.rename(folder)
    return folder


def digest(*names: str) -> str:
    """Of these files, and of those in these folders."""
    made = hashlib.sha256()
    for path in (path for name in names for path in files(ROOT / name)):
        made.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return made.hexdigest()[:12]


def files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def age(path: Path) -> float:
    return -path.stat().st_mtime


def main() -> int:
    (cache() / "image").mkdir(parents=True, exist_ok=True)
    os.umask(0o022)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            path = archive()
    except LabError as error:
        print(f"lab-image: {error}", file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
