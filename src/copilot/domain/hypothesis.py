"""A possible cause, with what speaks for and against it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copilot.domain.objects import ObjectRef


class Verdict(StrEnum):
    SUPPORTED = "supported"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"


class Cause(StrEnum):
    """Every cause there is; `causes/` holds one module for each."""

    MEMORY_LIMIT_TOO_LOW = "memory_limit_too_low"
    MEMORY_LEAK = "memory_leak"
    BAD_ROLLOUT = "bad_rollout"
    IMAGE_MISSING = "image_missing"
    BAD_PROBE = "bad_probe"
    UNSCHEDULABLE = "unschedulable"
    MEMORY_VOLUME = "memory_volume"
    """A volume in memory fills the container's memory limit."""
    CPU_LIMIT_TOO_LOW = "cpu_limit_too_low"
    CONFIG_MISSING = "config_missing"
    """A ConfigMap, or a key of one, that is not there."""
    SECRET_MISSING = "secret_missing"
    BAD_SETTING = "bad_setting"
    """A variable or ConfigMap value with which the program cannot work: an address, a password."""
    COMMAND_INVALID = "command_invalid"
    PORT_CONFLICT = "port_conflict"
    VOLUME_UNAVAILABLE = "volume_unavailable"
    """A claim that is missing or cannot be bound, or a volume that cannot be mounted."""
    VOLUME_PERMISSION = "volume_permission"
    QUOTA_EXCEEDED = "quota_exceeded"
    LIMIT_RANGE_VIOLATED = "limit_range_violated"
    ADMISSION_DENIED = "admission_denied"
    ADMISSION_WEBHOOK_DOWN = "admission_webhook_down"
    SERVICE_ACCOUNT_MISSING = "service_account_missing"
    PERMISSION_MISSING = "permission_missing"
    SERVICE_SELECTOR_MISMATCH = "service_selector_mismatch"
    SERVICE_PORT_MISMATCH = "service_port_mismatch"
    SCALED_TO_ZERO = "scaled_to_zero"
    NAME_NOT_RESOLVED = "name_not_resolved"
    NETWORK_POLICY_BLOCKS = "network_policy_blocks"
    DEPENDENCY_DOWN = "dependency_down"
    CERTIFICATE_INVALID = "certificate_invalid"
    INIT_CONTAINER_FAILS = "init_container_fails"
    JOB_FAILS = "job_fails"
    CRON_JOB_STOPPED = "cron_job_stopped"
    EVICTED = "evicted"
    NODE_UNHEALTHY = "node_unhealthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One sentence and the evidence it rests on (at least one id, or code drops it)."""

    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """`id` is `H1`, `H2`, ... by rank within its incident; refuted ones come last and stay."""

    id: str
    cause: Cause
    subject: ObjectRef | None
    """The object at fault, where it is known: a Service, a ConfigMap, the workload itself, ..."""
    detail: str
    """Which way of it, in snake case: `wrong_port`, `node_selector`; empty for no other way."""
    title: str
    verdict: Verdict
    confidence: float
    """0 to 1."""
    supporting: tuple[Statement, ...]
    against: tuple[Statement, ...]
    next_check: str
    """What would decide it, where it is not decided; else empty."""
    agent: str
    """`detective`, or the model's name."""

    @property
    def cited(self) -> frozenset[str]:
        """Every evidence id that any sentence cites."""
        return frozenset(e for s in (*self.supporting, *self.against) for e in s.evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the detective has to say. `dropped` counts sentences that cited nothing that exists."""

    summary: tuple[Statement, ...]
    hypotheses: tuple[Hypothesis, ...]
    dropped: int
    model: str
    """The language model that took part, empty for none."""
    tokens_in: int
    tokens_out: int
