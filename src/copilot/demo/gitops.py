"""The demo cluster made from Git: its manifests in a bare repository, and a small reconciler.

Like the reconcilers people run, it applies what is on the branch and knows nothing of the
co-pilot; a change past Git stays until the next commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import structlog
import yaml

from copilot.demo import scene
from copilot.demo.times import Clock
from copilot.domain.errors import CopilotError
from copilot.githost.local import LocalGitHost

log = structlog.get_logger(__name__)

BRANCH = "main"
POLL_S = 1.0
TIMEOUT_S = 10.0
MANAGER = "gitops-demo"

_PLURALS = {
    "ConfigMap": "api/v1/namespaces/{}/configmaps",
    "Service": "api/v1/namespaces/{}/services",
    "Deployment": "apis/apps/v1/namespaces/{}/deployments",
}

_PLATFORM = ("kube-system", "observability")
"""Installed by other means, as it often is; the repository holds the applications."""

_OOM_DEMO = """\
# A healthy service that needs 48 MiB and may use 64. It fails when somebody lowers the limit.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: oom-demo
  namespace: demo
  labels: {app: oom-demo}
spec:
  replicas: 2
  selector:
    matchLabels: {app: oom-demo}
  template:
    metadata:
      labels: {app: oom-demo}
      annotations: {fluentbit.io/parser: json}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      containers:
        - name: app
          image: docker.io/lab/oom-demo:1
          imagePullPolicy: IfNotPresent
          command: ["/bin/memhog", "2", "200", "48"] # 2 MiB each 200 ms up to 48, then idle
          resources:
            requests: {memory: 16Mi, cpu: 10m}
            limits:
              memory: 64Mi # measured: 48 MiB at rest
"""

_SERVICE = """\
# {name}: owned by team {namespace}.
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app: {name}
spec:
  selector:
    app: {name}
  ports:
    - name: http
      port: 80
      targetPort: 8080
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app: {name}
spec:
  replicas: {replicas} # one a zone, at least
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
{account}      containers:
        - name: app
          image: "{repository}:{version}" # bumped by the release job
          ports:
            - name: http
              containerPort: 8080
{settings}          resources:
            requests:
              cpu: 50m
              memory: {memory_mib}Mi
            limits:
              memory: {limit_mib}Mi # twice what it takes at rest
          readinessProbe:
            httpGet:
              path: /readyz
              port: 8080
            periodSeconds: 5
"""

_SETTINGS = """\
          envFrom:
            - configMapRef:
                name: {name}-settings
"""


_ACCOUNT = """\
      serviceAccountName: {name}
"""


def manifests() -> dict[str, str]:
    """The scene as files: what the repository begins with."""
    files = {"cluster/demo/oom-demo.yaml": _OOM_DEMO}
    for service in scene.SERVICES:
        if service.namespace in _PLATFORM:
            continue
        settings = _SETTINGS.format(name=service.name) if service.settings else ""
        text = _SERVICE.format(
            name=service.name,
            namespace=service.namespace,
            replicas=service.replicas,
            repository=service.repository,
            version=service.version,
            settings=settings,
            account=_ACCOUNT.format(name=service.name) if service.reads_cluster else "",
            memory_mib=service.memory_mib,
            limit_mib=service.limit_mib,
        )
        files[f"cluster/{service.namespace}/{service.name}.yaml"] = text
        if service.settings:
            files[f"cluster/{service.namespace}/{service.name}-settings.yaml"] = _config_map(
                service
            )
    return files


def _config_map(service: scene.Service) -> str:
    data = "".join(f'  {key}: "{value}"\n' for key, value in service.settings.items())
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {service.name}-settings\n"
        f"  namespace: {service.namespace}\ndata:\n{data}"
    )


async def seed(repository: Path) -> None:
    """Make the repository; nothing happens where it is there."""
    await LocalGitHost(repository).seed(manifests(), branch=BRANCH)


async def reconcile(repository: Path, *, api: str, token: str, clock: Clock) -> None:
    """Apply the branch, and each new commit of it, until cancelled."""
    host = LocalGitHost(repository)
    applied = ""
    async with httpx.AsyncClient(
        base_url=api, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S
    ) as cluster:
        while True:
            try:
                commit = await host.head(BRANCH)
                if commit != applied and await apply(host, commit, cluster):
                    applied = commit
            except (CopilotError, httpx.HTTPError) as error:
                log.warning("gitops_demo.failed", error=str(error)[:200])
            await clock.sleep(POLL_S)


async def apply(host: LocalGitHost, commit: str, cluster: httpx.AsyncClient) -> bool:
    """Whether the cluster took all of it."""
    took_all = True
    for path in await host.paths(commit):
        for manifest in _objects(await host.read(path, commit)):
            took_all = await _put(manifest, cluster) and took_all
    return took_all


def _objects(text: str) -> Iterator[dict[str, Any]]:
    try:
        found = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        log.warning("gitops_demo.unreadable", error=str(error)[:200])
        return
    yield from (m for m in found if isinstance(m, dict) and m.get("kind") in _PLURALS)


async def _put(manifest: dict[str, Any], cluster: httpx.AsyncClient) -> bool:
    """The object as its manifest says, with what the cluster keeps of its own."""
    metadata = manifest["metadata"]
    folder = f"/{_PLURALS[manifest['kind']].format(metadata['namespace'])}"
    params = {"fieldManager": MANAGER}
    answer = await cluster.get(f"{folder}/{metadata['name']}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        made = await cluster.post(folder, json=manifest, params=params)
        return made.is_success
    live = answer.raise_for_status().json()
    own = {key: value for key, value in live["metadata"].items() if key != "resourceVersion"}
    kept = {  # whatever version it is at: a status that moves is no reason to wait
        **own,
        **metadata,
        "annotations": {
            **live["metadata"].get("annotations", {}),
            **metadata.get("annotations", {}),
        },
    }
    wanted = {**manifest, "metadata": kept}
    put = await cluster.put(f"{folder}/{metadata['name']}", json=wanted, params=params)
    if not put.is_success:
        log.warning("gitops_demo.refused", object=metadata["name"], status=put.status_code)
    return put.is_success
