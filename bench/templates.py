"""How well lines are grouped into templates, beside drain3 with its generic masks, in one run.

`make bench-templates ARGS=loghub.tar.xz` reads systems of loghub (2,000 lines each, labelled by
people), with one configuration for all of them. GA is the share of lines whose group holds exactly
the lines of the labelled one, FGA the F1 score over groups. "alone" is what a line decides by itself,
"families" is what people see once all 2,000 lines are stored. Exits with 1 where the families are
not at least 0.05 better than drain3 on average, with 2 where there is no data.

The archive holds a file `NAME/NAME_2k.log_structured.csv` for each system, as
https://github.com/logpai/loghub has them; the figures in `docs/adr/0017-a-line-decides-its-template.md`
are of HDFS, OpenSSH, Proxifier, HealthApp, Windows, Zookeeper, Mac and BGL.
"""

from __future__ import annotations

import csv
import io
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig
from rich.console import Console
from rich.table import Table

from copilot.domain.event import Severity
from copilot.domain.families import Member, united
from copilot.ingest import fingerprint

ARCHIVE = Path(__file__).parents[2] / "shared" / "data" / "loghub2k-dev.tar.xz"
"""Where it is looked for when none is named."""
BETTER_BY = 0.05
ROUNDS = 20
"""How often all lines are read again once their shapes are known."""

_EDGE, _END = r"((?<=[^A-Za-z0-9])|^)", r"((?=[^A-Za-z0-9])|$)"
GENERIC_MASKS = {
    rf"{_EDGE}(([0-9a-f]{{2,}}:){{3,}}([0-9a-f]{{2,}})){_END}": "ID",
    rf"{_EDGE}(\d{{1,3}}\.\d{{1,3}}\.\d{{1,3}}\.\d{{1,3}}){_END}": "IP",
    rf"{_EDGE}([0-9a-f]{{6,}} ?){{3,}}{_END}": "SEQ",
    rf"{_EDGE}([0-9A-F]{{4}} ?){{4,}}{_END}": "SEQ",
    rf"{_EDGE}(0x[a-f0-9A-F]+){_END}": "HEX",
    rf"{_EDGE}([\-\+]?\d+){_END}": "NUM",
    r"(?<=executed cmd )(\".+?\")": "CMD",
}
"""The masks that drain3 itself gives as its example."""

Group = Callable[[Sequence[str]], Sequence[Hashable]]


@dataclass(frozen=True, kw_only=True)
class System:
    """One system's lines and the groups that people gave them."""

    name: str
    lines: tuple[str, ...]
    groups: tuple[str, ...]


def by_drain3(lines: Sequence[str]) -> Sequence[Hashable]:
    """drain3's clusters."""
    config = TemplateMinerConfig()
    config.masking_instructions = [
        MaskingInstruction(pattern, mask) for pattern, mask in GENERIC_MASKS.items()
    ]
    miner = TemplateMiner(config=config)
    return [miner.add_log_message(line)["cluster_id"] for line in lines]


def alone(lines: Sequence[str]) -> Sequence[Hashable]:
    """Our templates, as each line decides it."""
    found = [fingerprint.template_of(line, Severity.INFO) for line in lines]
    return [template.fingerprint for template in found]


def by_families(lines: Sequence[str]) -> Sequence[Hashable]:
    """Our families of templates, as the store makes them."""
    found = [fingerprint.template_of(line, Severity.INFO) for line in lines]
    ids = {template: number for number, template in enumerate(dict.fromkeys(found))}
    joined = united(
        Member(
            template_id=number,
            family_id=number,
            severity=template.severity,
            pattern=template.pattern,
            first_us=number,
        )
        for template, number in ids.items()
    )
    return [joined.get(ids[template], ids[template]) for template in found]


METHODS: dict[str, Group] = {"drain3": by_drain3, "alone": alone, "families": by_families}


def main(archive: Path = ARCHIVE) -> int:
    """Measure and print; 0 where the target is met."""
    console = Console()
    if not archive.exists():
        console.print(
            f"[bold red]NOT MEASURED: there is no {archive}[/]; bench/templates.py says what it holds"
        )
        return 2
    systems = _systems(archive)
    table = Table("system", title=f"{len(systems)} systems of 2,000 lines, one configuration")
    for name in METHODS:
        table.add_column(f"{name} GA", justify="right")
        table.add_column("FGA", justify="right")
    sums = dict.fromkeys(METHODS, (0.0, 0.0))
    for system in systems:
        scores = {
            m: grouping_accuracy(group(system.lines), system.groups) for m, group in METHODS.items()
        }
        sums = {m: (sums[m][0] + ga, sums[m][1] + fga) for m, (ga, fga) in scores.items()}
        table.add_row(system.name, *_figures(scores))
    means = {m: (ga / len(systems), fga / len(systems)) for m, (ga, fga) in sums.items()}
    table.add_section()
    table.add_row("mean", *_figures(means))
    console.print(table)
    console.print(_speeds(systems))
    gain = means["families"][0] - means["drain3"][0]
    is_met = gain >= BETTER_BY
    verdict = "met" if is_met else "MISSED"
    console.print(f"{gain:+.3f} GA to drain3; asked for {BETTER_BY:+.2f}: {verdict}")
    return 0 if is_met else 1


def grouping_accuracy(
    found: Sequence[Hashable], labelled: Sequence[Hashable]
) -> tuple[float, float]:
    """GA and FGA."""
    ours, theirs = Counter(found), Counter(labelled)
    together = Counter(zip(found, labelled, strict=True))
    right = [n for (one, other), n in together.items() if n == ours[one] == theirs[other]]
    return sum(right) / len(labelled), 2 * len(right) / (len(ours) + len(theirs))


def _speeds(systems: Sequence[System]) -> Table:
    lines = [line for system in systems for line in system.lines]
    table = Table("lines a CPU second", "thousands", title=f"{len(lines):,} lines of all systems")
    fingerprint.forget()
    for name, group, rounds in (
        ("drain3", by_drain3, 1),
        ("families, nothing known", by_families, 1),
        ("alone, shapes known", alone, ROUNDS),
    ):
        began_s = time.process_time()
        for _ in range(rounds):
            group(lines)
        spent_s = time.process_time() - began_s
        table.add_row(name, f"{len(lines) * rounds / spent_s / 1000:,.0f}")
    return table


def _figures(scores: dict[str, tuple[float, float]]) -> list[str]:
    return [f"{value:.3f}" for pair in scores.values() for value in pair]


def _systems(archive: Path) -> list[System]:
    found = []
    with tarfile.open(archive, "r:xz") as files:
        for name in sorted(files.getnames()):
            member = files.extractfile(name) if name.endswith(".log_structured.csv") else None
            if member is not None:
                rows = list(csv.DictReader(io.TextIOWrapper(member, encoding="utf-8", newline="")))
                found.append(
                    System(
                        name=Path(name).parent.name,
                        lines=tuple(row["Content"] for row in rows),
                        groups=tuple(row["EventId"] for row in rows),
                    )
                )
    return found


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
