"""All rules: each a pure function from what is seen to alerts, quiet about what is healthy."""

from copilot.detect.rules import (
    cpu_throttled,
    crash_loop,
    cron_job_late,
    error_burst,
    evicted,
    external,
    image_pull,
    job_failed,
    no_endpoints,
    node_unhealthy,
    not_created,
    not_ready,
    oom_killed,
    unschedulable,
    volume_pending,
)
from copilot.domain.alert import Check, Rule

RULES: dict[Rule, Check] = {
    Rule.OOM_KILLED: oom_killed.check,
    Rule.CRASH_LOOP: crash_loop.check,
    Rule.IMAGE_PULL: image_pull.check,
    Rule.UNSCHEDULABLE: unschedulable.check,
    Rule.NOT_READY: not_ready.check,
    Rule.NOT_CREATED: not_created.check,
    Rule.VOLUME_PENDING: volume_pending.check,
    Rule.JOB_FAILED: job_failed.check,
    Rule.CRON_JOB_LATE: cron_job_late.check,
    Rule.NODE_UNHEALTHY: node_unhealthy.check,
    Rule.EVICTED: evicted.check,
    Rule.CPU_THROTTLED: cpu_throttled.check,
    Rule.NO_ENDPOINTS: no_endpoints.check,
    Rule.ERROR_BURST: error_burst.check,
    Rule.EXTERNAL: external.check,
}
