"""Pods that are refused before they exist."""

import msgspec
import pytest

from copilot.detect.rules.not_created import blocker_of, check
from copilot.domain.alert import Seen
from copilot.domain.objects import Deployment, KubeEvent
from tests.builders_detect import seen
from tests.builders_objects import (
    a_cron_job,
    a_deployment,
    a_job,
    a_pod,
    a_replica_set,
    ago,
    ago_us,
    an_event,
    condition,
    ref_of,
)

QUOTA = (
    'pods "web-5f44895955-" is forbidden: exceeded quota: team, requested: pods=1, used: pods=2, '
    "limited: pods=2"
)
NO_ACCOUNT = (
    'create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: error looking up '
    'service account demo/db: serviceaccount "db" not found'
)


ENDING = (
    'pods "db-0" is forbidden: unable to create new content in namespace demo because it is being '
    "terminated"
)


def a_refused_set(*, for_s: float = 3, message: str = QUOTA) -> Deployment:
    refused = condition(
        "ReplicaFailure", True, reason="FailedCreate", message=message, since=ago(for_s)
    )
    made = a_replica_set("web", ready=0)
    status = msgspec.structs.replace(made.status, replicas=0, conditions=[refused])
    return msgspec.structs.replace(made, kind="ReplicaSet", status=status)


def a_stateful_set(*, replicas: int = 1, there: int = 0, kind: str = "StatefulSet") -> Deployment:
    made = msgspec.structs.replace(a_deployment("db", replicas=replicas, ready=0), kind=kind)
    status = msgspec.structs.replace(
        made.status,
        replicas=there,
        desired_number_scheduled=replicas,
        current_number_scheduled=there,
    )
    return msgspec.structs.replace(made, status=status)


def refused(kind: str = "StatefulSet", *, last_s: float = 1) -> KubeEvent:
    about = ref_of(kind, a_stateful_set().metadata)
    return an_event(about, "FailedCreate", NO_ACCOUNT, first_s=300, last_s=last_s)


def test_a_replica_set_whose_pods_exceed_a_quota_is_told_at_its_deployment() -> None:
    (alert,) = check(seen(controllers=[a_refused_set()]))

    assert alert.workload.kind == "Deployment"
    assert alert.title == (
        "web gets no pods: exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2"
    )
    assert alert.starts_us == ago_us(3)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_what_says_it_in_events_only_is_told_too(kind: str) -> None:
    (alert,) = check(seen(controllers=[a_stateful_set(kind=kind)], events=[refused(kind)]))

    assert alert.title.startswith("db gets no pods: error looking up service account demo/db")


def test_a_refusal_is_believed_for_as_long_as_pods_are_lacking() -> None:
    waits = seen(controllers=[a_stateful_set()], events=[refused(last_s=900)])

    assert len(list(check(waits))) == 1


def test_a_pod_that_is_leaving_may_make_room_in_a_full_quota() -> None:
    leaving = a_pod("web", suffix="older", deleted=ago(-20))

    assert list(check(seen(leaving, controllers=[a_refused_set(for_s=59)]))) == []
    assert len(list(check(seen(leaving, controllers=[a_refused_set(for_s=60)])))) == 1


def test_a_job_whose_pod_is_refused_is_told() -> None:
    job = a_job()
    event = an_event(ref_of("Job", job.metadata), "FailedCreate", QUOTA)

    assert [a.workload.kind for a in check(seen(jobs=[job], events=[event]))] == ["Job"]


def test_a_deployment_that_may_not_even_make_a_replica_set_is_told() -> None:
    no_set = condition("Progressing", False, reason="ReplicaSetCreateError", message=QUOTA)
    made = msgspec.structs.replace(a_deployment("web", conditions=[no_set]), kind="Deployment")

    assert len(list(check(seen(controllers=[made])))) == 1


MADE = an_event(
    ref_of("StatefulSet", a_stateful_set().metadata), "SuccessfulCreate", last_s=20, type="Normal"
)


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(seen(controllers=[a_refused_set(for_s=2)]), id="it may be granted yet"),
        pytest.param(
            seen(controllers=[a_refused_set(for_s=30, message=ENDING)]),
            id="its namespace is being deleted",
        ),
        pytest.param(
            seen(
                controllers=[a_stateful_set()],
                events=[msgspec.structs.replace(refused(), message=ENDING)],
            ),
            id="a StatefulSet whose namespace is being deleted",
        ),
        pytest.param(seen(controllers=[a_stateful_set()]), id="nobody refused anything"),
        pytest.param(
            seen(controllers=[a_stateful_set(there=1)], events=[refused()]), id="all pods are there"
        ),
        pytest.param(
            seen(controllers=[a_stateful_set()], events=[refused(last_s=60), MADE]),
            id="pods were made since",
        ),
        pytest.param(
            seen(
                jobs=[a_job(suspend=True)],
                events=[an_event(ref_of("Job", a_job().metadata), "FailedCreate", QUOTA)],
            ),
            id="a suspended job",
        ),
        pytest.param(
            seen(
                cron_jobs=[a_cron_job()],
                events=[
                    an_event(
                        ref_of("CronJob", a_cron_job().metadata), "FailedCreate", QUOTA, last_s=90
                    )
                ],
            ),
            id="a cron job that was refused a while ago",
        ),
    ],
)
def test_what_has_its_pods_or_may_get_them_is_quiet(look: Seen) -> None:
    assert list(check(look)) == []


@pytest.mark.parametrize(
    ("message", "blocker"),
    [
        (QUOTA, "quota: team (pods)"),
        (QUOTA.replace("pods=1,", "pods=1,limits.cpu=200m,"), "quota: team (limits.cpu, pods)"),
        ('pods "a" is forbidden: failed quota: compute: must specify limits.cpu', ""),
        (
            'Internal error occurred: failed calling webhook "policy.example.org": no route',
            'webhook "policy.example.org"',
        ),
        ('admission webhook "policy.example.org" denied the request: no latest', ""),
        (NO_ACCOUNT, ""),
    ],
)
def test_what_refuses_everybody_alike_is_read_where_it_is_named(message: str, blocker: str) -> None:
    assert blocker_of(message) == blocker
