"""Pods that are refused before they exist: quota, limit range, policy, webhook, service account.

The refusals are those of a real API server.
"""

import msgspec
import pytest

from copilot.causes import explain
from copilot.causes.admission_denied import admission_denied
from copilot.causes.admission_webhook_down import admission_webhook_down
from copilot.causes.limit_range_violated import limit_range_violated
from copilot.causes.quota_exceeded import quota_exceeded
from copilot.causes.service_account_missing import service_account_missing
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Verdict
from copilot.domain.objects import DeploymentStatus
from copilot.domain.surroundings import Surroundings
from tests.builders_around import (
    a_limit_range,
    a_quota,
    a_service,
    a_webhook,
    a_workload,
    an_account,
    an_event_about,
    with_surroundings,
)
from tests.builders_case import a_case
from tests.builders_objects import a_replica_set

FORBIDDEN = 'Error creating: pods "billing-5f44895955-x" is forbidden: '
CPU = (
    FORBIDDEN + "exceeded quota: team, requested: pods=1,requests.cpu=200m, used: "
    "pods=1,requests.cpu=3m, limited: pods=3,requests.cpu=100m"
)
PODS = FORBIDDEN + "exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3"
CLAIMS = (
    "create Claim d-db-0 for Pod db-0 in StatefulSet db failed error: persistentvolumeclaims "
    '"d-db-0" is forbidden: exceeded quota: team, requested: persistentvolumeclaims=1, used: '
    "persistentvolumeclaims=0, limited: persistentvolumeclaims=0"
)
UNSAID = FORBIDDEN + (
    "failed quota: team: must specify requests.cpu for: app; requests.memory for: app"
)
TOO_MUCH = FORBIDDEN + "maximum memory usage per Container is 64Mi, but limit is 128Mi"
TOO_LITTLE = FORBIDDEN + "minimum memory usage per Container is 8Mi, but request is 4Mi"
POD_SECURITY = FORBIDDEN + (
    'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "app" '
    "must set securityContext.allowPrivilegeEscalation=false)"
)
POLICY = FORBIDDEN + (
    "ValidatingAdmissionPolicy 'owners' with binding 'owners' denied request: every pod needs the "
    "label owner"
)
DENIED = (
    'Error creating: admission webhook "pods.policy.example" denied the request: image from an '
    "unknown registry"
)
GONE = (
    'Error creating: Internal error occurred: failed calling webhook "pods.policy.example": failed '
    'to call webhook: Post "https://policy-server.policy.svc:443/?timeout=2s": service '
    '"policy-server" not found'
)
SILENT = GONE.replace(
    'service "policy-server" not found', "dial tcp 10.96.0.192:443: connect: connection refused"
)
NO_ACCOUNT = (
    'Error creating: pods "billing-7b6f5db775-" is forbidden: error looking up service account '
    'demo/buildr: serviceaccount "buildr" not found'
)


def refused(message: str, around: Surroundings | None = None, *, ready: int = 0) -> Case:
    """A Deployment of one pod whose ReplicaSet was refused it."""
    owned = a_replica_set("billing", ready=0)
    status = DeploymentStatus(replicas=ready, updated_replicas=ready, ready_replicas=ready)
    workload = msgspec.structs.replace(a_workload("billing"), status=status)
    bare = a_case(
        workload=workload,
        replica_sets=[owned],
        events=[an_event_about("FailedCreate", message, "ReplicaSet", owned.metadata)],
        rule=Rule.NOT_CREATED,
    )
    return with_surroundings(bare, around or Surroundings())


@pytest.mark.parametrize(
    ("message", "detail", "title"),
    [
        pytest.param(CPU, "cpu", "Quota team allows no more CPU", id="cpu"),
        pytest.param(PODS, "pods", "Quota team allows no more pods", id="pods"),
        pytest.param(CLAIMS, "storage", "Quota team allows no more storage", id="claims"),
    ],
)
def test_only_what_is_beyond_the_quota_is_named(message: str, detail: str, title: str) -> None:
    found = quota_exceeded(refused(message))

    assert found is not None
    assert found.verdict is Verdict.SUPPORTED
    assert (found.detail, found.title) == (detail, title)
    assert found.subject is not None
    assert str(found.subject) == "ResourceQuota demo/team"


def test_a_quota_that_is_seen_full_makes_it_surer() -> None:
    full = a_quota(hard={"pods": "3"}, used={"pods": "3"})
    seen, unseen = (
        quota_exceeded(refused(PODS, Surroundings(quotas=(full,)))),
        quota_exceeded(refused(PODS)),
    )

    assert seen is not None
    assert unseen is not None
    assert seen.confidence > unseen.confidence
    assert "3 of 3 pods" in " ".join(s.text for s in seen.supporting)


def test_a_quota_that_has_room_by_now_decides_nothing() -> None:
    roomy = a_quota(hard={"pods": "10"}, used={"pods": "3"})
    found = quota_exceeded(refused(PODS, Surroundings(quotas=(roomy,))))

    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_quota_that_demands_figures_blames_the_spec_without_them() -> None:
    found = quota_exceeded(refused(UNSAID))

    assert found is not None
    assert found.detail == "not_specified"
    assert found.subject is not None
    assert found.subject.kind == "Deployment"


@pytest.mark.parametrize(
    "cause",
    [quota_exceeded, limit_range_violated, admission_denied, service_account_missing],
)
def test_a_refusal_is_history_where_all_pods_are_there(cause: object) -> None:
    for message in (PODS, TOO_MUCH, POLICY, NO_ACCOUNT):
        assert callable(cause)
        assert cause(refused(message, ready=1)) is None


@pytest.mark.parametrize(
    ("message", "detail", "bound"),
    [(TOO_MUCH, "above_max", "at most 64Mi"), (TOO_LITTLE, "below_min", "bound 8Mi")],
)
def test_a_bound_of_a_limit_range_is_named_with_what_crosses_it(
    message: str, detail: str, bound: str
) -> None:
    bounds = a_limit_range(max={"memory": "64Mi"}, min={"memory": "8Mi"})
    found = limit_range_violated(refused(message, Surroundings(limit_ranges=(bounds,))))

    assert found is not None
    assert found.detail == detail
    assert bound in found.title
    assert "Limit range bounds sets" in " ".join(s.text for s in found.supporting)
    assert quota_exceeded(refused(message)) is None


@pytest.mark.parametrize(
    ("message", "detail", "title"),
    [
        (POD_SECURITY, "pod_security", "Pod Security level restricted:latest does not allow"),
        (POLICY, "policy", "Policy owners does not allow"),
        (DENIED, "webhook", "Webhook pods.policy.example does not allow"),
    ],
)
def test_who_denied_the_pods_is_named(message: str, detail: str, title: str) -> None:
    found = admission_denied(refused(message))

    assert found is not None
    assert found.detail == detail
    assert found.title.startswith(title)
    assert admission_webhook_down(refused(message)) is None


def test_a_webhook_without_its_service_is_down() -> None:
    found = admission_webhook_down(refused(GONE, Surroundings(webhooks=(a_webhook(),))))

    assert found is not None
    assert found.detail == "service_missing"
    assert found.subject is not None
    assert str(found.subject) == "ValidatingWebhookConfiguration policy"
    text = " ".join(s.text for s in found.supporting)
    assert "its failure policy is Fail" in text
    assert "There is no Service policy/policy-server." in text


def test_where_services_may_not_be_listed_none_is_called_missing() -> None:
    around = Surroundings(webhooks=(a_webhook(),), listed=frozenset({"Pod"}))
    found = admission_webhook_down(refused(GONE, around))

    assert found is not None
    assert "There is no Service" not in " ".join(s.text for s in found.supporting)


def test_a_webhook_that_nobody_answers_for_is_down() -> None:
    around = Surroundings(
        webhooks=(a_webhook(service=("demo", "policy-server")),),
        services=(a_service("policy-server"),),
    )
    found = admission_webhook_down(refused(SILENT, around))

    assert found is not None
    assert found.detail == "no_endpoints"
    assert "its selector picks no pod" in " ".join(s.text for s in found.supporting)
    assert admission_denied(refused(SILENT, around)) is None


def test_a_service_account_that_is_not_there_is_named_with_the_one_that_may_be_meant() -> None:
    around = Surroundings(service_accounts=(an_account("builder"), an_account("default")))
    found = service_account_missing(refused(NO_ACCOUNT, around))

    assert found is not None
    assert found.title == "Service account buildr does not exist"
    assert "builder may be meant" in " ".join(s.text for s in found.supporting)


def test_a_service_account_that_is_there_by_now_decides_nothing() -> None:
    around = Surroundings(service_accounts=(an_account("buildr"),))
    found = service_account_missing(refused(NO_ACCOUNT, around))

    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_refusal_has_one_cause() -> None:
    ranked = explain(refused(PODS))

    assert [h.cause for h in ranked if h.verdict is Verdict.SUPPORTED] == [Cause.QUOTA_EXCEEDED]
