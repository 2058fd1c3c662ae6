#!/usr/bin/env python3
"""Runs make targets one after the other, shows progress, and ends with the count of tests.

Stops at the first target that fails. Needs nothing but the standard library: it runs before
anything is installed.
"""

import re
import subprocess
import sys
import time

COUNTED = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SUMMARY = re.compile(r"^(=+ .* in [\d.]+s|\d+ (passed|failed|skipped).* in [\d.]+s|\s*Tests\s+\d)")


def run(target: str, totals: dict[str, int]) -> int:
    """The exit code of `make target`; adds what its summary lines count to the totals."""
    process = subprocess.Popen(
        ["make", "--no-print-directory", target],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        plain = COLOUR.sub("", line)
        if SUMMARY.match(plain):
            for number, word in COUNTED.findall(plain):
                totals["failed" if word.startswith("error") else word] += int(number)
    return process.wait()


def main(targets: list[str]) -> int:
    """0 where every target passed."""
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    code = 0
    for number, target in enumerate(targets, 1):
        print(f"[{number}/{len(targets)}] {target}", flush=True)
        started = time.monotonic()
        code = run(target, totals)
        state = "ok" if code == 0 else f"FAILED (exit {code})"
        print(f"[{number}/{len(targets)}] {target}: {state}, {time.monotonic() - started:.0f} s")
        if code:
            totals["failed"] = max(totals["failed"], 1)
            break
    print(", ".join(f"{count} {word}" for word, count in totals.items()), flush=True)
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
