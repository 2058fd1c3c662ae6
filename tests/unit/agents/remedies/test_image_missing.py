"""The image before, or the pull secret that others use."""

from collections.abc import Sequence

import msgspec
import pytest

from copilot.agents.remedies import REMEDIES
from copilot.agents.remedies.image_missing import registry_of, respelled
from copilot.causes.image_missing import image_missing
from copilot.domain.action import RerunJob, SetImage, SetPullSecrets
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause
from copilot.domain.objects import KubeEvent, LocalName, Pod, PodSpec, PodTemplate
from copilot.domain.surroundings import JobSpec, ServiceAccount, Surroundings
from tests.builders_around import (
    a_cron_job,
    a_job,
    a_workload,
    meta,
    owned_by,
    with_surroundings,
)
from tests.builders_case import NEW, a_case, a_change, an_event
from tests.builders_net import drafts_and_notes, the_action
from tests.builders_objects import (
    a_container,
    a_deployment,
    a_pod,
    a_replica_set,
    a_status,
    ago,
    waiting,
)

INVALID = 'Failed to apply default image tag "{0}": couldn\'t parse image name "{0}"'
IMAGE = REMEDIES[Cause.IMAGE_MISSING]
NAME = "registry.local/shop/web:2"
DENIED = f'Failed to pull image "{NAME}": pull access denied, repository does not exist'
GONE = f'Failed to pull image "{NAME}": not found'
NO_SECRET = (
    "Unable to retrieve some image pull secrets (no-such-secret); attempting to pull the image may "
    "not succeed."
)

NOBODY = Surroundings()


def a_waiting_case(
    message: str = DENIED,
    *,
    secrets: Sequence[str] = (),
    around: Surroundings = NOBODY,
    is_missing: bool = False,
) -> Case:
    pod = a_pod(
        "web",
        template_hash=NEW,
        containers=[a_container(image=NAME)],
        statuses=[a_status(state=waiting("ImagePullBackOff"), ready=False)],
    )
    named = [LocalName(name=s) for s in secrets] or None
    spec = msgspec.structs.replace(pod.spec, image_pull_secrets=named)
    pod = msgspec.structs.replace(pod, spec=spec)
    case = a_case(
        app="web",
        pods=[pod],
        workload=a_deployment("web", containers=[a_container(image=NAME)]),
        replica_sets=[a_replica_set("web", template_hash=NEW, containers=pod.spec.containers)],
        events=list(_events(pod, message, is_missing)),
        rule=Rule.IMAGE_PULL,
    )
    return with_surroundings(case, around)


def _events(pod: Pod, message: str, is_missing: bool) -> Sequence[KubeEvent]:
    failed = an_event("Failed", message, pod, at=ago(20), container="app")
    secret = an_event("FailedToRetrieveImagePullSecret", NO_SECRET, pod, at=ago(21))
    return [failed, secret] if is_missing else [failed]


def sibling(*secrets: str, image: str = "registry.local/shop/api:1") -> Surroundings:
    other = a_workload("api")
    spec = msgspec.structs.replace(
        other.spec.template.spec,
        containers=[a_container(image=image)],
        image_pull_secrets=[LocalName(name=s) for s in secrets],
    )
    template = msgspec.structs.replace(other.spec.template, spec=spec)
    other = msgspec.structs.replace(
        other, spec=msgspec.structs.replace(other.spec, template=template)
    )
    return Surroundings(workloads=(other,))


def test_the_pull_secret_of_a_sibling_that_asks_the_same_registry_is_suggested() -> None:
    case = a_waiting_case(around=sibling("regcred"))

    drafts, _ = drafts_and_notes(case, image_missing(case), IMAGE)

    assert isinstance(drafts[0].action, SetPullSecrets)
    assert drafts[0].action.names == ("regcred",)
    assert "Secrets are not read" in drafts[0].why


def test_the_pull_secret_of_the_service_account_is_suggested() -> None:
    account = ServiceAccount(
        metadata=meta("default", kind="account"), image_pull_secrets=[LocalName(name="shared")]
    )
    case = a_waiting_case(
        secrets=["no-such-secret"],
        is_missing=True,
        around=Surroundings(service_accounts=(account,)),
    )

    drafts, _ = drafts_and_notes(case, image_missing(case), IMAGE)

    assert isinstance(drafts[0].action, SetPullSecrets)
    assert drafts[0].action.names == ("shared",)


@pytest.mark.parametrize(
    "around",
    [
        pytest.param(NOBODY, id="nobody"),
        pytest.param(sibling("x", image="other.local/a:1"), id="another registry"),
        pytest.param(sibling("no-such-secret"), id="the one that is missing"),
    ],
)
def test_without_a_model_no_pull_secret_is_guessed(around: Surroundings) -> None:
    case = a_waiting_case(secrets=["no-such-secret"], is_missing=True, around=around)

    drafts, notes = drafts_and_notes(case, image_missing(case), IMAGE)

    assert drafts == []
    assert any("pull secret" in n for n in notes)


def test_an_image_that_is_gone_is_no_matter_of_pull_secrets() -> None:
    case = a_waiting_case(GONE, around=sibling("regcred"))
    old = a_replica_set("web", containers=[a_container(image="registry.local/shop/web:1")])
    case = msgspec.structs.replace(case, replica_sets=(*case.replica_sets, old))
    case = with_surroundings(case, case.surroundings)

    drafts, _ = drafts_and_notes(case, image_missing(case), IMAGE)

    assert [type(d.action) for d in drafts] == [SetImage]


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("web:1", "docker.io"),
        ("shop/web:1", "docker.io"),
        ("registry.local/shop/web:1", "registry.local"),
        ("10.0.0.1:5000/web", "10.0.0.1:5000"),
        ("localhost/web", "localhost"),
    ],
)
def test_an_image_names_its_registry(image: str, registry: str) -> None:
    assert registry_of(image) == registry


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_the_image_before_a_change_is_suggested_whatever_the_workload_is(kind: str) -> None:
    case = a_waiting_case(GONE)
    assert case.workload is not None
    change = a_change("image", "registry.local/shop/web:1", NAME, at=ago(60), app="web")
    owned = msgspec.structs.replace(case.workload, kind=kind)
    case = msgspec.structs.replace(case, workload=owned, replica_sets=(), changes=(change,))
    case = with_surroundings(case, case.surroundings)

    drafts, _ = drafts_and_notes(case, image_missing(case), IMAGE)

    assert isinstance(drafts[0].action, SetImage)
    assert (drafts[0].action.target.kind, drafts[0].action.image) == (
        kind,
        "registry.local/shop/web:1",
    )


def test_another_image_of_a_registry_that_is_away_is_no_better() -> None:
    case = a_waiting_case("Failed to pull image: dial tcp 10.0.0.1:443: connect: refused")
    change = a_change("image", "registry.local/shop/web:1", NAME, at=ago(60), app="web")
    case = msgspec.structs.replace(case, changes=(change,))
    case = with_surroundings(case, case.surroundings)

    drafts, notes = drafts_and_notes(case, image_missing(case), IMAGE)

    assert drafts == []
    assert "registry.local has to answer first" in notes[0]


@pytest.mark.parametrize(
    ("image", "meant"),
    [
        pytest.param(
            "registry.local:5000/Shop/Web:V2", "registry.local:5000/shop/web:V2", id="host"
        ),
        pytest.param("BusyBox:1.35", "busybox:1.35", id="no-host"),
        pytest.param("shop/Web@sha256:0a", "shop/web@sha256:0a", id="a-digest"),
        pytest.param("shop/web:2", "", id="right-already"),
        pytest.param("shop/We b:2", "", id="not-only-that"),
        pytest.param("shop//Web", "", id="an-empty-part"),
    ],
)
def test_a_repository_has_one_spelling(image: str, meant: str) -> None:
    assert respelled(image) == meant


def a_job_case(image: str, *, of_cron_job: bool = False) -> Case:
    spec = JobSpec(template=PodTemplate(spec=PodSpec(containers=[a_container(image=image)])))
    job = a_job(active=1, spec=spec, cron_job=a_cron_job() if of_cron_job else None)
    state = waiting("InvalidImageName", INVALID.format(image))
    pod = owned_by(
        a_pod(
            "billing",
            containers=[a_container(image=image)],
            statuses=[a_status(state=state, ready=False)],
        ),
        "Job",
        job.metadata,
    )
    bare = a_case(pods=[pod], rule=Rule.IMAGE_PULL)
    return with_surroundings(msgspec.structs.replace(bare, job=job), Surroundings())


def test_a_deployment_whose_image_has_a_capital_letter_is_given_the_one_spelling() -> None:
    image = "registry.local/Web:1"
    case = a_job_case(image)
    workload = a_deployment("billing", containers=[a_container(image=image)])
    case = msgspec.structs.replace(case, job=None, workload=workload)

    drafts, _ = drafts_and_notes(case, image_missing(case), IMAGE)

    assert [d.action for d in drafts if isinstance(d.action, SetImage)] == [
        SetImage(target=drafts[0].action.target, container="app", image="registry.local/web:1")
    ]


def test_a_job_whose_image_has_a_capital_letter_is_made_anew_without() -> None:
    case = a_job_case("registry.local/Load:1")

    action = the_action(case, image_missing(case), IMAGE)

    assert isinstance(action, RerunJob)
    assert (action.container, action.image) == ("app", "registry.local/load:1")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(a_job_case("registry.local/lo ad:1"), id="a-name-that-means-nothing"),
        pytest.param(a_job_case("registry.local/Load:1", of_cron_job=True), id="of-a-cron-job"),
    ],
)
def test_a_job_whose_image_cannot_be_told_is_left_to_people(case: Case) -> None:
    drafts, notes = drafts_and_notes(case, image_missing(case), IMAGE)

    assert drafts == []
    assert "for people to say" in notes[0]
