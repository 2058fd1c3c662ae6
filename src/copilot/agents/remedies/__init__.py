"""What may be done about a cause: one pure function a cause, giving typed actions, or, for people,
why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from copilot.agents.remedies.admission import admission_denied, admission_webhook_down
from copilot.agents.remedies.bad_setting import bad_setting
from copilot.agents.remedies.command_invalid import command_invalid, port_conflict
from copilot.agents.remedies.config_missing import config_missing
from copilot.agents.remedies.evicted import evicted, node_unhealthy
from copilot.agents.remedies.jobs import cron_job_stopped, init_container_fails, job_fails
from copilot.agents.remedies.limit_range_violated import limit_range_violated
from copilot.agents.remedies.quota_exceeded import quota_exceeded
from copilot.agents.remedies.secret_missing import secret_missing
from copilot.agents.remedies.service_account_missing import service_account_missing
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
}
