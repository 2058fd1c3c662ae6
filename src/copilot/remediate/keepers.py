"""Who keeps an object's manifest, told by the labels and annotations that their tools write. Pure.

https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
https://fluxcd.io/flux/components/kustomize/kustomizations/
"""

from __future__ import annotations

from dataclasses import dataclass

from copilot.domain.action import (
    Action,
    ChaosMemory,
    DeletePod,
    RerunJob,
    Restart,
    SetCordon,
)
from copilot.remediate.tree import Fields, fields_at, items_at, text_at

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_FLUX = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")
_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """`name` is for people; `is_gitops` is true where it puts back by itself what others change."""

    name: str
    is_gitops: bool


def keeper_of(live: Fields) -> Keeper | None:
    """Who would take a change of this object back, None where nobody says so."""
    labels = fields_at(live, "metadata", "labels")
    notes = fields_at(live, "metadata", "annotations")
    tracked = text_at(notes, "argocd.argoproj.io/tracking-id") or ""
    named = text_at(labels, "argocd.argoproj.io/instance") or (
        text_at(labels, "app.kubernetes.io/instance") if _is_written_by_argo(live) else None
    )
    if tracked or named:
        application = (tracked.split(":")[0] or named or "")[:_SHOWN]
        return Keeper(name=f"Argo CD application {application}", is_gitops=True)
    for label in _FLUX:
        if source := text_at(labels, label):
            kind = "Kustomization" if label.startswith("kustomize") else "HelmRelease"
            return Keeper(name=f"Flux {kind} {source[:_SHOWN]}", is_gitops=True)
    if release := text_at(notes, "meta.helm.sh/release-name"):
        return Keeper(name=f"Helm release {release[:_SHOWN]}", is_gitops=False)
    other = text_at(labels, "app.kubernetes.io/managed-by") or (
        "kubectl apply" if _LAST_APPLIED in notes else ""
    )
    return Keeper(name=other[:_SHOWN], is_gitops=False) if other else None


def belongs_in_git(action: Action, live: Fields) -> Keeper | None:
    """The keeper that would undo this action; none where the manifest says nothing about it."""
    if isinstance(action, Restart | RerunJob | DeletePod | SetCordon | ChaosMemory):
        return None
    keeper = keeper_of(live)
    return keeper if keeper and keeper.is_gitops else None


def _is_written_by_argo(live: Fields) -> bool:
    entries = items_at(fields_at(live, "metadata"), "managedFields")
    return any("argocd" in str(entry.get("manager")) for entry in entries)
