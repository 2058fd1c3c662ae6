"""All rules: each a pure function from what is seen to alerts, quiet about what is healthy."""

from copilot.detect.rules import (
    crash_loop,
    error_burst,
    external,
    image_pull,
    not_ready,
    oom_killed,
    unschedulable,
)
from copilot.domain.alert import Check, Rule

RULES: dict[Rule, Check] = {
    Rule.OOM_KILLED: oom_killed.check,
    Rule.CRASH_LOOP: crash_loop.check,
    Rule.IMAGE_PULL: image_pull.check,
    Rule.UNSCHEDULABLE: unschedulable.check,
    Rule.NOT_READY: not_ready.check,
    Rule.ERROR_BURST: error_burst.check,
    Rule.EXTERNAL: external.check,
}
