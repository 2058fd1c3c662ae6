"""How long the ten nearest of many vectors take, exactly: the search's own code, no database.

`make bench-vectors`; exits with 1 where a median is over its budget. Beside it the product of the
matrix and the vector alone, which no exact search can beat.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from copilot.store.matrices import top

N = 100_000
RUNS = 30
BUDGETS_MS = {384: 10.0, 1536: 60.0}
KERNEL = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Of the environment: they pin a kernel by hand, as some machines for builds do. Unset, the library
chooses by the processor, as it does for users."""


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Median milliseconds of wall time, and mean ones of all processors' time."""
    took = []
    spent = time.process_time()
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - started))
    return statistics.median(took), 1000 * (time.process_time() - spent) / RUNS


def measured(n_numbers: int) -> tuple[float, float, float]:
    """Wall time and processor time of the ten nearest, and wall time of the product alone."""
    random = np.random.default_rng(1)
    rows = random.standard_normal((N, n_numbers), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    ids = np.arange(N, dtype=np.int64)
    vector = rows[N // 2].astype("<f4").tobytes()
    found = top(rows, ids, vector, 10)
    assert max(found, key=lambda doc: found[doc]) == N // 2
    wall, processors = timed(lambda: top(rows, ids, vector, 10))
    return wall, processors, timed(lambda: rows @ rows[0])[0]


def main() -> int:
    if any(name in os.environ for name in KERNEL):  # read when numpy is loaded: start anew
        plain = {name: value for name, value in os.environ.items() if name not in KERNEL}
        return subprocess.call([sys.executable, __file__], env=plain)
    is_over = False
    print("| vectors | numbers | top 10, median | of processors | product alone | budget |")
    print("|---|---|---|---|---|---|")
    for n_numbers, budget_ms in BUDGETS_MS.items():
        wall, processors, bare = measured(n_numbers)
        is_over |= wall > budget_ms
        print(
            f"| {N:,} | {n_numbers} | {wall:.1f} ms | {processors:.1f} ms | {bare:.1f} ms "
            f"| {budget_ms:.0f} ms |"
        )
    return int(is_over)


if __name__ == "__main__":
    sys.exit(main())
