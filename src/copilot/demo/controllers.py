"""The controller manager: deployments, replica sets, budgets, the account of each namespace, and
what must go when its owner goes.

There is no other controller, so nothing that needs one can be created (`kinds.Resource.refusal`).
"""

from __future__ import annotations

from copilot.demo.budgets import Budgets
from copilot.demo.deployments import Deployments
from copilot.demo.kinds import (
    BUDGET,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    REPLICA_SET,
    RESOURCES,
    SERVICE_ACCOUNT,
)
from copilot.demo.replicasets import ReplicaSets
from copilot.demo.reporting import Reporter
from copilot.demo.times import SECOND_US
from copilot.demo.world import World
from copilot.demo.writer import Writer
from copilot.demo.writing import delete_pod

DEADLINE_CHECK_US = 10 * SECOND_US
"""A rollout's progress deadline passes without any change to wake us."""


class Controllers:
    """One round a step; a round that finds nothing to do changes nothing."""

    def __init__(self, world: World, reporter: Reporter) -> None:
        writer = Writer(world, "kube-controller-manager")
        self._world = world
        self._writer = writer
        self._budgets = Budgets(world, writer)
        self._deployments = Deployments(world, writer, reporter)
        self._replica_sets = ReplicaSets(world, writer, reporter)
        self._seen_version = -1
        self._check_us = 0

    def step(self) -> None:
        """One round, where anything has changed since the last or a deadline may have passed."""
        now_us = self._world.now_us()
        if self._world.version == self._seen_version and now_us < self._check_us:
            return
        self._seen_version = self._world.version
        self._check_us = now_us + DEADLINE_CHECK_US
        self._empty_namespaces()
        self._collect_garbage()
        self._add_accounts()
        for deployment in self._world.objects(DEPLOYMENT):
            self._deployments.sync(deployment)
        for replica_set in self._world.objects(REPLICA_SET):
            self._replica_sets.sync(replica_set)
        for budget in self._world.objects(BUDGET):
            self._budgets.sync(budget)

    def _add_accounts(self) -> None:
        """Every namespace has an account for pods that name none."""
        for namespace in self._world.objects(NAMESPACE):
            name = namespace["metadata"]["name"]
            is_going = "deletionTimestamp" in namespace["metadata"]
            if not is_going and self._world.find(SERVICE_ACCOUNT, name, "default") is None:
                account = {"metadata": {"name": "default", "namespace": name}}
                self._writer.add(SERVICE_ACCOUNT, account)

    def _collect_garbage(self) -> None:
        """What is left of an owner that is gone."""
        alive = {
            obj["metadata"]["uid"]
            for resource in (DEPLOYMENT, REPLICA_SET)
            for obj in self._world.objects(resource)
        }
        for resource in (REPLICA_SET, POD):
            for obj in self._world.objects(resource):
                owners = obj["metadata"].get("ownerReferences") or []
                ours = [o for o in owners if o["kind"] in (DEPLOYMENT.kind, REPLICA_SET.kind)]
                if not ours or any(owner["uid"] in alive for owner in ours):
                    continue
                if resource is POD:
                    delete_pod(self._world, obj)
                else:
                    self._world.remove(resource, obj)

    def _empty_namespaces(self) -> None:
        for namespace in self._world.objects(NAMESPACE):
            if "deletionTimestamp" not in namespace["metadata"]:
                continue
            name = namespace["metadata"]["name"]
            left = False
            for resource in (r for r in RESOURCES if r.is_namespaced):
                for obj in self._world.objects(resource, name):
                    left = left or resource is POD
                    if resource is POD:
                        delete_pod(self._world, obj)
                    else:
                        self._world.remove(resource, obj)
            if not left:
                self._world.remove(NAMESPACE, namespace)
