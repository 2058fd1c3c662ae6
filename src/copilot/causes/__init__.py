"""Every cause is one pure function over a frozen case: nothing in here does I/O.

A cause returns a hypothesis whose every sentence cites evidence, or None where it has nothing to
say. `ranker.rank` puts them in order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from copilot.causes.admission_denied import admission_denied
from copilot.causes.admission_webhook_down import admission_webhook_down
from copilot.causes.bad_probe import bad_probe
from copilot.causes.bad_rollout import bad_rollout
from copilot.causes.bad_setting import bad_setting
from copilot.causes.certificate_invalid import certificate_invalid
from copilot.causes.command_invalid import command_invalid
from copilot.causes.config_missing import config_missing
from copilot.causes.cpu_limit_too_low import cpu_limit_too_low
from copilot.causes.cron_job_stopped import cron_job_stopped
from copilot.causes.dependency_down import dependency_down
from copilot.causes.evicted import evicted
from copilot.causes.image_missing import image_missing
from copilot.causes.init_container_fails import init_container_fails
from copilot.causes.job_fails import job_fails
from copilot.causes.limit_range_violated import limit_range_violated
from copilot.causes.memory_leak import memory_leak
from copilot.causes.memory_limit_too_low import memory_limit_too_low
from copilot.causes.memory_volume import memory_volume
from copilot.causes.name_not_resolved import name_not_resolved
from copilot.causes.network_policy_blocks import network_policy_blocks
from copilot.causes.node_unhealthy import node_unhealthy
from copilot.causes.permission_missing import permission_missing
from copilot.causes.port_conflict import port_conflict
from copilot.causes.quota_exceeded import quota_exceeded
from copilot.causes.ranker import rank
from copilot.causes.references import workload_ref
from copilot.causes.scaled_to_zero import scaled_to_zero
from copilot.causes.secret_missing import secret_missing
from copilot.causes.service_account_missing import service_account_missing
from copilot.causes.service_port_mismatch import service_port_mismatch
from copilot.causes.service_selector_mismatch import service_selector_mismatch
from copilot.causes.unknown import unknown
from copilot.causes.unschedulable import unschedulable
from copilot.causes.volume_permission import volume_permission
from copilot.causes.volume_unavailable import volume_unavailable
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis, Verdict

CAUSES: tuple[Callable[[Case], Hypothesis | None], ...] = (
    memory_limit_too_low,
    memory_leak,
    bad_rollout,
    image_missing,
    bad_probe,
    unschedulable,
    admission_denied,
    admission_webhook_down,
    bad_setting,
    command_invalid,
    config_missing,
    cron_job_stopped,
    evicted,
    init_container_fails,
    job_fails,
    limit_range_violated,
    node_unhealthy,
    port_conflict,
    quota_exceeded,
    secret_missing,
    service_account_missing,
    volume_permission,
    volume_unavailable,
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
    """All causes that have something to say, ranked; `unknown` joins where none is supported.

    What a cause lays at no other object's door is the workload's.
    """
    found = [_of_workload(case, h) for cause in CAUSES if (h := cause(case)) is not None]
    if not any(h.verdict is Verdict.SUPPORTED for h in found):
        last_resort = unknown(case)
        found += [last_resort] if last_resort else []
    return rank(found)


def _of_workload(case: Case, hypothesis: Hypothesis) -> Hypothesis:
    return hypothesis if hypothesis.subject else replace(hypothesis, subject=workload_ref(case))
