"""Whether an action may be offered at all, with every reason why not. Pure; no model has a say."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.domain.action import Action, ChaosMemory, DeletePod, Scale, TemplateAction
from copilot.domain.proposal import Operation
from copilot.remediate.bounds import out_of_bounds
from copilot.remediate.budgets import overdrawn
from copilot.remediate.keepers import belongs_in_git
from copilot.remediate.place import DEMO_LABEL, Place
from copilot.remediate.plan import Plan
from copilot.remediate.policy import Mode, Policy, kind_of, touched_beside
from copilot.remediate.tree import Fields, fields_at, text_at


def guard(
    action: Action, live: Fields, place: Place, policy: Policy, planned: Plan, *, now_us: int
) -> tuple[str, ...]:
    """Every reason against it, for people; empty means it may be offered."""
    return (
        *of_policy(action, planned.operations, policy, now_us=now_us),
        *_of_object(action, live),
        *_of_reach(action, place, policy, planned),
        *out_of_bounds(action, live, place, policy),
    )


def in_git_instead(action: Action, live: Fields) -> str:
    """Why the change is to be made in Git, empty where it may be made here."""
    keeper = belongs_in_git(action, live)
    if keeper is None:
        return ""
    return (
        f"{keeper.name} keeps {action.target} as Git says and would take this back: "
        "change it in Git"
    )


def of_policy(
    action: Action, operations: tuple[Operation, ...], policy: Policy, *, now_us: int
) -> Iterator[str]:
    """What people have ruled out, whatever the object says: asked again right before it is done."""
    if policy.mode is Mode.READ_ONLY:
        yield "the co-pilot is in read-only mode"
    if kind_of(action) not in policy.allowed:
        yield f"the action {kind_of(action)} is not on the list of allowed actions"
    reached = [action.target, *touched_beside(action, operations)]
    for namespace in sorted({ref.namespace for ref in reached} & policy.protected_namespaces):
        yield f"namespace {namespace} is protected"
    for freeze in policy.freezes:
        if freeze.holds(now_us):
            yield f"changes are frozen: {freeze.reason}"


def _of_object(action: Action, live: Fields) -> Iterator[str]:
    if text_at(live, "metadata", "deletionTimestamp") is not None:
        yield f"{action.target} is being deleted"
    if isinstance(action, TemplateAction) and fields_at(live, "spec").get("paused") is True:
        yield f"rollouts of {action.target} are paused; nothing would be rolled out"


def _of_reach(action: Action, place: Place, policy: Policy, planned: Plan) -> Iterator[str]:
    if planned.n_pods > policy.max_pods_touched:
        yield (
            f"{planned.n_pods} pods would be touched, {policy.max_pods_touched} are allowed at once"
        )
    if isinstance(action, ChaosMemory) and not place.is_demo:
        yield (
            f"chaos runs only on the demo cluster or in a namespace labelled "
            f"{DEMO_LABEL}=true; {action.target.namespace} is not"
        )
    if isinstance(action, Scale) and place.autoscaler is not None:
        scaler = place.autoscaler
        yield (
            f"HorizontalPodAutoscaler {scaler.metadata.name} sets its replicas "
            f"({scaler.spec.min_replicas or 1} to {scaler.spec.max_replicas}): change its bounds"
        )
    if isinstance(action, DeletePod | Scale):
        # A rollout takes what its own strategy allows; here it is we who take the pods away.
        yield from overdrawn(
            place.budgets, place.pod_labels, away=planned.n_away, n_unready=place.n_unready
        )
