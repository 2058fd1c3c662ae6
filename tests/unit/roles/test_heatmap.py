"""One cell of the heat map: how a pod is, and which incident it belongs to."""

import msgspec
import pytest

from copilot.domain.alert import Rule
from copilot.domain.objects import Metadata, ObjectRef, OwnerReference, Pod
from copilot.roles.heatmap import health_of, pod_view
from copilot.roles.views import Health
from tests.builders_detect import an_alert, an_incident_about
from tests.builders_objects import a_pod, a_ref, a_status, ago, terminated, waiting


def a_pod_of(kind: str, name: str) -> Pod:
    pod = a_pod("web", template_hash="")
    owner = OwnerReference(kind=kind, name=name, uid="u", controller=True)
    metadata = Metadata(
        name=f"{name}-x", namespace="demo", uid="uid-x", labels={}, owner_references=[owner]
    )
    return msgspec.structs.replace(pod, metadata=metadata)


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        (a_pod("web"), "web"),
        (a_pod_of("StatefulSet", "db"), "db"),
        (a_pod_of("Job", "export"), "export"),
        (a_pod_of("Job", "nightly-29929855"), "nightly"),
        (a_pod("lone", owner_kind=None), "lone"),
    ],
)
def test_a_pod_is_shown_under_its_top_owner(pod: Pod, workload: str) -> None:
    assert pod_view(pod, (), None).workload == workload


@pytest.mark.parametrize(
    "workload",
    [
        a_ref("Service", "web"),
        a_ref("CronJob", "nightly"),
        a_ref("PersistentVolumeClaim", "data"),
        ObjectRef(kind="Node", namespace="", name="n1"),
    ],
    ids=lambda ref: ref.kind,
)
def test_incidents_about_no_pods_do_not_disturb_the_map(workload: ObjectRef) -> None:
    incident = an_incident_about(an_alert(Rule.NO_ENDPOINTS, workload=workload))

    assert pod_view(a_pod("api"), (incident,), None).incident_id is None


def test_a_cron_jobs_incident_is_shown_at_its_pods() -> None:
    incident = an_incident_about(an_alert(Rule.JOB_FAILED, workload=a_ref("CronJob", "nightly")))

    view = pod_view(a_pod_of("Job", "nightly-29929855"), (incident,), None)

    assert view.incident_id == incident.id


def test_a_start_that_fails_is_a_failing_pod() -> None:
    crashed = terminated(started=ago(9), finished=ago(8), reason="Error", exit_code=1)
    pod = a_pod(
        phase="Pending",
        statuses=[a_status(state=waiting("PodInitializing"), ready=False)],
        init_statuses=[
            a_status("migrate", state=waiting("CrashLoopBackOff"), last_state=crashed, ready=False)
        ],
    )

    assert health_of(pod) == (Health.FAILING, "CrashLoopBackOff after Error")


def test_a_start_that_is_done_is_no_trouble() -> None:
    done = terminated(started=ago(9), finished=ago(8), reason="Completed", exit_code=0)

    assert health_of(a_pod(init_statuses=[a_status("migrate", state=done)]))[0] is Health.HEALTHY
