"""An image cannot be pulled: it is not there, not allowed, or not named right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from copilot.causes.citing import backed, concluded, event_key, object_key, said
from copilot.causes.failures import (
    alerts_of,
    began_us,
    container_named_by,
    container_of,
    events_about,
    is_gone,
    statuses_of,
)
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import just_before
from copilot.causes.wording import clock, one_line, plain
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import KubeEvent, Pod, epoch_us

PULL_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
"""https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/types.go"""
_PULLED = re.compile(r"[Ff]ailed to pull image|ErrImage|InvalidImageName|pull policy of Never")


class Why(StrEnum):
    """What stands in the way of a pull."""

    NEVER = "never"
    INVALID = "invalid"
    NAME_RESOLUTION = "name_resolution"
    """Of the registry's own name."""
    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    DENIED = "denied"
    PLATFORM = "platform"
    """There is one, but not for this kind of processor or system."""
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


_SIGNS: tuple[tuple[Why, re.Pattern[str]], ...] = (
    (
        Why.NEVER,
        re.compile(r"ErrImageNeverPull|pull policy of Never|policy is Never", re.IGNORECASE),
    ),
    (
        Why.INVALID,
        re.compile(r"InvalidImageName|couldn't parse image|invalid reference", re.IGNORECASE),
    ),
    (
        Why.NAME_RESOLUTION,
        re.compile(r"no such host|server misbehaving|dial tcp: lookup ", re.IGNORECASE),
    ),
    (
        Why.UNREACHABLE,
        re.compile(
            r"dial tcp|connection refused|i/o timeout|TLS handshake|x509|"
            r"deadline exceeded|\b50[0234]\b|RegistryUnavailable",
            re.IGNORECASE,
        ),
    ),
    (
        Why.THROTTLED,
        re.compile(r"too many requests|toomanyrequests|\b429\b|rate limit", re.IGNORECASE),
    ),
    (
        Why.DENIED,
        re.compile(r"unauthorized|denied|authorization failed|forbidden|\b40[13]\b", re.IGNORECASE),
    ),
    (
        Why.PLATFORM,
        re.compile(
            r"no match(?:ing manifest)? for (?:platform|linux|windows)|"
            r"no image found in (?:image index|manifest list)",
            re.IGNORECASE,
        ),
    ),
    (
        Why.NOT_FOUND,
        re.compile(
            r"not found|manifest unknown|does not exist|no such image|\b404\b", re.IGNORECASE
        ),
    ),
)
"""In this order: a message may carry several, and a name server's `no such host` is no 404;
a registry that says "denied, or does not exist" has not said which."""

_SAID = {
    Why.NEVER: "is not on the node, and its pull policy is Never",
    Why.INVALID: "has a name that cannot be read",
    Why.NAME_RESOLUTION: "cannot be pulled: its registry's name does not resolve",
    Why.UNREACHABLE: "cannot be pulled: its registry does not answer",
    Why.THROTTLED: "cannot be pulled for now: its registry limits requests",
    Why.DENIED: "is refused by its registry: not allowed, or not there",
    Why.PLATFORM: "was not built for the node's kind of processor or system",
    Why.NOT_FOUND: "does not exist in its registry",
    Why.UNKNOWN: "cannot be pulled",
}
_CONFIDENCE = {
    Why.NEVER: 0.95,
    Why.INVALID: 0.97,
    Why.NAME_RESOLUTION: 0.4,
    Why.UNREACHABLE: 0.4,
    Why.THROTTLED: 0.4,
    Why.DENIED: 0.9,
    Why.PLATFORM: 0.95,
    Why.NOT_FOUND: 0.95,
    Why.UNKNOWN: 0.75,
}
_CHECK = {
    Why.NAME_RESOLUTION: "Look the registry's name up from the node: is it written right?",
    Why.UNREACHABLE: "Ask the registry from the node: does its name resolve, does it answer?",
    Why.THROTTLED: "Wait for the registry's limit to pass, or pull with an account.",
    Why.DENIED: "Check that the repository exists and that the pod names a valid pull secret.",
    Why.UNKNOWN: "Pull the image by hand with the same credentials.",
}


CHANGED_JUST_BEFORE = 0.8
LASTING = 0.65
NOT_PASSING_US = 60 * 1_000_000
"""After as long as this it does not pass by itself."""
_MAY_PASS = frozenset({Why.NAME_RESOLUTION, Why.UNREACHABLE, Why.THROTTLED})
_ASKS_WHO = frozenset({Why.DENIED, Why.UNKNOWN})
"""Answers that a registry gives also to those whom it does not know."""
_UNREADABLE = re.compile(r"image pull secrets \(([^)]{1,500})\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    pod: Pod
    container: str
    image: str
    text: str
    """All that status and events say about it."""
    events: tuple[KubeEvent, ...]


def image_missing(case: Case) -> Hypothesis | None:
    """Supported where a container waits for an image that cannot be had.

    Inconclusive while the registry itself does not answer and that may pass, unless the image was
    changed just before: the one before it was to be had. Refuted where it was pulled since.
    """
    waiting = _waiting(case)
    if waiting is None:
        return _pulled_since(case)
    why = why_of(_without_names(waiting.text, waiting.image))
    changed = _changed_just_before(case, waiting)
    lasts = case.taken_us - began_us(case) >= NOT_PASSING_US
    is_passing = why in _MAY_PASS and not changed and not lasts
    confidence = max(_CONFIDENCE[why], CHANGED_JUST_BEFORE if changed else 0.0)
    return concluded(
        Cause.IMAGE_MISSING,
        title=f"Image {one_line(waiting.image, 120)} {_SAID[why]}",
        verdict=Verdict.INCONCLUSIVE if is_passing else Verdict.SUPPORTED,
        confidence=max(confidence, LASTING if lasts else 0.0),
        supporting=(
            *_said(case, waiting, why),
            *(_pull_secrets(case, waiting) if why in _ASKS_WHO else ()),
            *(changed or _previous(case, waiting)),
        ),
        next_check=_CHECK.get(why, ""),
        subject=workload_ref(case),
        detail=_detail(case, waiting, why),
    )


def waiting_for(case: Case) -> tuple[Pod, str] | None:
    """The pod that waits for an image, and which container of it."""
    waiting = _waiting(case)
    return (waiting.pod, waiting.container) if waiting else None


def missing_pull_secrets(case: Case, pod: Pod) -> tuple[str, ...]:
    """Names of pull secrets that the kubelet says it could not read."""
    names: dict[str, None] = {}
    for event in _secret_events(case, pod):
        found = _UNREADABLE.search(event.message[:2000])
        for name in found[1].split(",") if found else ():
            names[name.strip()] = None
    return tuple(n for n in names if n)


def _secret_events(case: Case, pod: Pod) -> list[KubeEvent]:
    return [
        e
        for e in events_about(case, "FailedToRetrieveImagePullSecret")
        if e.involved_object.uid == pod.metadata.uid
    ]


def _detail(case: Case, waiting: _Waiting, why: Why) -> str:
    if why in _ASKS_WHO and missing_pull_secrets(case, waiting.pod):
        return "pull_secret_missing"
    return why.value if why is not Why.UNKNOWN else ""


def _pull_secrets(case: Case, waiting: _Waiting) -> tuple[Statement, ...]:
    """With what the pod asked the registry. Which Secrets there are is not looked at."""
    pod = waiting.pod
    missing = missing_pull_secrets(case, pod)
    if missing:
        events = backed(case, _secret_events(case, pod), event_key)
        return said(
            case,
            f"The kubelet cannot read the pull secret {one_line(', '.join(missing[:3]), 120)}.",
            *(event_key(e) for e in events[:1]),
            object_key(pod.metadata),
        )
    if why_of(_without_names(waiting.text, waiting.image)) is Why.DENIED:
        named = [s.name for s in pod.spec.image_pull_secrets or ()]
        text = (
            f"The pod asks with the pull secret {one_line(', '.join(named[:3]), 120)}."
            if named
            else "The pod names no pull secret."
        )
        return said(case, text, object_key(pod.metadata))
    return ()


def why_of(text: str) -> Why:
    """What a runtime's message about a pull means."""
    return next((why for why, sign in _SIGNS if sign.search(text)), Why.UNKNOWN)


def _without_names(text: str, image: str) -> str:
    """The message without image names and addresses: a tag such as `404` is no answer."""
    name = re.escape(image.rpartition("/")[2])
    return re.sub(rf"https?://\S+|\S*{name}\S*" if name else r"https?://\S+", " ", text)


def _waiting(case: Case) -> _Waiting | None:
    there = [p for p in case.pods if not is_gone(p) and _waits(p)]
    for pod in backed(case, there, lambda p: object_key(p.metadata)):
        for status in statuses_of(pod):
            waits = status.state.waiting if status.state else None
            if waits is None or waits.reason not in PULL_REASONS:
                continue
            spec = container_of(pod.spec, status.name)
            events = tuple(_pull_events(case, pod, status.name))
            texts = [waits.reason, waits.message, *(e.message for e in events)]
            return _Waiting(
                pod=pod,
                container=status.name,
                image=spec.image if spec else status.image,
                text="\n".join(texts),
                events=events,
            )
    return None


def _waits(pod: Pod) -> bool:
    states = [s.state for s in statuses_of(pod) if s.state is not None]
    return any(s.waiting is not None and s.waiting.reason in PULL_REASONS for s in states)


def _pull_events(case: Case, pod: Pod, container: str) -> list[KubeEvent]:
    """The runtime's own words, without the mere back-offs."""
    return [
        e
        for e in events_about(case, "Failed", "ErrImageNeverPull", "InspectFailed")
        if e.involved_object.uid == pod.metadata.uid
        and container_named_by(e) in ("", container)
        and _PULLED.search(e.message)
    ]


def _said(case: Case, waiting: _Waiting, why: Why) -> tuple[Statement, ...]:
    return said(
        case,
        f"{waiting.container} in {waiting.pod.metadata.name} waits for "
        f"{one_line(waiting.image, 120)}, which {_SAID[why]}.",
        *(event_key(e) for e in waiting.events),
        object_key(waiting.pod.metadata),
    )


def _changed_just_before(case: Case, waiting: _Waiting) -> tuple[Statement, ...]:
    rollout = just_before(case, began_us(case))
    for field in rollout.fields if rollout else ():
        is_this = field.path.endswith(f"[{waiting.container}].image")
        if rollout and is_this and field.before and plain(field.after) == waiting.image:
            before = one_line(plain(field.before), 120)
            return said(
                case,
                f"{waiting.container} ran {before} until it was changed{rollout.by} at "
                f"{clock(rollout.at_us)}.",
                *rollout.keys,
            )
    return ()


def _previous(case: Case, waiting: _Waiting) -> tuple[Statement, ...]:
    """What the container ran in the newest revision that had another image."""
    for owned in case.replica_sets:
        spec = container_of(owned.spec.template.spec, waiting.container)
        if spec and spec.image and spec.image != waiting.image:
            return said(
                case,
                f"Before that {waiting.container} ran {one_line(spec.image, 120)}.",
                object_key(owned.metadata),
            )
    return ()


def _pulled_since(case: Case) -> Hypothesis | None:
    """It failed to pull, and then it was pulled: what fails now has another cause."""
    if not alerts_of(case, Rule.IMAGE_PULL) and not any(
        _PULLED.search(e.message) for e in events_about(case, "Failed")
    ):
        return None
    for pod in case.pods:
        started = [s for s in statuses_of(pod) if s.container_id and not is_gone(pod)]
        if started and _had_trouble(case, pod):
            return concluded(
                Cause.IMAGE_MISSING,
                title="An image cannot be pulled",
                verdict=Verdict.REFUTED,
                confidence=0.05,
                subject=workload_ref(case),
                against=said(
                    case,
                    f"{started[0].name} in {pod.metadata.name} has its image now and was started"
                    f"{_since(pod)}.",
                    object_key(pod.metadata),
                    *(event_key(e) for e in _pull_events(case, pod, started[0].name)),
                ),
            )
    return None


def _had_trouble(case: Case, pod: Pod) -> bool:
    named = {a.pod for a in alerts_of(case, Rule.IMAGE_PULL)}
    return pod.metadata.name in named or any(
        _pull_events(case, pod, s.name) for s in statuses_of(pod)
    )


def _since(pod: Pod) -> str:
    for status in statuses_of(pod):
        if status.state and status.state.running:
            return f" at {clock(epoch_us(status.state.running.started_at))}"
    return ""
