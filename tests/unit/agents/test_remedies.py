"""What is suggested about causes of configuration, volumes, admission, jobs and scheduling."""

from dataclasses import replace

import msgspec
import pytest

from copilot.agents.remediator import Advice, advise
from copilot.causes import explain
from copilot.domain.action import (
    Action,
    AddToleration,
    AffinityKind,
    DeletePod,
    PreferAffinity,
    ReplaceClaim,
    RerunJob,
    RollBack,
    Scale,
    SetClaimTemplate,
    SetConfigValue,
    SetCordon,
    SetEnvSource,
    SetLimitRange,
    SetNodeSelector,
    SetQuota,
    SetResources,
    SetServiceAccount,
    SetSuspended,
    SetVolumeSize,
    SetVolumeSource,
    SourceKind,
    encode_action,
)
from copilot.domain.alert import Rule
from copilot.domain.case import Case, FailedAttempt
from copilot.domain.change import Change
from copilot.domain.hypothesis import Findings
from copilot.domain.objects import (
    ConfigMapVolume,
    Container,
    Deployment,
    EmptyDir,
    EnvFromSource,
    Node,
    ObjectRef,
    Pod,
    PodSpec,
    PodTemplate,
    ResourceRequirements,
    SourceName,
    Taint,
    Volume,
)
from copilot.domain.surroundings import ConfigMap, JobSpec, PersistentVolumeClaim, Surroundings
from tests.builders_around import (
    a_claim,
    a_class,
    a_config_map,
    a_cron_job,
    a_job,
    a_limit_range,
    a_quota,
    a_volume,
    a_workload,
    an_account,
    an_event_about,
    owned_by,
    with_spec,
    with_surroundings,
)
from tests.builders_case import NEW, OLD, a_case, a_change, an_event
from tests.builders_objects import a_container, a_node, a_pod, a_replica_set, a_status, ago, waiting
from tests.unit.causes.test_bad_setting import a_case_of as a_settings_case
from tests.unit.causes.test_bad_setting import a_crashing_pod
from tests.unit.causes.test_config_missing import a_waiting_pod, reads
from tests.unit.causes.test_evicted import DISK, EMPTY_DIR, NODE_MEMORY, an_evicted_pod
from tests.unit.causes.test_jobs import BACKOFF, DEADLINE, a_failed_pod, of_cron_job, of_job
from tests.unit.causes.test_refused_pods import FORBIDDEN, NO_ACCOUNT, TOO_MUCH
from tests.unit.causes.test_unschedulable import ANTI as SAYS_ANTI
from tests.unit.causes.test_unschedulable import (
    APART,
    CORDON,
    a_homeless_pod,
    case_with,
    two_nodes,
    with_fields,
)
from tests.unit.causes.test_unschedulable import MEMORY as SAYS_MEMORY
from tests.unit.causes.test_unschedulable import SELECTOR as SAYS_SELECTOR
from tests.unit.causes.test_unschedulable import TAINT as SAYS_TAINT
from tests.unit.causes.test_volume_unavailable import a_case_of as a_volume_case
from tests.unit.causes.test_volume_unavailable import a_homeless_pod as a_pod_with_a_claim

BILLING = ObjectRef(kind="Deployment", namespace="demo", name="billing", uid="uid-billing")


SETTINGS = ObjectRef(kind="ConfigMap", namespace="demo", name="settings")


def with_env_from(name: str) -> PodSpec:
    source = EnvFromSource(config_map_ref=SourceName(name=name))
    return PodSpec(containers=[Container(name="app", env_from=[source])])


def advised(case: Case) -> Advice:
    """What is suggested about what the causes themselves find."""
    findings = Findings(
        summary=(), hypotheses=explain(case), dropped=0, model="", tokens_in=0, tokens_out=0
    )
    advice = advise(case, findings)
    known = {e.id for e in case.evidence}
    for draft in advice.drafts:
        assert draft.evidence
        assert set(draft.evidence) <= known
    return advice


def actions(case: Case) -> list[Action]:
    return [draft.action for draft in advised(case).drafts]


def of_workload(case: Case, pod: Pod, kind: str = "Deployment", replicas: int = 1) -> Case:
    """The case with a workload whose template is the pod's spec."""
    spec = msgspec.structs.replace(pod.spec, node_name="")
    workload = a_workload(case.incident.app, kind=kind, spec=spec, replicas=replicas)
    return msgspec.structs.replace(case, workload=workload)


# ------------------------------------------------------------------ configuration


def a_config_case(pod: Pod, *maps: ConfigMap) -> Case:
    around = Surroundings(config_maps=maps)
    case = of_workload(a_case(pods=[pod], rule=Rule.NOT_READY), pod)
    return with_surroundings(case, around)


def test_a_variable_is_taken_from_the_config_map_of_nearly_that_name() -> None:
    pod = a_waiting_pod(reads("app-confg"), 'configmap "app-confg" not found')

    (action,) = actions(a_config_case(pod, a_config_map("app-config", mode="fast")))

    assert action == SetEnvSource(
        target=BILLING,
        container="app",
        source=SourceKind.CONFIG_MAP,
        variable="MODE",
        before="app-confg",
        name="app-config",
        key="mode",
    )


def test_a_config_map_of_nearly_that_name_without_the_key_is_no_way_out() -> None:
    pod = a_waiting_pod(reads("app-confg"), 'configmap "app-confg" not found')
    advice = advised(a_config_case(pod, a_config_map("app-config", other="x")))

    assert advice.drafts == ()
    assert "for people to say" in advice.notes[0]


def test_a_variable_is_taken_from_the_key_of_nearly_that_name() -> None:
    pod = a_waiting_pod(
        reads("settings", "modee"), "couldn't find key modee in ConfigMap demo/settings"
    )

    (action,) = actions(a_config_case(pod, a_config_map(mode="fast")))

    assert isinstance(action, SetEnvSource)
    assert (action.name, action.key) == ("settings", "mode")


def test_a_volume_is_taken_from_the_config_map_of_nearly_that_name() -> None:
    status = msgspec.structs.replace(
        a_status(state=waiting("ContainerCreating"), ready=False), container_id=""
    )
    pod = with_spec(
        a_pod("billing", statuses=[status], phase="Pending", created=ago(60)),
        volumes=[Volume(name="conf", config_map=ConfigMapVolume(name="app-conf"))],
    )
    message = 'MountVolume.SetUp failed for volume "conf" : configmap "app-conf" not found'
    bare = a_case(
        pods=[pod], rule=Rule.NOT_READY, events=[an_event("FailedMount", message, pod, at=ago(9))]
    )
    case = with_surroundings(
        of_workload(bare, pod), Surroundings(config_maps=(a_config_map("app-config", a="b"),))
    )

    assert actions(case) == [
        SetVolumeSource(
            target=BILLING, volume="conf", source=SourceKind.CONFIG_MAP, name="app-config"
        )
    ]


def test_a_reference_that_a_rollout_brought_in_is_taken_back_first() -> None:
    new, old = (
        a_replica_set("billing", template_hash=h, revision=r, created=ago(age))
        for h, r, age in ((NEW, 2, 50), (OLD, 1, 900))
    )
    pod = a_waiting_pod(reads("app-confg"), 'configmap "app-confg" not found')
    pod = owned_by(pod, "ReplicaSet", new.metadata)
    bare = a_case(
        pods=[pod],
        replica_sets=[new, old],
        changes=[a_change("env[MODE].valueFrom", None, "app-confg", at=ago(50))],
        rule=Rule.NOT_READY,
    )
    around = Surroundings(config_maps=(a_config_map("app-config", mode="fast"),))

    found = actions(with_surroundings(of_workload(bare, pod), around))

    assert found[0] == RollBack(target=BILLING, to_revision=1, replica_set=old.metadata.name)
    assert isinstance(found[1], SetEnvSource)


def test_a_missing_secret_is_for_people_unless_another_workload_runs_with_a_likely_one() -> None:
    pod = a_waiting_pod(reads("db-pass", "pw", kind="Secret"), 'secret "db-pass" not found')
    other = a_workload("api", spec=PodSpec(containers=[reads("db-passw", "pw", kind="Secret")]))
    ready = msgspec.structs.replace(
        other, status=msgspec.structs.replace(other.status, ready_replicas=1)
    )

    def of(*workloads: Deployment) -> Case:
        case = of_workload(a_case(pods=[pod], rule=Rule.NOT_READY), pod)
        return with_surroundings(case, Surroundings(workloads=workloads))

    assert actions(of(other)) == []
    assert "for people to make" in advised(of(other)).notes[0]
    (action,) = actions(of(ready))
    assert isinstance(action, SetEnvSource)
    assert (action.source, action.name) == (SourceKind.SECRET, "db-passw")


def test_a_value_of_a_config_map_is_set_back() -> None:
    pod = with_spec(
        a_crashing_pod(),
        volumes=[Volume(name="c", config_map=ConfigMapVolume(name="settings"))],
    )
    config = ObjectRef(kind="ConfigMap", namespace="demo", name="settings")

    def changed(before: str) -> Case:
        change = a_change("data.mode", before, "turbo", at=ago(50), object=config)
        return a_settings_case(pod, "panic: unknown mode turbo", changes=(change,))

    (action,) = actions(changed("fast"))
    assert isinstance(action, SetConfigValue)
    assert (action.key, action.value) == ("mode", "fast")
    assert actions(changed("***")) == []


# ------------------------------------------------------------------ volumes


def test_a_claim_of_nearly_that_name_is_mounted_instead() -> None:
    pod = a_pod_with_a_claim("dat")
    message = '0/1 nodes are available: persistentvolumeclaim "dat" not found. not found'
    around = Surroundings(claims=(a_claim("data", phase="Bound"),))
    case = of_workload(a_volume_case(around, pod=pod, message=message), pod)

    assert actions(case)[0] == SetVolumeSource(
        target=BILLING, volume="d", source=SourceKind.CLAIM, name="data"
    )


@pytest.mark.parametrize(
    ("claim", "around", "expected"),
    [
        pytest.param(
            a_claim(modes=["ReadWriteMany"]),
            Surroundings(volumes=(a_volume(),), storage_classes=(a_class(),)),
            {"access_modes": ("ReadWriteOnce",)},
            id="access mode",
        ),
        pytest.param(
            a_claim(storage="9Gi"),
            Surroundings(volumes=(a_volume(),), storage_classes=(a_class(),)),
            {"storage": "1Gi"},
            id="capacity",
        ),
        pytest.param(
            a_claim(storage_class="fasst"),
            Surroundings(storage_classes=(a_class("fast", provisioner="disks.example"),)),
            {"storage_class": "fast"},
            id="class",
        ),
    ],
)
def test_a_claim_is_made_anew_with_what_can_be_served(
    claim: PersistentVolumeClaim, around: Surroundings, expected: dict[str, object]
) -> None:
    case = a_volume_case(msgspec.structs.replace(around, claims=(claim,)))

    action = actions(case)[0]

    assert isinstance(action, ReplaceClaim)
    assert action.target.name == "data"
    assert {k: getattr(action, k) for k in expected} == expected


def of_a_claim_template(*others: PersistentVolumeClaim, ready: int = 0) -> Case:
    """A StatefulSet whose first pod's claim asks for more than there is."""
    pod = a_pod_with_a_claim("data-billing-0")
    around = Surroundings(
        claims=(a_claim("data-billing-0", storage="9Gi"), *others),
        volumes=(a_volume(),),
        storage_classes=(a_class(),),
    )
    spec = msgspec.structs.replace(pod.spec, volumes=None, node_name="")
    workload = a_workload("billing", kind="StatefulSet", spec=spec)
    status = msgspec.structs.replace(workload.status, ready_replicas=ready)
    return msgspec.structs.replace(
        a_volume_case(around, pod=pod),
        workload=msgspec.structs.replace(workload, status=status),
    )


def test_a_stateful_set_is_made_anew_where_its_claim_template_asks_for_too_much() -> None:
    others = (a_claim("data-billing-1"), a_claim("logs-billing-0", phase="Bound"))

    (action,) = actions(of_a_claim_template(*others))

    assert isinstance(action, SetClaimTemplate)
    assert (action.target.kind, action.target.name) == ("StatefulSet", "billing")
    assert (action.template, action.storage) == ("data", "1Gi")
    assert [c.name for c in action.claims] == ["data-billing-0", "data-billing-1"]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(of_a_claim_template(a_claim("data-billing-1", phase="Bound")), id="bound"),
        pytest.param(of_a_claim_template(ready=1), id="ready"),
    ],
)
def test_a_stateful_set_that_holds_data_is_not_made_anew(case: Case) -> None:
    advice = advised(case)

    assert advice.drafts == ()
    assert "hold data" in advice.notes[0]


def test_a_stateful_set_whose_claims_were_not_seen_whole_is_not_made_anew() -> None:
    case = of_a_claim_template()
    seen = case.surroundings.listed - {"PersistentVolumeClaim"}
    around = msgspec.structs.replace(case.surroundings, listed=seen)

    advice = advised(msgspec.structs.replace(case, surroundings=around))

    assert advice.drafts == ()
    assert "cannot be seen" in advice.notes[0]


def test_the_only_class_with_a_volume_that_fits_is_taken() -> None:
    around = Surroundings(
        claims=(a_claim(storage_class="quick"),),
        storage_classes=(a_class("standard"), a_class("archive")),
        volumes=(a_volume(storage_class="standard"),),
    )

    action = actions(a_volume_case(around))[0]

    assert isinstance(action, ReplaceClaim)
    assert action.storage_class == "standard"


def test_a_class_that_could_not_serve_the_claim_either_is_not_suggested() -> None:
    around = Surroundings(
        claims=(a_claim(storage_class="fasst"),), storage_classes=(a_class("fast"),)
    )

    assert actions(a_volume_case(around)) == []


# ------------------------------------------------------------------ admission


def refused(
    message: str,
    around: Surroundings,
    *,
    container: Container | None = None,
    account: str = "",
    replicas: int = 1,
) -> Case:
    spec = PodSpec(containers=[container or Container(name="app")], service_account_name=account)
    workload = a_workload("billing", spec=spec, replicas=replicas)
    owned = a_replica_set("billing", ready=0)
    bare = a_case(
        workload=workload,
        replica_sets=[owned],
        events=[an_event_about("FailedCreate", message, "ReplicaSet", owned.metadata)],
        rule=Rule.NOT_CREATED,
    )
    return with_surroundings(bare, around)


def over(resource: str, requested: str, used: str, limited: str) -> str:
    return FORBIDDEN + (
        f"exceeded quota: team, requested: {resource}={requested}, used: {resource}={used}, "
        f"limited: {resource}={limited}"
    )


def test_a_quota_is_raised_to_what_is_needed_and_no_more() -> None:
    quota = a_quota(hard={"pods": "3"}, used={"pods": "3"})
    case = refused(over("pods", "1", "3", "3"), Surroundings(quotas=(quota,)), replicas=2)

    (action,) = actions(case)

    assert isinstance(action, SetQuota)
    assert action.target.name == "team"
    assert action.entries == (("pods", "5"),)


def test_a_request_beyond_the_whole_quota_is_lowered_first() -> None:
    quota = a_quota(hard={"requests.cpu": "100m"}, used={"requests.cpu": "20m"})
    case = refused(over("requests.cpu", "200m", "20m", "100m"), Surroundings(quotas=(quota,)))

    lower, raised = actions(case)

    assert lower == SetResources(
        target=case.incident.workload, container="app", requests=(("cpu", "80m"),)
    )
    assert isinstance(raised, SetQuota)
    assert raised.entries == (("requests.cpu", "220m"),)


def test_a_quota_is_not_raised_beyond_bounds() -> None:
    quota = a_quota(hard={"pods": "1"}, used={"pods": "1"})
    case = refused(over("pods", "1", "1", "1"), Surroundings(quotas=(quota,)), replicas=9)

    advice = advised(case)

    assert advice.drafts == ()
    assert "that is for people" in advice.notes[0]


def test_a_container_is_brought_within_the_bound_before_the_bound_is_moved() -> None:
    big = Container(
        name="app",
        resources=ResourceRequirements(limits={"memory": "128Mi"}, requests={"memory": "32Mi"}),
    )
    bounds = a_limit_range(max={"memory": "64Mi"})

    fitted, moved = actions(refused(TOO_MUCH, Surroundings(limit_ranges=(bounds,)), container=big))

    assert isinstance(fitted, SetResources)
    assert fitted.limits == (("memory", "64Mi"),)
    assert fitted.requests == ()
    assert isinstance(moved, SetLimitRange)
    assert moved.entries == (("memory", "128Mi"),)


def test_the_account_of_nearly_that_name_is_taken_and_never_the_default_one() -> None:
    near = Surroundings(service_accounts=(an_account("builder"), an_account("default")))
    none = Surroundings(service_accounts=(an_account("default"),))

    (action,) = actions(refused(NO_ACCOUNT, near, account="buildr"))

    assert isinstance(action, SetServiceAccount)
    assert action.name == "builder"
    assert actions(refused(NO_ACCOUNT, none, account="buildr")) == []


def test_an_account_that_a_rollout_changed_is_known_from_the_revisions_alone() -> None:
    def revision(hash_: str, number: int, age: float, account: str) -> Deployment:
        owned = a_replica_set(
            "billing", template_hash=hash_, revision=number, created=ago(age), ready=0
        )
        return msgspec.structs.replace(
            owned,
            spec=msgspec.structs.replace(
                owned.spec,
                template=msgspec.structs.replace(
                    owned.spec.template, spec=PodSpec(service_account_name=account)
                ),
            ),
        )

    new, old = revision(NEW, 2, 50, "buildr"), revision(OLD, 1, 900, "worker")
    case = refused(NO_ACCOUNT, Surroundings(), account="buildr")
    rolled = with_surroundings(
        msgspec.structs.replace(case, replica_sets=(new, old)), Surroundings()
    )

    (action,) = actions(rolled)

    assert isinstance(action, RollBack)
    assert action.replica_set == old.metadata.name


# ------------------------------------------------------------------ jobs


def test_a_job_that_gave_up_is_run_again_unless_its_time_ran_out_or_a_cron_job_makes_the_next() -> (
    None
):
    of_cron = a_job(failed=2, conditions=[BACKOFF], cron_job=a_cron_job())

    (action,) = actions(of_job(a_job(failed=1, conditions=[BACKOFF])))

    assert isinstance(action, RerunJob)
    assert actions(of_job(a_job(failed=1, conditions=[DEADLINE]))) == []
    assert actions(of_job(of_cron)) == []


def test_a_job_whose_tries_all_failed_the_same_way_is_not_run_again() -> None:
    job = a_job(failed=2, conditions=[BACKOFF])

    advice = advised(of_job(job, a_failed_pod(job), words="relation accounts already exists"))

    assert advice.drafts == ()
    assert "failed the same way" in advice.notes[0]


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        pytest.param(
            "dial tcp 10.96.0.9:5432: connect: connection refused", (), id="it reached nobody"
        ),
        pytest.param(
            "bad mode",
            (a_change("data.mode", "a", "b", at=ago(5), object=SETTINGS),),
            id="what it reads was changed since",
        ),
    ],
)
def test_a_job_is_run_again_where_its_trouble_may_have_passed(
    words: str, changes: tuple[Change, ...]
) -> None:
    template = PodTemplate(spec=with_env_from(SETTINGS.name))
    job = a_job(failed=2, conditions=[BACKOFF], spec=JobSpec(template=template))
    case = msgspec.structs.replace(of_job(job, a_failed_pod(job), words=words), changes=changes)

    assert [type(a) for a in actions(case)] == [RerunJob]


def test_a_suspended_cron_job_goes_on() -> None:
    (action,) = actions(of_cron_job(a_cron_job(suspend=True)))

    assert isinstance(action, SetSuspended)
    assert not action.is_suspended


def test_the_pod_that_stands_in_the_way_of_a_cron_job_is_deleted() -> None:
    cron_job = a_cron_job(policy="Forbid", active=["nightly-1"])
    job = a_job("nightly-1", active=1, cron_job=cron_job)
    pod = owned_by(a_pod("nightly", statuses=[a_status(ready=False)]), "Job", job.metadata)
    bare = of_cron_job(cron_job, job)
    case = with_surroundings(msgspec.structs.replace(bare, pods=(pod,)), Surroundings(jobs=(job,)))

    (action,) = actions(case)

    assert isinstance(action, DeletePod)
    assert action.target.name == pod.metadata.name


# ------------------------------------------------------------------ eviction


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (DISK, {"limits": (("ephemeral-storage", "40Mi"),)}),
        (NODE_MEMORY, {"requests": (("memory", "330Mi"),)}),
    ],
)
def test_an_evicted_container_is_given_what_it_took(
    message: str, expected: dict[str, object]
) -> None:
    pod = an_evicted_pod(message)
    (action,) = actions(of_workload(a_case(pods=[pod], rule=Rule.EVICTED), pod))

    assert isinstance(action, SetResources)
    assert {k: getattr(action, k) for k in expected} == expected


def of_a_full_volume(medium: str = "", *, size: str | None = "10Mi") -> Case:
    pod = an_evicted_pod(EMPTY_DIR)
    volume = Volume(name="c", empty_dir=EmptyDir(medium=medium, size_limit=size))
    pod = msgspec.structs.replace(
        pod, spec=msgspec.structs.replace(pod.spec, volumes=[volume, Volume(name="d")])
    )
    return of_workload(a_case(pods=[pod], rule=Rule.EVICTED), pod)


def test_a_volume_that_is_full_is_made_larger_once() -> None:
    case = of_a_full_volume()

    (action,) = actions(case)
    failed = FailedAttempt(action=encode_action(action), why="it did not hold")
    advice = advised(msgspec.structs.replace(case, attempts=(failed,)))

    assert isinstance(action, SetVolumeSize)
    assert (action.volume, action.limit) == ("c", "40Mi")
    assert advice.drafts == ()
    assert "40Mi of disk for volume c did not hold" in advice.notes[0]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(of_a_full_volume("Memory"), id="in-memory"),
        pytest.param(of_a_full_volume(size=None), id="changed-since"),
    ],
)
def test_a_volume_without_a_size_on_disk_is_left_to_people(case: Case) -> None:
    advice = advised(case)

    assert advice.drafts == ()
    assert "for people" in advice.notes[0]


def test_a_size_of_disk_that_did_not_hold_is_not_offered_again() -> None:
    pod = an_evicted_pod(DISK)
    bare = of_workload(a_case(pods=[pod], rule=Rule.EVICTED), pod)
    (action,) = actions(bare)
    assert isinstance(action, SetResources)
    failed = FailedAttempt(action=encode_action(action), why="it did not hold")

    advice = advised(msgspec.structs.replace(bare, attempts=(failed,)))

    assert advice.drafts == ()
    assert "40Mi of disk for app did not hold" in advice.notes[0]


# ------------------------------------------------------------------ scheduling


def test_what_runs_on_a_node_is_left_its_part_of_it() -> None:
    homeless = a_homeless_pod(request="64Gi")
    beside = a_pod("web", node="dev", containers=[a_container(request="8Gi", limit=None)])
    bare = case_with(homeless, SAYS_MEMORY, [a_node(memory="16Gi")])
    case = with_surroundings(of_workload(bare, homeless), Surroundings(pods=(beside,)))

    action = actions(case)[0]

    assert isinstance(action, SetResources)
    assert dict(action.requests)["memory"] == "4Gi"


def test_each_way_of_finding_no_node_has_its_own_answer() -> None:
    big, picky = a_homeless_pod(request="64Gi"), a_homeless_pod(selector={"disk": "ssd"})
    apart = with_fields(a_homeless_pod(), affinity=APART)
    gpu = two_nodes(taints=[Taint(key="gpu", effect="NoSchedule", value="true")])
    in_trouble = two_nodes(
        taints=[Taint(key="node.kubernetes.io/disk-pressure", effect="NoSchedule")]
    )

    def first(pod: Pod, message: str, nodes: list[Node]) -> object:
        found = actions(of_workload(case_with(pod, message, nodes), pod))
        return found[0] if found else None

    smaller = first(big, SAYS_MEMORY, two_nodes())
    assert isinstance(smaller, SetResources)
    assert smaller.requests[0][0] == "memory"
    assert isinstance(first(picky, SAYS_SELECTOR, two_nodes()), SetNodeSelector)
    assert first(apart, SAYS_ANTI, two_nodes()) == PreferAffinity(
        target=replace(BILLING, name="etl", uid="uid-etl"), affinity=AffinityKind.ANTI
    )
    tolerated = first(a_homeless_pod(), SAYS_TAINT, gpu)
    assert isinstance(tolerated, AddToleration)
    assert (tolerated.key, tolerated.value) == ("gpu", "true")
    assert first(a_homeless_pod(), SAYS_TAINT, in_trouble) is None
    assert isinstance(first(a_homeless_pod(), CORDON, two_nodes(unschedulable=True)), SetCordon)


def test_what_has_found_a_place_may_be_all_that_is_asked_for() -> None:
    homeless = with_fields(a_homeless_pod(), affinity=APART)
    placed = a_pod("etl", suffix="placed")
    bare = case_with(homeless, SAYS_ANTI, two_nodes())
    case = with_surroundings(
        msgspec.structs.replace(of_workload(bare, homeless, replicas=2), pods=(homeless, placed)),
        Surroundings(),
    )

    assert [type(a) for a in actions(case)] == [Scale, PreferAffinity]
