"""Each action as an edit of a manifest: what is built of it says what the patch would have made."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from copilot.domain import action as actions
from copilot.domain.action import Action
from copilot.domain.objects import ObjectRef
from copilot.remediate.gitops.manifest import Tracked, changed
from copilot.remediate.plan import plan

MANIFESTS = {
    "Deployment": """\
# ours
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: demo}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata:
      labels: {app: shop}
    spec:
      serviceAccountName: shop # least rights
      dnsPolicy: Default
      nodeSelector:
        disk: ssd # only there
        zone: a
      imagePullSecrets:
      - name: old
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - topologyKey: kubernetes.io/hostname
            labelSelector: {matchLabels: {app: shop}}
      volumes:
      - name: settings
        configMap: {name: wrong} # typo
      containers:
      - name: app
        image: registry/shop:1.0 # released
        env:
        - name: URL
          value: http://old # set by hand
        - name: TOKEN
          valueFrom:
            secretKeyRef: {name: wrong, key: token}
        readinessProbe:
          httpGet: {path: /old, port: 8080}
          periodSeconds: 5
        resources:
          requests: {cpu: "2"}
          limits:
            memory: 64Mi # by hand
""",
    "Service": """\
kind: Service
apiVersion: v1
metadata: {name: shop, namespace: demo}
spec:
  selector:
    app: shopp # typo
  ports:
  - name: http
    port: 80
    targetPort: 8081 # wrong
""",
    "ConfigMap": """\
kind: ConfigMap
apiVersion: v1
metadata: {name: shop, namespace: demo}
data:
  # where it is
  URL: http://old
""",
    "ResourceQuota": """\
kind: ResourceQuota
apiVersion: v1
metadata: {name: shop, namespace: demo}
spec:
  hard:
    pods: "4" # small
    requests.cpu: 2
""",
    "LimitRange": """\
kind: LimitRange
apiVersion: v1
metadata: {name: shop, namespace: demo}
spec:
  limits:
  - type: Container
    max: {memory: 64Mi} # small
""",
    "CronJob": """\
kind: CronJob
apiVersion: batch/v1
metadata: {name: shop, namespace: demo}
spec:
  suspend: true # forgotten
  schedule: "@daily"
  jobTemplate: {}
""",
}


def on(kind: str = "Deployment", **more: Any) -> dict[str, Any]:
    return {"target": ObjectRef(kind=kind, namespace="demo", name="shop"), **more}


CASES: list[tuple[Action, list[str]]] = [
    (actions.SetMemory(**on(container="app", limit="128Mi")), ["memory: 128Mi # by hand"]),
    (
        actions.SetResources(**on(container="app", requests=(("cpu", "500m"),))),
        ['requests: {cpu: "500m"}'],
    ),
    (
        actions.SetImage(**on(container="app", image="registry/shop:1.1")),
        ["image: registry/shop:1.1 # released"],
    ),
    (actions.Scale(**on(replicas=3)), ["replicas: 3"]),
    (
        actions.SetProbe(
            **on(container="app", probe=actions.ProbeKind.READINESS, path="/ready", port=8081)
        ),
        ["httpGet: {path: /ready, port: 8081}"],
    ),
    (
        actions.SetEnv(**on(container="app", name="URL", value="http://new")),
        ["value: http://new # set by hand"],
    ),
    (
        actions.SetEnvSource(
            **on(
                container="app",
                source=actions.SourceKind.SECRET,
                variable="TOKEN",
                before="wrong",
                name="right",
                key="token",
            )
        ),
        ["secretKeyRef: {name: right, key: token}"],
    ),
    (
        actions.SetVolumeSource(
            **on(volume="settings", source=actions.SourceKind.CONFIG_MAP, name="right")
        ),
        ["configMap: {name: right} # typo"],
    ),
    (actions.SetServiceAccount(**on(name="other")), ["serviceAccountName: other # least rights"]),
    (actions.SetNodeSelector(**on(entries=(("disk", "hdd"),))), ["disk: hdd # only there"]),
    (actions.SetDnsPolicy(**on(policy="ClusterFirst")), ["dnsPolicy: ClusterFirst"]),
    (
        actions.SetServicePort(**on("Service", port=80, target_port=8080)),
        ["targetPort: 8080 # wrong"],
    ),
    (actions.SetSelector(**on("Service", entries=(("app", "shop"),))), ["app: shop # typo"]),
    (
        actions.SetConfigValue(**on("ConfigMap", key="URL", value="http://new")),
        ["URL: http://new"],
    ),
    (actions.SetQuota(**on("ResourceQuota", entries=(("pods", "8"),))), ['pods: "8" # small']),
    (
        actions.SetSuspended(**on("CronJob", is_suspended=False)),
        ["suspend: false # forgotten"],
    ),
]
REBUILT: list[Action] = [
    actions.SetPullSecrets(**on(names=("old", "new"))),
    actions.PreferAffinity(**on(affinity=actions.AffinityKind.ANTI)),
    actions.AddToleration(**on(key="gpu", value="yes", effect="NoSchedule")),
    actions.Restart(**on(at_us=1_795_000_000_000_000)),
    actions.SetLimitRange(
        **on("LimitRange", type="Container", bound=actions.Bound.MAX, entries=(("memory", "1Gi"),))
    ),
]


def name_of(value: object) -> str:
    return str(value.__struct_config__.tag) if isinstance(value, msgspec.Struct) else ""


def edited(action: Action) -> tuple[str, str]:
    """The manifest before and after."""
    before = MANIFESTS[action.target.kind]
    live = msgspec.json.encode(yaml.safe_load(before))
    planned = plan(action, live, proposal_key="k1")
    repository = Tracked(paths=frozenset({"shop.yaml"}), files={"shop.yaml": before}, root="")
    found = changed(repository, action.target, patch=planned.patch, rollback=planned.rollback)
    return before, found.files["shop.yaml"]


@pytest.mark.parametrize(("action", "lines"), CASES, ids=name_of)
def test_an_action_changes_just_its_own_lines(action: Action, lines: list[str]) -> None:
    before, after = edited(action)

    new = [line.strip() for line in after.splitlines() if line not in before.splitlines()]
    assert new == lines
    assert len(after.splitlines()) == len(before.splitlines())


@pytest.mark.parametrize("action", REBUILT, ids=name_of)
def test_an_action_that_adds_or_moves_fields_keeps_every_comment(action: Action) -> None:
    before, after = edited(action)

    comments = [line.split("#")[1] for line in before.splitlines() if "#" in line]
    assert [c for c in comments if c not in after] == []
    assert yaml.safe_load(after) != yaml.safe_load(before)
