"""What may be done about a cause: one pure function a cause, giving typed actions, or, for people,
why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from copilot.agents.remedies.bad_probe import bad_probe
from copilot.agents.remedies.cpu_limit_too_low import cpu_limit_too_low
from copilot.agents.remedies.for_people import (
    certificate_invalid,
    dependency_down,
    network_policy_blocks,
    permission_missing,
)
from copilot.agents.remedies.image_missing import image_missing
from copilot.agents.remedies.memory_volume import memory_volume
from copilot.agents.remedies.name_not_resolved import name_not_resolved
from copilot.agents.remedies.scaled_to_zero import scaled_to_zero
from copilot.agents.remedies.service_port_mismatch import service_port_mismatch
from copilot.agents.remedies.service_selector_mismatch import service_selector_mismatch
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis
from copilot.domain.proposal import Draft

Remedy = Callable[[Case, Hypothesis], Iterator[Draft | str]]
"""Drafts, best first, or a sentence for people that says why something they may expect is not
suggested."""

REMEDIES: dict[Cause, Remedy] = {
    Cause.BAD_PROBE: bad_probe,
    Cause.CERTIFICATE_INVALID: certificate_invalid,
    Cause.CPU_LIMIT_TOO_LOW: cpu_limit_too_low,
    Cause.DEPENDENCY_DOWN: dependency_down,
    Cause.IMAGE_MISSING: image_missing,
    Cause.MEMORY_VOLUME: memory_volume,
    Cause.NAME_NOT_RESOLVED: name_not_resolved,
    Cause.NETWORK_POLICY_BLOCKS: network_policy_blocks,
    Cause.PERMISSION_MISSING: permission_missing,
    Cause.SCALED_TO_ZERO: scaled_to_zero,
    Cause.SERVICE_PORT_MISMATCH: service_port_mismatch,
    Cause.SERVICE_SELECTOR_MISMATCH: service_selector_mismatch,
}
