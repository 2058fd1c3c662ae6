"""An image that cannot be had: the one before, or the pull secret that others use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.rollback import earlier_revisions, no_way_back, roll_back
from copilot.causes.citing import object_key
from copilot.causes.failures import began_us, container_of, revision_of
from copilot.causes.image_missing import missing_pull_secrets, waiting_for
from copilot.causes.job_fails import ref_of
from copilot.causes.references import account_of, workload_ref
from copilot.causes.rollouts import just_before
from copilot.causes.selecting import workloads_of
from copilot.causes.wording import one_line, plain
from copilot.domain.action import RerunJob, SetImage, SetPullSecrets
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import LocalName, Pod, controller_of
from copilot.domain.proposal import Draft
from copilot.domain.surroundings import Job

WITH_TEMPLATE = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
AWAY = frozenset({"unreachable", "name_resolution", "throttled"})
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_ONE_SPELLING = (
    "A repository is written in lower case only, and nothing else is wrong with the name."
)
ACCESS = frozenset({"denied", "pull_secret_missing"})


def image_missing(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """For a refusal the pull secret first, then the image and the revision before."""
    waiting = waiting_for(case)
    if case.job is not None and waiting is not None and hypothesis.detail == "invalid":
        yield from _job_respelled(case, hypothesis, case.job, *waiting)
        return
    if case.workload is None or workload_ref(case).kind not in WITH_TEMPLATE or waiting is None:
        yield f"only a workload with a pod template can be given another image: {workload_ref(case)}"
        return
    pod, container = waiting
    if hypothesis.detail in ACCESS:
        yield from _pull_secrets(case, hypothesis, pod, container)
    yield from _image(case, hypothesis, container)
    if hypothesis.detail == "invalid":
        yield from _respelled(case, hypothesis, container)
    if workload_ref(case).kind == "Deployment":
        yield from roll_back(case, hypothesis, about="].image", beside="].image")


def _respelled(case: Case, hypothesis: Hypothesis, container: str) -> Iterator[Draft]:
    now = container_of(case.workload.spec.template.spec, container) if case.workload else None
    image = respelled(now.image) if now else ""
    if image:
        yield drafted(
            case,
            SetImage(target=workload_ref(case), container=container, image=image),
            title=f"Set the image of {container} to {one_line(image, 120)}",
            why=f"{_ONE_SPELLING} Whether the registry has it shows when it is pulled.",
            hypothesis=hypothesis,
        )


def _job_respelled(
    case: Case, hypothesis: Hypothesis, job: Job, pod: Pod, container: str
) -> Iterator[Draft | str]:
    """A Job's template cannot be changed, but one that never ran can be made anew."""
    now = container_of(job.spec.template.spec, container)
    image = respelled(now.image) if now else ""
    if controller_of(job.metadata) is not None or now is None or not image:
        yield f"what image is meant by {one_line(now.image if now else '', 120)} is for people to say"
        return
    yield drafted(
        case,
        RerunJob(target=ref_of(job), container=container, image=image),
        title=f"Make Job {job.metadata.name} anew with the image {one_line(image, 120)}",
        why=(
            f"{_ONE_SPELLING} Whether the registry has it shows when it is pulled. None of its pods "
            "has run."
        ),
        hypothesis=hypothesis,
        keys=(object_key(job.metadata), object_key(pod.metadata)),
    )


def respelled(image: str) -> str:
    """The image with its repository in lower case; empty where that does not make it valid.
    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests"""
    name, at, digest = image.partition("@")
    host = registry_of(name) if name.startswith(f"{registry_of(name)}/") else ""
    path = name.removeprefix(f"{host}/") if host else name
    repository, colon, tag = path.partition(":")
    lowered = repository.lower()
    if lowered == repository or not _REPOSITORY.fullmatch(lowered):
        return ""
    return f"{host}{'/' if host else ''}{lowered}{colon}{tag}{at}{digest}"


def _image(case: Case, hypothesis: Hypothesis, container: str) -> Iterator[Draft | str]:
    """The image before the change that just came, else that of the newest earlier revision that
    had another one. Where the registry itself is away, one of another registry only."""
    now = container_of(case.workload.spec.template.spec, container) if case.workload else None
    away = registry_of(now.image) if now and hypothesis.detail in AWAY else ""
    changed = _before_the_change(case, container)
    if now and changed is not None and registry_of(changed[0]) != away:
        before_it, keys = changed
        yield drafted(
            case,
            SetImage(target=workload_ref(case), container=container, image=before_it),
            title=f"Set the image of {container} back to {one_line(before_it, 120)}",
            why=f"{one_line(now.image, 120)} cannot be pulled; {one_line(before_it, 120)} ran "
            "before it was changed.",
            hypothesis=hypothesis,
            keys=keys,
        )
        return
    for earlier in earlier_revisions(case):
        before = container_of(earlier.spec.template.spec, container)
        if before is None or now is None or before.image in ("", now.image):
            continue
        if registry_of(before.image) == away:
            continue
        yield drafted(
            case,
            SetImage(target=workload_ref(case), container=container, image=before.image),
            title=f"Set the image of {container} back to {one_line(before.image, 120)}",
            why=(
                f"{one_line(now.image, 120)} cannot be pulled; revision "
                f"{revision_of(earlier)} ran {one_line(before.image, 120)}."
            ),
            hypothesis=hypothesis,
            keys=(object_key(earlier.metadata),),
        )
        return
    if away:
        yield f"{one_line(away, 120)} has to answer first: another image of it is no better"
    else:
        yield no_way_back(case, "].image")


def _before_the_change(case: Case, container: str) -> tuple[str, tuple[str, ...]] | None:
    """The image, and the change that tells; also of workloads whose revisions are not watched."""
    rollout = just_before(case, began_us(case))
    for field in rollout.fields if rollout else ():
        if rollout and field.path.endswith(f"[{container}].image") and field.before:
            return plain(field.before), rollout.keys
    return None


def _pull_secrets(
    case: Case, hypothesis: Hypothesis, pod: Pod, container: str
) -> Iterator[Draft | str]:
    """Those of an earlier revision, of a workload that pulls from the same registry, or of the
    service account. That they are valid is not known: Secrets are not read."""
    now = tuple(s.name for s in pod.spec.image_pull_secrets or ())
    missing = set(missing_pull_secrets(case, pod))
    for names, whose, key in _candidates(case, pod, container):
        if not names or names == now or missing & set(names):
            continue
        target = workload_ref(case)
        yield drafted(
            case,
            SetPullSecrets(target=target, names=names),
            title=f"Let {one_line(target.name, 80)} pull with {one_line(', '.join(names), 120)}",
            why=f"{whose} it. Whether that Secret is valid is not known here: Secrets are not read.",
            hypothesis=hypothesis,
            keys=(key, object_key(pod.metadata)),
        )
        return
    yield "no workload or account here shows which pull secret would do"


def _candidates(case: Case, pod: Pod, container: str) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Names, whose they are, and where `cited_as` finds that."""
    for revision in case.replica_sets:
        names = _names(revision.spec.template.spec.image_pull_secrets)
        yield names, f"Revision {revision_of(revision)} named", object_key(revision.metadata)
    asked = container_of(pod.spec, container)
    registry = registry_of(asked.image) if asked else ""
    for other in workloads_of(case):
        spec = other.spec.template.spec
        images = [registry_of(c.image) for c in spec.containers or ()]
        if other.metadata.name != workload_ref(case).name and registry in images:
            whose = (
                f"{one_line(other.metadata.name, 80)}, which pulls from the same registry, names"
            )
            yield _names(spec.image_pull_secrets), whose, object_key(other.metadata)
    for account in case.surroundings.service_accounts:
        if account.metadata.name == account_of(pod.spec):
            whose = f"ServiceAccount {one_line(account.metadata.name, 80)} names"
            yield _names(account.image_pull_secrets), whose, object_key(account.metadata)


def registry_of(image: str) -> str:
    """`registry.local:5000` of `registry.local:5000/shop/web:1`; Docker Hub where none is named."""
    head, slash, _ = image.partition("/")
    return head if slash and ("." in head or ":" in head or head == "localhost") else "docker.io"


def _names(given: list[LocalName] | None) -> tuple[str, ...]:
    return tuple(s.name for s in given or () if s.name)
