"""A name that does not resolve: nobody has it, or the pod does not ask where it is known."""

from __future__ import annotations

import re
from dataclasses import dataclass

from copilot.causes.addresses import (
    Setting,
    is_short,
    service_meant,
    settings,
    spec_of,
    why_not_in_cluster,
)
from copilot.causes.citing import concluded, line_key, object_key, said
from copilot.causes.connecting import How, Trouble, changed_just_before, troubles
from copilot.causes.failures import failing_pods
from copilot.causes.nearness import nearest
from copilot.causes.policies import dns_ruling, end_of
from copilot.causes.questioned import first_of
from copilot.causes.references import workload_ref
from copilot.causes.selecting import service_named, services_of
from copilot.causes.wording import clock, one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import ObjectRef

SURE = 0.92
NO_SUCH_SERVICE = 0.85
OUTSIDE_CHANGED = 0.75
UNDECIDED = 0.45
REFUTED = 0.06
_SERVER_SILENT = re.compile(
    r"i/o timeout|timed? ?out|temporary failure|EAI_AGAIN|no servers could be reached|"
    r"read: connection refused|SERVFAIL",
    re.IGNORECASE,
)
"""The name server has not answered: that says nothing about the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A host that did not resolve, with the place it comes from where that is known."""

    host: str
    trouble: Trouble
    setting: Setting | None
    meant: ObjectRef | None
    """The Service it would be."""

    @property
    def key(self) -> str:
        return line_key(self.trouble.line)

    @property
    def text(self) -> str:
        return one_line(self.host, 100)


def name_not_resolved(case: Case) -> Hypothesis | None:
    """Supported where a log says that a name does not resolve and the cluster shows why: there is
    no Service of that name, or the pod's own DNS settings keep it from knowing.

    Refuted where there is such a Service and the name server merely had not known it yet;
    inconclusive for names outside the cluster and where the name server itself is silent.
    """
    return first_of(_judged(case, name) for name in unresolved(case))


def unresolved(case: Case) -> tuple[Name, ...]:
    """The hosts that the log says do not resolve, newest first."""
    given = settings(case)
    found: dict[str, Name] = {}
    for trouble in troubles(case):
        host = trouble.address.host if trouble.address else ""
        if trouble.how is not How.UNRESOLVED or not host:
            continue
        name = Name(
            host=host,
            trouble=trouble,
            setting=_setting(given, host),
            meant=service_meant(host, case.incident.namespace, case.surroundings.namespaces),
        )
        found.setdefault(host, name)
    return tuple(found.values())


def intended(case: Case, host: str) -> str:
    """The host that was most likely meant: the same, with the name of the Service, or the
    namespace, that comes nearest; empty where none does."""
    own = case.incident.namespace
    parts = host.split(".")
    here = tuple(s.metadata.name for s in services_of(case))
    remote = case.surroundings.remote_services
    meant = service_meant(host, own, case.surroundings.namespaces)
    if meant is not None:
        at = meant.namespace
        known = here if at == own else tuple(r.name for r in remote if r.namespace == at)
        near = nearest(meant.name, known)
        if near:
            return ".".join((near, *parts[1:]))
        elsewhere = {r.namespace for r in remote if r.name == meant.name} | (
            {own} if meant.name in here else set()
        )
        if len(elsewhere) == 1 and at not in elsewhere:
            return ".".join((meant.name, *elsewhere, *parts[2:]))
    if len(parts) == 2:
        place = nearest(parts[1], case.surroundings.namespaces)
        if any((r.namespace, r.name) == (place, parts[0]) for r in remote):
            return f"{parts[0]}.{place}"
        if place == own and parts[0] in here:
            return f"{parts[0]}.{own}"
    return ""


def _setting(given: tuple[Setting, ...], host: str) -> Setting | None:
    """Where it is told; resolvers may say the name with its search domain behind it."""
    return next(
        (s for s in given if s.address.host == host or host.startswith(f"{s.address.host}.")), None
    )


def _judged(case: Case, name: Name) -> Hypothesis | None:
    spec = spec_of(case)
    host = name.setting.address.host if name.setting else name.host
    why = why_not_in_cluster(spec, case.incident.namespace, host) if spec else ""
    exists = name.meant is not None and _exists(case, name.meant)
    if why and (exists or (name.meant is not None and is_short(host) and "." not in host)):
        return _dns_settings(case, name, why)
    if exists:
        return _server(case, name)
    if name.meant is not None:
        return _no_such_service(case, name)
    return _outside(case, name)


def _exists(case: Case, meant: ObjectRef) -> bool:
    remote = {(r.namespace, r.name) for r in case.surroundings.remote_services}
    return service_named(case, meant) is not None or (meant.namespace, meant.name) in remote


# ------------------------------------------------------------------ the pod's own DNS settings


def _dns_settings(case: Case, name: Name, why: str) -> Hypothesis | None:
    subject = workload_ref(case)
    return concluded(
        Cause.NAME_NOT_RESOLVED,
        title=f"{subject.name} cannot resolve Services: {why.partition(':')[0]}",
        verdict=Verdict.SUPPORTED,
        confidence=SURE,
        supporting=(
            *_failed(case, name),
            *said(case, f"The pod cannot know that name: {one_line(why, 200)}.", *_spec_keys(case)),
            *_is_there(case, name),
        ),
        subject=subject,
        detail="dns_config",
    )


def _is_there(case: Case, name: Name) -> tuple[Statement, ...]:
    service = service_named(case, name.meant) if name.meant else None
    if service is None:
        return ()
    return said(
        case,
        f"The Service it means is there: {one_line(service.metadata.name, 80)} in namespace "
        f"{service.metadata.namespace}.",
        object_key(service.metadata),
    )


# ------------------------------------------------------------------ the name itself


def _no_such_service(case: Case, name: Name) -> Hypothesis | None:
    meant = name.meant
    if meant is None or "Service" not in case.surroundings.listed:
        return None
    lacks_place = (
        "Namespace" in case.surroundings.listed
        and meant.namespace not in case.surroundings.namespaces
    )
    better = intended(case, name.host)
    place = one_line(meant.namespace, 63)
    nobody = (
        f"there is no namespace {place}"
        if lacks_place
        else f"namespace {place} has no Service {one_line(meant.name, 63)}"
    )
    told = f"; {better} was likely meant" if better else ""
    changed = _changed(case, name)
    return concluded(
        Cause.NAME_NOT_RESOLVED,
        title=f"{name.text} does not resolve: {nobody}",
        verdict=Verdict.SUPPORTED,
        confidence=SURE if better or changed else NO_SUCH_SERVICE,
        supporting=(
            *_failed(case, name),
            *said(
                case,
                f"The log asks for {name.text}, and {nobody}{told}.",
                *_better_keys(case, better),
                name.key,
            ),
            *_told(case, name),
            *changed,
        ),
        subject=_place(case, name),
        detail="wrong_namespace" if lacks_place or _is_of_other(meant, better) else "no_such_name",
    )


def _is_of_other(meant: ObjectRef, better: str) -> bool:
    return bool(better) and better.partition(".")[0] == meant.name


def _outside(case: Case, name: Name) -> Hypothesis | None:
    """Whether a name outside the cluster exists cannot be told from here; that it was just put
    there can."""
    better, changed = intended(case, name.host), _changed(case, name)
    is_sure = bool(better or changed)
    return concluded(
        Cause.NAME_NOT_RESOLVED,
        title=f"{name.text} does not resolve" + (f"; {better} was likely meant" if better else ""),
        verdict=Verdict.SUPPORTED if is_sure else Verdict.INCONCLUSIVE,
        confidence=SURE if better else OUTSIDE_CHANGED if changed else UNDECIDED,
        supporting=(
            *_failed(case, name),
            *said(
                case,
                f"{name.text} is no name of this cluster"
                + (f"; {better} was likely meant." if better else "."),
                *_better_keys(case, better),
                name.key,
            ),
            *_told(case, name),
            *changed,
        ),
        next_check="" if is_sure else f"Look {name.text} up from a pod, and from outside.",
        subject=_place(case, name),
        detail="wrong_namespace" if better else "outside",
    )


# ------------------------------------------------------------------ the name server


def _server(case: Case, name: Name) -> Hypothesis | None:
    """The name is right. Then the server was silent, or did not know it yet."""
    body = name.trouble.line.body
    policies = case.surroundings.network_policies
    asking = (*failing_pods(case), *case.pods)[:1]
    if any(dns_ruling(policies, end_of(p)).is_allowed is False for p in asking):
        return None  # a network policy keeps it from asking: that is a cause of its own
    if _SERVER_SILENT.search(body):
        own = _own_server(case, body)
        if own:
            return _dns_settings(
                case, name, f"its dnsConfig asks {own} only, which does not answer"
            )
        return concluded(
            Cause.NAME_NOT_RESOLVED,
            title="The cluster's name server does not answer",
            verdict=Verdict.INCONCLUSIVE,
            confidence=UNDECIDED,
            supporting=(
                *said(
                    case,
                    f"{name.text} does not resolve because no name server answers: "
                    f"“{one_line(body, 160)}”.",
                    name.key,
                ),
                *_is_there(case, name),
            ),
            next_check="See whether the name server runs: "
            "kubectl -n kube-system get pods -l k8s-app=kube-dns",
            detail="name_server_silent",
        )
    return concluded(
        Cause.NAME_NOT_RESOLVED,
        title=f"{name.text} does not resolve",
        verdict=Verdict.REFUTED,
        confidence=REFUTED,
        against=_is_there(case, name),
    )


def _own_server(case: Case, body: str) -> str:
    """The name server that the pod's own spec names in place of the cluster's: the one that the
    log names, else the first; empty for none of its own."""
    spec = spec_of(case)
    config = spec.dns_config if spec and spec.dns_policy == "None" else None
    servers = (config.nameservers if config else None) or []
    return next((s for s in servers if s in body), servers[0] if servers else "")


# ------------------------------------------------------------------ sentences


def _failed(case: Case, name: Name) -> tuple[Statement, ...]:
    line = name.trouble.line
    return said(
        case,
        f"{name.text} does not resolve ({clock(line.ts_us)}): “{one_line(line.body, 160)}”.",
        name.key,
    )


def _told(case: Case, name: Name) -> tuple[Statement, ...]:
    if name.setting is None:
        return ()
    return said(
        case,
        f"The name comes from {one_line(name.setting.words, 120)}.",
        name.setting.source,
        *(() if name.setting.source else _spec_keys(case)),
    )


def _changed(case: Case, name: Name) -> tuple[Statement, ...]:
    rollout = changed_just_before(case, name.setting)
    if rollout is None:
        return ()
    return said(
        case,
        f"That setting was changed{rollout.by} at {clock(rollout.at_us)}, just before.",
        *rollout.keys,
    )


def _place(case: Case, name: Name) -> ObjectRef:
    """Where the name stands: a ConfigMap, else the workload."""
    if name.setting is not None and name.setting.config_map:
        found = next(
            (
                m.metadata
                for m in case.surroundings.config_maps
                if m.metadata.name == name.setting.config_map
            ),
            None,
        )
        if found is not None:
            return ObjectRef(
                kind="ConfigMap", namespace=found.namespace, name=found.name, uid=found.uid
            )
    return workload_ref(case)


def _better_keys(case: Case, better: str) -> tuple[str, ...]:
    meant = service_meant(better, case.incident.namespace, case.surroundings.namespaces)
    service = service_named(case, meant) if better and meant else None
    return (object_key(service.metadata),) if service else ()


def _spec_keys(case: Case) -> tuple[str, ...]:
    """The objects that show what the pods are made of."""
    pods = failing_pods(case) or case.pods
    own = (case.workload.metadata,) if case.workload else ()
    return tuple(object_key(m) for m in (*(p.metadata for p in pods[:2]), *own))
