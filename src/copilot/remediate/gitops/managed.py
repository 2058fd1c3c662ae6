"""Which objects are made from Git: their reconcilers mark them. Pure.

A patch of such an object is undone, or stands in the way, so it is changed in Git.

https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
https://fluxcd.io/flux/components/kustomize/kustomizations/
"""

from __future__ import annotations

from copilot.remediate.tree import decode, fields_at

_MARKS = {
    "argocd.argoproj.io/instance": "Argo CD",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}


def manager_of(live: bytes) -> str:
    """The reconciler that makes this object from Git, empty for none."""
    metadata = fields_at(decode(live), "metadata")
    marks = fields_at(metadata, "labels").keys() | fields_at(metadata, "annotations").keys()
    return next((name for mark, name in _MARKS.items() if mark in marks), "")
