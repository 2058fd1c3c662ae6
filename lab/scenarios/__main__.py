"""`python -m lab.scenarios`: play the scenarios on a cluster and print what a co-pilot made of them."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

from lab.scenarios.expectation import load, names, namespaces
from lab.scenarios.run import Options, run
from lab.scenarios.table import page, text


def main() -> int:
    """0 where every scenario could be played; how well it went is what the table says."""
    given = _arguments()
    chosen = [name for name in names() if _is_chosen(name, given.only)]
    scenarios = [load(name, namespace) for name, namespace in namespaces(chosen, given.prefix)]
    options = Options(
        kubeconfig=given.kubeconfig,
        context=given.context,
        data=given.data or Path(tempfile.mkdtemp(prefix="copilot-scenarios-")),
        at_once=given.at_once,
        keep=given.keep,
        heal=not given.no_heal,
    )
    began = time.monotonic()
    outcomes = asyncio.run(run(scenarios, options))
    minutes = (time.monotonic() - began) / 60
    print(text(outcomes))
    print(f"\n{minutes:.1f} min; the co-pilot's data and log: {options.data}")
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in outcomes], indent=1))
    if given.markdown:
        when = f"on {datetime.now(UTC):%Y-%m-%d} in {minutes:.0f} min, {given.at_once} at once"
        given.markdown.write_text(page(outcomes, scenarios, when))
    return int(any(one.problem for one in outcomes))


def _is_chosen(name: str, only: str) -> bool:
    return not only or any(fnmatch(name, pattern) for pattern in only.split(","))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig")
    parser.add_argument("--context")
    parser.add_argument("--prefix", default="shop", help="of the namespaces; one for each run")
    parser.add_argument("--only", default="", help="names by comma, * allowed")
    parser.add_argument("--at-once", type=int, default=14, help="scenarios side by side")
    parser.add_argument("--keep", action="store_true", help="leave everything on the cluster")
    parser.add_argument("--no-heal", action="store_true", help="approve nothing")
    parser.add_argument("--data", type=Path, help="the co-pilot's data folder")
    parser.add_argument("--json", type=Path, help="write all that was seen")
    parser.add_argument("--markdown", type=Path, help="write the table for the docs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
