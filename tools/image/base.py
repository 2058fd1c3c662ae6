"""A base for the image where no registry can be reached: Debian with its own Python, by debootstrap.

It is given to the Dockerfile as `BASE` and is nothing but that: what ends up in the image is taken
out of it by `assemble.py`. It is made once and kept, as an archive.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from lab.commands import LabError, output
from lab.instance import cache, locked

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = ("ca-certificates", "python3", "python3-venv")
NAME = f"localhost/python-{SUITE}:1"
PYTHON = (3, 11)
"""Of that suite; wheels are chosen for it."""


def base(buildah: list[str]) -> str:
    """What to give as BASE, in buildah's storage; made in a minute or two where it is missing.

    Raises:
        LabError: debootstrap is missing or failed.
    """
    archive = cache() / "image" / f"base-{'-'.join((SUITE, *PACKAGES))}.tar"
    with locked(cache() / "image.lock"):
        if not archive.exists():
            _make(archive, buildah)
    output([*buildah, "pull", "--quiet", f"oci-archive:{archive}"])
    return NAME


def _make(archive: Path, buildah: list[str]) -> None:
    if not shutil.which("debootstrap"):
        raise LabError("debootstrap is missing: apt-get install debootstrap (Debian, Ubuntu)")
    print("==> a base of Debian packages for the image (two minutes the first time)", flush=True)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as name:
        root, made = Path(name, "root"), Path(name, "archive")
        include = f"--include={','.join(PACKAGES)}"
        output(["debootstrap", "--variant=minbase", include, SUITE, str(root), MIRROR])
        shutil.rmtree(root / "var/cache/apt")
        container = output([*buildah, "from", "scratch"]).strip()
        try:
            output([*buildah, "copy", "--quiet", container, str(root), "/"])
            output([*buildah, "commit", "--quiet", container, f"oci-archive:{made}:{NAME}"])
        finally:
            output([*buildah, "rm", container])
        made.rename(archive)
