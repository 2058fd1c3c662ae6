#!/usr/bin/env python3
"""Builds the image from the Dockerfile with what is there: docker, podman or buildah.

Needs nothing but the standard library: whoever builds the image need not have set up anything else.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

BUILDERS = {
    "docker": ("docker", "buildx", "build", "--load"),
    "podman": ("podman", "build", "--layers"),
    "buildah": ("buildah", "build", "--layers", "--isolation=chroot"),
}
ANSWERS = {
    "docker": ("docker", "buildx", "inspect"),  # its client alone can build nothing
    "podman": ("podman", "info"),
    "buildah": ("buildah", "info"),
}


class CannotBuild(Exception):
    """The message says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What the image is built from; an argument that is not given is the Dockerfile's."""

    arguments: Mapping[str, str] = field(default_factory=dict)
    wheels: Path | None = None
    """All that the lock files name; then no index is asked."""
    secrets: Mapping[str, Path] = field(default_factory=dict)
    """pip.conf and .npmrc: there for the commands that need them, and in no layer."""
    epoch: int = 0
    """Seconds since 1970: when it was made, for an image that is the same everywhere."""

    def options(self, builder: str) -> list[str]:
        arguments = {**self.arguments, "SOURCE_DATE_EPOCH": str(self.epoch)}
        options = [f"--build-arg={name}={value}" for name, value in arguments.items() if value]
        options += [f"--secret=id={name},src={path}" for name, path in self.secrets.items()]
        if self.wheels:
            options.append(f"--build-context=wheels={self.wheels}")
        if builder != "docker":  # which reads SOURCE_DATE_EPOCH
            options.append(f"--timestamp={self.epoch}")
        return options


def builder(wanted: str = "") -> str:
    """The first that is there and answers.

    Raises:
        CannotBuild: there is none, or not the wanted one.
    """
    if wanted and wanted not in BUILDERS:
        raise CannotBuild(f"{wanted!r} is none of {', '.join(BUILDERS)}")
    for name in [wanted] if wanted else BUILDERS:
        if shutil.which(name) and answers(name):
            return name
    raise CannotBuild(
        f"{wanted or 'docker (with buildx), podman or buildah'} is missing, or its engine does not "
        "answer: install one of them (Debian: apt-get install buildah)"
    )


def answers(name: str) -> bool:
    return not subprocess.run(ANSWERS[name], capture_output=True, check=False).returncode


def version() -> str:
    project: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project["version"]


def committed() -> tuple[str, int]:
    """The revision and its time; empty and 0 outside a repository."""
    command = ["git", "log", "-1", "--format=%H %ct"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return "", 0
    revision, seconds = done.stdout.split()
    return revision, int(seconds)


def main() -> int:
    arguments = parsed()
    try:
        chosen = builder(arguments.builder)
        if arguments.screens == "taken" and not (ROOT / "src/copilot/ui_dist/index.html").exists():
            raise CannotBuild("the screens are not built here: `make ui`, or --screens=built")
    except CannotBuild as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    revision, epoch = committed()
    build = Build(
        arguments={
            "BASE": arguments.base,
            "UI_BASE": arguments.ui_base,
            "UI": f"screens-{arguments.screens}",
            "VERSION": version(),
            "REVISION": revision,
            "SOURCE": arguments.source,
        },
        wheels=arguments.wheels,
        secrets={id: path for id in ("pip", "npmrc") if (path := getattr(arguments, id))},
        epoch=epoch,
    )
    options = build.options(chosen)
    bill = ROOT / "dist"
    done = run([*BUILDERS[chosen], *options, f"--tag={arguments.tag}", "."]) or run(
        [
            *(word for word in BUILDERS[chosen] if word != "--load"),
            *options,
            "--target=bill",
            f"--output=type=local,dest={bill}",
            ".",
        ]
    )
    if not done:
        print(f"{arguments.tag}, and what is in it: {bill.relative_to(ROOT)}/sbom.cdx.json")
    return done


def run(command: Sequence[str]) -> int:
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", default=f"incident-copilot:{version()}")
    parser.add_argument("--builder", default="", help="docker, podman or buildah; the first there")
    parser.add_argument(
        "--base", default="", help="an image with Python 3.11+ on glibc, and Debian"
    )
    parser.add_argument("--ui-base", default="", help="an image with Node 20+")
    parser.add_argument("--screens", choices=("built", "taken"), default="built")
    parser.add_argument("--wheels", type=Path, help="folder of wheels; then no index is asked")
    parser.add_argument("--pip", type=Path, help="a pip.conf, for an index of yours")
    parser.add_argument("--npmrc", type=Path, help="an .npmrc, the same")
    parser.add_argument("--source", default="", help="address of the repository, for the label")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
