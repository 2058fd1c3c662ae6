#!/usr/bin/env python3
"""Runs the cluster suites on a lab made for this run, or on a cluster of yours.

    tools/test_cluster.py [--context NAME | --load ARCHIVE] PYTEST_ARGUMENT...

Without a context, a lab of this checkout's own is brought up, pytest runs inside its network, and
the lab is taken down whatever happens. With one, the kubeconfig's context is used as it is; the
images of `python -m lab images FOLDER` must be on its nodes. An archive is loaded into the lab, which
is then not the one of other suites: these install the product in it.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from lab.cluster import Lab
from lab.commands import LabError, output
from lab.instance import own_instance


class Terminated(KeyboardInterrupt):
    """SIGTERM: like Ctrl-C, but pytest did not get it."""


def on_lab(pytest: Sequence[str], image: Path | None) -> int:
    """pytest's exit code, inside a lab of our own."""
    lab = Lab(own_instance("deploy" if image else "test"))
    lab.down()  # of a run that was killed
    try:
        lab.up()
        if image:
            lab.load(image)
        command = [sys.executable, "-m", "lab", "--name", lab.instance.name, "run", *pytest]
        return run(command, lab.instance.kubeconfig_of("admin"), COPILOT_TEST_LAB=lab.instance.name)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # impatience must not leave a lab behind
        lab.down()


def on_context(context: str, pytest: Sequence[str]) -> int:
    """pytest's exit code, on a context of the user's kubeconfig. What needs a lab stays out."""
    with tempfile.NamedTemporaryFile(suffix=".kubeconfig") as file:
        view = ["kubectl", "config", "view", "--minify", "--flatten", f"--context={context}"]
        file.write(output(view).encode())
        file.flush()
        return run([*pytest, "-m", "not lab and not soak"], Path(file.name))


def run(command: Sequence[str], kubeconfig: Path, **environment: str) -> int:
    """Wait for it also through Ctrl-C: pytest got that too, and tidies up."""
    environment |= {"COPILOT_TEST_KUBECONFIG": str(kubeconfig)}
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})
    try:
        return process.wait()
    except Terminated:
        process.send_signal(signal.SIGINT)
        return process.wait() or 130
    except KeyboardInterrupt:
        return process.wait() or 130


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--context", default="")
    parser.add_argument("--load", type=Path, help="an image archive, for the node")
    parser.add_argument("pytest", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _terminated)
    pytest = [sys.executable, "-m", "pytest", *arguments.pytest]
    try:
        if arguments.context:
            return on_context(arguments.context, pytest)
        return on_lab(pytest, arguments.load)
    except LabError as error:
        print(f"test-cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _terminated(*_: object) -> NoReturn:
    raise Terminated


if __name__ == "__main__":
    sys.exit(main())
