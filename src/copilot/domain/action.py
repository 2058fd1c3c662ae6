"""Every change we may suggest, each typed and bounded; what a model or a person writes is never a
command.

`target` is the object that is changed: the workload for what stands in its pod template, else a
Service, a ConfigMap, a Node, ... Where an action names entries, a value of None removes one.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from copilot.domain.objects import ObjectRef

Entries = tuple[tuple[str, str | None], ...]
"""Key and value; None takes the key away."""
Texts = tuple[tuple[str, str], ...]
"""Key and value."""

LEAST_DEADLINE_S, MOST_DEADLINE_S = 600, 4 * 3600
"""A longer deadline than it has may be given to a Job up to the first whatever it has, and never
beyond the second: it is there to end what hangs."""
LARGEST_CONFIG_MAP = 16 * 2**10
"""Characters of a ConfigMap, all in all, that we make again; a diff of more is read by nobody."""


class _Action(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    target: ObjectRef


# ----------------------------------------------------------------- of a workload's pod template


class SetMemory(_Action, frozen=True, kw_only=True, tag="set_memory"):
    """Set a container's memory limit, and its request where given; quantities such as `64Mi`."""

    container: str
    limit: str
    request: str | None = None


class SetResources(_Action, frozen=True, kw_only=True, tag="set_resources"):
    """Set other requests and limits of a container: CPU, or requests that no node can meet."""

    container: str
    requests: Entries = ()
    limits: Entries = ()


class SetImage(_Action, frozen=True, kw_only=True, tag="set_image"):
    """Set a container's image."""

    container: str
    image: str


class RollBack(_Action, frozen=True, kw_only=True, tag="roll_back"):
    """Go back to the pod template of an earlier revision."""

    to_revision: int
    replica_set: str


class Scale(_Action, frozen=True, kw_only=True, tag="scale"):
    """Set the number of replicas."""

    replicas: int


class Restart(_Action, frozen=True, kw_only=True, tag="restart"):
    """Replace all pods by new ones of the same template, as `kubectl rollout restart` does."""

    at_us: int
    """When it was suggested; it makes the template another one."""


class ProbeKind(StrEnum):
    LIVENESS = "livenessProbe"
    READINESS = "readinessProbe"
    STARTUP = "startupProbe"


class ProbeCheck(StrEnum):
    """How a probe asks. Never by a program: what runs in a pod is not ours to choose."""

    HTTP = "httpGet"
    TCP = "tcpSocket"
    GRPC = "grpc"


class SetProbe(_Action, frozen=True, kw_only=True, tag="set_probe"):
    """Change fields of a container's probe; None leaves a field as it is."""

    container: str
    probe: ProbeKind
    also: tuple[ProbeKind, ...] = ()
    """Other probes of the container that get the same: mended one by one, the next would still
    fail, and take the first one's mending back with it."""
    check: ProbeCheck | None = None
    """Ask in this way instead of the present one; it takes a port."""
    port: int | str | None = None
    """Of the probe's own HTTP, TCP or gRPC check."""
    path: str | None = None
    scheme: str | None = None
    initial_delay_s: int | None = None
    period_s: int | None = None
    timeout_s: int | None = None
    failure_threshold: int | None = None


class SetEnv(_Action, frozen=True, kw_only=True, tag="set_env"):
    """Set the plain value of a container's variable."""

    container: str
    name: str
    value: str


class SourceKind(StrEnum):
    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"
    CLAIM = "PersistentVolumeClaim"


class SetEnvSource(_Action, frozen=True, kw_only=True, tag="set_env_source"):
    """Let a container's variable come from another ConfigMap or Secret, or another key of it.

    `variable` is empty for an `envFrom`; then `before` names the source that is replaced.
    """

    container: str
    source: SourceKind
    variable: str
    before: str
    name: str
    key: str = ""


class SetVolumeSource(_Action, frozen=True, kw_only=True, tag="set_volume_source"):
    """Let a volume of the pod come from another ConfigMap, Secret or claim."""

    volume: str
    source: SourceKind
    name: str


class SetVolumeSize(_Action, frozen=True, kw_only=True, tag="set_volume_size"):
    """Set how much a volume that lives with the pod (`emptyDir`) may hold; a quantity."""

    volume: str
    limit: str


class SetPullSecrets(_Action, frozen=True, kw_only=True, tag="set_pull_secrets"):
    """Set the image pull secrets by name."""

    names: tuple[str, ...]


class SetServiceAccount(_Action, frozen=True, kw_only=True, tag="set_service_account"):
    """Set the service account by name."""

    name: str


class SetFsGroup(_Action, frozen=True, kw_only=True, tag="set_fs_group"):
    """Let the pods' volumes belong to a group that their programs are in."""

    group: int


class SetNodeSelector(_Action, frozen=True, kw_only=True, tag="set_node_selector"):
    """Change entries of the node selector."""

    entries: Entries


class AffinityKind(StrEnum):
    NODE = "nodeAffinity"
    POD = "podAffinity"
    ANTI = "podAntiAffinity"


class PreferAffinity(_Action, frozen=True, kw_only=True, tag="prefer_affinity"):
    """Make what an affinity requires a mere preference, so that a node may be found."""

    affinity: AffinityKind


class AddToleration(_Action, frozen=True, kw_only=True, tag="add_toleration"):
    """Let pods onto nodes with this taint."""

    key: str
    value: str
    effect: str


class SetDnsPolicy(_Action, frozen=True, kw_only=True, tag="set_dns_policy"):
    """Set the DNS policy, and take a DNS configuration away."""

    policy: str


# ----------------------------------------------------------------- of other objects


class SetServicePort(_Action, frozen=True, kw_only=True, tag="set_service_port"):
    """Send a Service's port to another port of its pods."""

    port: int
    target_port: int | str


class SetSelector(_Action, frozen=True, kw_only=True, tag="set_selector"):
    """Change entries of a Service's selector."""

    entries: Entries


class SetConfigValue(_Action, frozen=True, kw_only=True, tag="set_config_value"):
    """Set one value of a ConfigMap."""

    key: str
    value: str


class RestoreConfigMap(_Action, frozen=True, kw_only=True, tag="restore_config_map"):
    """Make a ConfigMap that was deleted again, as it was last seen."""

    data: Texts
    binary_data: Texts = ()
    """In base64."""
    labels: Texts = ()
    annotations: Texts = ()
    is_immutable: bool = False

    @property
    def texts(self) -> Texts:
        """All that it would hold."""
        return (*self.data, *self.binary_data, *self.labels, *self.annotations)


class SetQuota(_Action, frozen=True, kw_only=True, tag="set_quota"):
    """Change hard limits of a ResourceQuota."""

    entries: Entries


class Bound(StrEnum):
    MAX = "max"
    MIN = "min"


class SetLimitRange(_Action, frozen=True, kw_only=True, tag="set_limit_range"):
    """Change one bound of a LimitRange for one type (`Container`, `Pod`, ...)."""

    type: str
    bound: Bound
    entries: Entries


class ReplaceClaim(_Action, frozen=True, kw_only=True, tag="replace_claim"):
    """Make a claim anew with another class, access modes or size; only while it is unbound.

    None and empty leave a field as it is.
    """

    storage_class: str | None = None
    access_modes: tuple[str, ...] = ()
    storage: str | None = None


class SetClaimTemplate(_Action, frozen=True, kw_only=True, tag="set_claim_template"):
    """Make a StatefulSet anew whose claim template asks for something else; only while no pod of
    it is ready. Its waiting claims go, those that are bound by then stay.

    None and empty leave a field as it is.
    """

    template: str
    claims: tuple[ObjectRef, ...]
    """Made from the template, and waiting."""
    storage_class: str | None = None
    access_modes: tuple[str, ...] = ()
    storage: str | None = None


class SetCordon(_Action, frozen=True, kw_only=True, tag="set_cordon"):
    """Keep new pods from a node, or let them on it again."""

    is_cordoned: bool


class SetSuspended(_Action, frozen=True, kw_only=True, tag="set_suspended"):
    """Suspend a CronJob or Job, or let it go on."""

    is_suspended: bool


class RerunJob(_Action, frozen=True, kw_only=True, tag="rerun_job"):
    """Make a failed Job anew from its own template, or one that never started: as neither can be
    changed, what has to be different is said here."""

    deadline_s: int | None = None
    """Another `activeDeadlineSeconds`; None leaves it as it is."""
    container: str = ""
    image: str = ""
    """The container's image in its only valid spelling; empty leaves it as it is."""


class DeletePod(_Action, frozen=True, kw_only=True, tag="delete_pod"):
    """Delete a pod that is stuck, so that its controller makes another."""


class ChaosMemory(_Action, frozen=True, kw_only=True, tag="chaos_memory"):
    """Break a demo workload on purpose: set its memory limit below what it needs."""

    container: str
    limit: str


TemplateAction = (
    SetMemory
    | SetResources
    | SetImage
    | RollBack
    | Restart
    | SetProbe
    | SetEnv
    | SetEnvSource
    | SetVolumeSource
    | SetVolumeSize
    | SetPullSecrets
    | SetServiceAccount
    | SetFsGroup
    | SetNodeSelector
    | PreferAffinity
    | AddToleration
    | SetDnsPolicy
    | ChaosMemory
)
"""What changes the pod template of a workload, and so replaces its pods."""

Action = (
    TemplateAction
    | Scale
    | SetServicePort
    | SetSelector
    | SetConfigValue
    | RestoreConfigMap
    | SetQuota
    | SetLimitRange
    | ReplaceClaim
    | SetClaimTemplate
    | SetCordon
    | SetSuspended
    | RerunJob
    | DeletePod
)
"""Every action there is. `match` on it ends with `assert_never`."""


def encode_action(action: Action) -> str:
    """Compact JSON with its `kind`; `decode_action` reads it back."""
    return msgspec.json.encode(action).decode()


def decode_action(text: str | bytes) -> Action:
    """The action that `encode_action` wrote.

    Raises:
        msgspec.ValidationError: it is none of ours.
    """
    action: Action = msgspec.json.decode(text, type=Action)
    return action
