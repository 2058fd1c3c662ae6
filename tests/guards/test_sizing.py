"""What pods ask for is what docs/how-to/sizing.md says they were measured to need, within a fifth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WITHIN = 1.2
MANIFESTS = [*ROOT.glob("deploy/base/*.yaml"), *ROOT.glob("deploy/overlays/embedded/*.yaml")]
_ROW = re.compile(
    r"^\| `([a-z-]+)` \| (\d+)Mi \| (\d+) MiB \| (\d+)m \| (\d+)m \|$",
    re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True)
class Told:
    """A row of the page: of memory MiB, of a processor thousandths."""

    memory_asked: int
    memory_seen: int
    cpu_asked: int
    cpu_seen: int


PAGE = {
    name: Told(memory_asked=int(a), memory_seen=int(b), cpu_asked=int(c), cpu_seen=int(d))
    for name, a, b, c, d in _ROW.findall((ROOT / "docs/how-to/sizing.md").read_text())
}


def requests() -> Iterator[tuple[str, dict[str, str]]]:
    for path in MANIFESTS:
        for one in yaml.safe_load_all(path.read_text()):
            if one and one.get("kind") == "Deployment":
                (container,) = one["spec"]["template"]["spec"]["containers"]
                if "resources" in container:  # not what all have in common
                    yield one["metadata"]["name"], container["resources"]["requests"]


def test_the_page_tells_what_every_deployment_asks_for() -> None:
    told = {n: {"cpu": f"{t.cpu_asked}m", "memory": f"{t.memory_asked}Mi"} for n, t in PAGE.items()}

    assert told == dict(requests())


@pytest.mark.parametrize("name", PAGE)
def test_what_is_asked_for_is_within_a_fifth_of_what_was_seen(name: str) -> None:
    told = PAGE[name]

    assert 1 / WITHIN <= told.memory_asked / told.memory_seen <= WITHIN
    assert 1 / WITHIN <= told.cpu_asked / told.cpu_seen <= WITHIN
