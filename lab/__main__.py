"""The command line: `python -m lab up`, `down`, `status`, `kubectl ...`, `run CMD...` and others."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import NoReturn

from lab.cluster import FAKE_NODES, Lab, clean, instances, save_images
from lab.commands import LabError
from lab.instance import Instance


def main() -> int:
    """0, or 1 with what is wrong on stderr."""
    arguments = _parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, _stopped)
    try:
        _do(arguments)
    except (LabError, ValueError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _do(arguments: argparse.Namespace) -> None:
    lab = Lab(Instance(arguments.name))
    command: str = arguments.command
    match command:
        case "up":
            lab.up(fake_nodes=arguments.nodes if arguments.fake_kubelet else 0)
            print(
                f"    export KUBECONFIG={lab.instance.kubeconfig}   # context {lab.instance.name}"
            )
        case "down":
            lab.down()
        case "clean":
            clean()
        case "status":
            _status()
        case "kubectl":
            lab.exec_kubectl(arguments.rest)
        case "run":
            lab.exec(arguments.rest)
        case "kubeconfig":
            inside = lab.instance.kubeconfig_of("admin")
            print(inside if arguments.inside else lab.instance.kubeconfig)
        case "image":
            lab.load(arguments.tar)
        case "images":
            print("\n".join(map(str, save_images(arguments.folder))))
        case "stop":
            lab.stop(arguments.part)
        case _:
            lab.start(arguments.part)


def _status() -> None:
    for lab in instances():
        print(f"{lab.instance.name}: {lab.tier or 'down'}")
        if lab.tier:
            for part, runs in lab.running().items():
                print(f"    {part:<20}{'runs' if runs else 'STOPPED'}")


def _parse(given: list[str]) -> argparse.Namespace:
    """What follows `kubectl` or `run` is theirs, options too; it becomes `rest`."""
    at = next((n for n, word in enumerate(given) if word in ("kubectl", "run")), len(given))
    arguments = _parser().parse_args(given[: at + 1])
    arguments.rest = given[at + 1 :]
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("--name", default="lab", help="which instance (default: lab)")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start it; from nothing, or as it is where it is up")
    up.add_argument("--fake-kubelet", action="store_true", help="control plane only, no containers")
    up.add_argument("--nodes", type=int, default=FAKE_NODES, help="how many fake ones")
    commands.add_parser("down", help="end it and remove all but its logs")
    commands.add_parser("clean", help="end every instance, remove logs and built programs too")
    commands.add_parser("status", help="what is up")
    for name, told in (
        ("kubectl", "kubectl on it: python -m lab kubectl get pods -A"),
        ("run", "run a command inside its network"),
    ):
        commands.add_parser(name, help=told, add_help=False)
    kubeconfig = commands.add_parser("kubeconfig", help="path of the administrator's kubeconfig")
    kubeconfig.add_argument("--inside", action="store_true", help="the one for use inside `run`")
    image = commands.add_parser("image", help="load an OCI or docker-save archive into the node")
    image.add_argument("tar", type=Path)
    images = commands.add_parser("images", help="write the lab's own images as such archives")
    images.add_argument("folder", type=Path)
    for name, told in (("stop", "kill a part of it"), ("start", "start such a part again")):
        commands.add_parser(name, help=told).add_argument("part")
    return parser


def _stopped(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
