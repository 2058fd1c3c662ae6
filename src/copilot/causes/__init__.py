"""Every cause is one pure function over a frozen case: nothing in here does I/O.

A cause returns a hypothesis whose every sentence cites evidence, or None where it has nothing to
say. `ranker.rank` puts them in order.
"""

from __future__ import annotations

from collections.abc import Callable

from copilot.causes.bad_probe import bad_probe
from copilot.causes.bad_rollout import bad_rollout
from copilot.causes.certificate_invalid import certificate_invalid
from copilot.causes.cpu_limit_too_low import cpu_limit_too_low
from copilot.causes.dependency_down import dependency_down
from copilot.causes.image_missing import image_missing
from copilot.causes.memory_leak import memory_leak
from copilot.causes.memory_limit_too_low import memory_limit_too_low
from copilot.causes.memory_volume import memory_volume
from copilot.causes.name_not_resolved import name_not_resolved
from copilot.causes.network_policy_blocks import network_policy_blocks
from copilot.causes.permission_missing import permission_missing
from copilot.causes.ranker import rank
from copilot.causes.scaled_to_zero import scaled_to_zero
from copilot.causes.service_port_mismatch import service_port_mismatch
from copilot.causes.service_selector_mismatch import service_selector_mismatch
from copilot.causes.unknown import unknown
from copilot.causes.unschedulable import unschedulable
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis, Verdict

CAUSES: tuple[Callable[[Case], Hypothesis | None], ...] = (
    memory_limit_too_low,
    memory_leak,
    bad_rollout,
    image_missing,
    bad_probe,
    unschedulable,
    memory_volume,
    cpu_limit_too_low,
    service_selector_mismatch,
    service_port_mismatch,
    scaled_to_zero,
    name_not_resolved,
    network_policy_blocks,
    dependency_down,
    permission_missing,
    certificate_invalid,
)


def explain(case: Case) -> tuple[Hypothesis, ...]:
    """All causes that have something to say, ranked; `unknown` joins where none is supported."""
    found = [h for cause in CAUSES if (h := cause(case)) is not None]
    if not any(h.verdict is Verdict.SUPPORTED for h in found):
        last_resort = unknown(case)
        found += [last_resort] if last_resort else []
    return rank(found)
