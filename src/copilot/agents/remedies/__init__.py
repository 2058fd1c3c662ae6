"""What may be done about a cause: one pure function a cause, giving typed actions, or, for people,
why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from copilot.agents.remedies.admission import admission_denied, admission_webhook_down
from copilot.agents.remedies.bad_probe import bad_probe
from copilot.agents.remedies.bad_setting import bad_setting
from copilot.agents.remedies.command_invalid import command_invalid, port_conflict
from copilot.agents.remedies.config_missing import config_missing
from copilot.agents.remedies.cpu_limit_too_low import cpu_limit_too_low
from copilot.agents.remedies.evicted import evicted, node_unhealthy
from copilot.agents.remedies.for_people import (
    certificate_invalid,
    dependency_down,
    network_policy_blocks,
    permission_missing,
)
from copilot.agents.remedies.image_missing import image_missing
from copilot.agents.remedies.jobs import cron_job_stopped, init_container_fails, job_fails
from copilot.agents.remedies.limit_range_violated import limit_range_violated
from copilot.agents.remedies.memory_volume import memory_volume
from copilot.agents.remedies.name_not_resolved import name_not_resolved
from copilot.agents.remedies.quota_exceeded import quota_exceeded
from copilot.agents.remedies.scaled_to_zero import scaled_to_zero
from copilot.agents.remedies.secret_missing import secret_missing
from copilot.agents.remedies.service_account_missing import service_account_missing
from copilot.agents.remedies.service_port_mismatch import service_port_mismatch
from copilot.agents.remedies.service_selector_mismatch import service_selector_mismatch
from copilot.agents.remedies.unschedulable import unschedulable
from copilot.agents.remedies.volume_permission import volume_permission
from copilot.agents.remedies.volume_unavailable import volume_unavailable
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis
from copilot.domain.proposal import Draft

Remedy = Callable[[Case, Hypothesis], Iterator[Draft | str]]
"""Drafts, best first, or a sentence for people that says why something they may expect is not
suggested."""

REMEDIES: dict[Cause, Remedy] = {
    Cause.UNSCHEDULABLE: unschedulable,
    Cause.CONFIG_MISSING: config_missing,
    Cause.SECRET_MISSING: secret_missing,
    Cause.BAD_SETTING: bad_setting,
    Cause.COMMAND_INVALID: command_invalid,
    Cause.PORT_CONFLICT: port_conflict,
    Cause.VOLUME_UNAVAILABLE: volume_unavailable,
    Cause.VOLUME_PERMISSION: volume_permission,
    Cause.QUOTA_EXCEEDED: quota_exceeded,
    Cause.LIMIT_RANGE_VIOLATED: limit_range_violated,
    Cause.ADMISSION_DENIED: admission_denied,
    Cause.ADMISSION_WEBHOOK_DOWN: admission_webhook_down,
    Cause.SERVICE_ACCOUNT_MISSING: service_account_missing,
    Cause.INIT_CONTAINER_FAILS: init_container_fails,
    Cause.JOB_FAILS: job_fails,
    Cause.CRON_JOB_STOPPED: cron_job_stopped,
    Cause.EVICTED: evicted,
    Cause.NODE_UNHEALTHY: node_unhealthy,
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
