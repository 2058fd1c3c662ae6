"""The quickstart's commands, read out of the README as a person would copy them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOUNDING = Path(__file__).parent / "founding_commands.sh"
"""What the project was founded on: commands that go on working as they stand."""
HEADING = "## On Kubernetes"


def readme_commands() -> list[str]:
    """Of the section on Kubernetes, in order; what stands in other than `bash` blocks is for reading."""
    text = (ROOT / "README.md").read_text()
    section = text[text.index(f"{HEADING}\n") :].split("\n## ")[0]
    return commands("\n".join(re.findall(r"```bash\n(.*?)```", section, re.DOTALL)))


def founding_commands() -> list[str]:
    return commands(FOUNDING.read_text())


def commands(script: str) -> list[str]:
    """One by one, without comments, each on one line with single spaces."""
    joined = script.replace("\\\n", " ")
    lines = (re.sub(r"(^|\s)#.*", "", line) for line in joined.splitlines())
    return [" ".join(line.split()) for line in lines if line.strip()]


def with_values(command: str) -> str:
    """The same with `...` where a person puts a value, taken from the environment instead."""
    return re.sub(r"--from-literal=(\w+)=(?:sk-)?\.\.\.", r'--from-literal=\1="$\1"', command)
