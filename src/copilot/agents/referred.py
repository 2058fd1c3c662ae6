"""Which objects around a case its specs, events and logs speak of: those may be cited. Pure.

A namespace holds hundreds of objects, and a cause is about three of them. What is chosen here
becomes evidence with its body; what is not can be counted and listed, but not be cited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from copilot.causes.failures import failing_pods, is_gone, is_ready, statuses_of
from copilot.causes.nearness import nearest
from copilot.causes.permission_missing import refusals
from copilot.causes.permissions import Lack, Lacking, judged
from copilot.causes.placement import blocks
from copilot.causes.references import (
    account_of,
    claims_of,
    hosts_in,
    reference_to,
    references_of,
    specs_of,
)
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.objects import KubeStruct, Metadata, ObjectRef, Pod, Service
from copilot.domain.selectors import matches
from copilot.domain.surroundings import ConfigMap, PersistentVolumeClaim

MOST = 24
MOST_OF_A_KIND = 3
_SILENT = frozenset(
    {
        Rule.OOM_KILLED,
        Rule.IMAGE_PULL,
        Rule.UNSCHEDULABLE,
        Rule.NOT_CREATED,
        Rule.VOLUME_PENDING,
        Rule.EVICTED,
        Rule.CPU_THROTTLED,
    }
)
"""Trouble that has nothing to do with whom a program talks to."""

_WITHOUT_SETTINGS = _SILENT - {Rule.VOLUME_PENDING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One object with its kind, which most of ours do not carry themselves."""

    kind: str
    metadata: Metadata
    body: KubeStruct

    @property
    def ref(self) -> ObjectRef:
        meta = self.metadata
        return ObjectRef(kind=self.kind, namespace=meta.namespace, name=meta.name, uid=meta.uid)


def referred(case: Case) -> tuple[Thing, ...]:
    """The most telling first, each once."""
    found = {t.metadata.uid: t for part in _PARTS for t in part(case) if t.metadata.uid}
    return tuple(found.values())[:MOST]


# ------------------------------------------------------------------ the incident's own object


def _itself(case: Case) -> Iterator[Thing]:
    """The workload where no failing pod and no revision stands for it, and what it is made by."""
    own, around = case.incident.workload, case.surroundings
    if case.workload and (own.kind != "Deployment" or not failing_pods(case)):
        yield _thing(reference_to(case.workload).kind, case.workload)
    if case.job:
        yield _thing("Job", case.job)
    if case.cron_job:
        yield _thing("CronJob", case.cron_job)
        for job in around.jobs:
            if job.metadata.uid in _owners(case.pods) or job.metadata.name in {
                a.name for a in case.cron_job.status.active or ()
            }:
                yield _thing("Job", job)
    yield from (
        _thing("Service", s)
        for s in around.services
        if own.kind == "Service" and s.metadata.name == own.name
    )
    yield from (
        _thing("PersistentVolumeClaim", c)
        for c in around.claims
        if own.kind == "PersistentVolumeClaim" and c.metadata.name == own.name
    )


def _owners(pods: Iterable[Pod]) -> frozenset[str]:
    return frozenset(o.uid for p in pods for o in p.metadata.owner_references or ())


# ------------------------------------------------------------------ what specs name


def _configuration(case: Case) -> Iterator[Thing]:
    """ConfigMaps that are named; where one is missing, the one that is nearly named so."""
    maps = {m.metadata.name: m for m in case.surroundings.config_maps}
    for spec in specs_of(case):
        for reference in references_of(spec):
            if reference.kind != "ConfigMap":
                continue
            found = maps.get(reference.name) or maps.get(nearest(reference.name, maps))
            if found and _is_of_interest(case, found):
                yield _thing("ConfigMap", found)


def _is_of_interest(case: Case, one: ConfigMap) -> bool:
    """Not where memory ran out or an image is missing: no configuration is cited then."""
    return not case.alerts or any(a.rule not in _WITHOUT_SETTINGS for a in case.alerts)


def _storage(case: Case) -> Iterator[Thing]:
    """Claims, what they are bound to or could be, and their class."""
    around = case.surroundings
    claims = {c.metadata.name: c for c in around.claims}
    own = case.incident.workload
    names = [n for spec in specs_of(case) for n in claims_of(spec)]
    names += [own.name] if own.kind == "PersistentVolumeClaim" else []
    for name in dict.fromkeys(names):
        claim = claims.get(name) or claims.get(nearest(name, claims))
        if claim is None:
            continue
        yield _thing("PersistentVolumeClaim", claim)
        yield from (
            _thing("StorageClass", c)
            for c in around.storage_classes
            if c.metadata.name == claim.spec.storage_class_name
        )
        if claim.status.phase != "Bound":
            yield from _volumes_for(case, claim)


def _volumes_for(case: Case, claim: PersistentVolumeClaim) -> list[Thing]:
    """Those named, reserved or of the same class: what stands between them and the claim counts."""
    wanted = claim.spec
    close = [
        v
        for v in case.surroundings.volumes
        if v.metadata.name == wanted.volume_name
        or (v.spec.claim_ref and v.spec.claim_ref.name == claim.metadata.name)
        or v.spec.storage_class_name == (wanted.storage_class_name or "")
    ]
    return [_thing("PersistentVolume", v) for v in close[:MOST_OF_A_KIND]]


def _bounds(case: Case) -> Iterator[Thing]:
    """Quotas and limit ranges where something was refused, those that the refusal names first."""
    said = _messages(case)
    is_refused = any(a.rule is Rule.NOT_CREATED for a in case.alerts)
    around = case.surroundings
    for kind, bounds in (("ResourceQuota", around.quotas), ("LimitRange", around.limit_ranges)):
        named = [b for b in bounds if b.metadata.name in said]
        others = [b for b in bounds if b not in named] if is_refused else []
        yield from (_thing(kind, b) for b in [*named, *others][:MOST_OF_A_KIND])


def _webhooks(case: Case) -> Iterator[Thing]:
    """Those that a refusal names, with the Service behind them."""
    said = _messages(case)
    services = {(s.metadata.namespace, s.metadata.name): s for s in case.surroundings.services}
    for configuration in case.surroundings.webhooks:
        named = [w for w in configuration.webhooks or () if w.name and w.name in said]
        if not named:
            continue
        yield _thing(configuration.kind or "WebhookConfiguration", configuration)
        for webhook in named:
            at = webhook.client_config.service
            if at and (at.namespace, at.name) in services:
                yield _thing("Service", services[at.namespace, at.name])


def _rights(case: Case) -> Iterator[Thing]:
    """The account, and what it is bound to, where something was forbidden."""
    if "forbidden" not in _logged(case).lower() and "service account" not in _messages(case):
        return
    around = case.surroundings
    accounts = {a.metadata.name: a for a in around.service_accounts}
    roles = {r.metadata.name: r for r in around.roles}
    for name in dict.fromkeys(account_of(spec) for spec in specs_of(case)):
        found = accounts.get(name) or accounts.get(nearest(name, accounts))
        if found:
            yield _thing("ServiceAccount", found)
        for binding in around.role_bindings:
            if any(s.kind == "ServiceAccount" and s.name == name for s in binding.subjects or ()):
                yield _thing(
                    "RoleBinding" if binding.metadata.namespace else "ClusterRoleBinding", binding
                )
                role = roles.get(binding.role_ref.name)
                if role:
                    yield _thing("Role" if role.metadata.namespace else "ClusterRole", role)
    for refusal in refusals(case)[:MOST_OF_A_KIND]:
        answer = judged(around, refusal.asked)
        if isinstance(answer, Lacking) and answer.lack is Lack.ROLE_UNBOUND:
            yield _thing("Role", answer.roles[0])


# ------------------------------------------------------------------ whom it talks to


def _network(case: Case) -> Iterator[Thing]:
    """Services that pick the pods or that an address means, what stands behind those, and the
    policies that pick either."""
    around, own = case.surroundings, case.incident.workload
    if case.alerts and all(a.rule in _SILENT for a in case.alerts):
        return
    told = {own.name, case.incident.app, *(a.workload.name for a in case.alerts)}
    same_name = [s for s in around.services if s.metadata.name in told]
    called = tuple({s.metadata.uid: s for s in (*called_services(case), *same_name)}.values())
    yield from (_thing("Service", s) for s in called[:MOST_OF_A_KIND])
    for service in called[:MOST_OF_A_KIND]:
        yield from _behind(case, service)
    yield from (_thing("Service", s) for s in case.services[:MOST_OF_A_KIND])
    ends = [p.metadata.labels for p in case.pods[:1]]
    ends += [s.spec.selector for s in called]
    policies = [
        p
        for p in around.network_policies
        if any(matches(p.spec.pod_selector, labels) for labels in ends if labels)
    ]
    yield from (_thing("NetworkPolicy", p) for p in policies[:MOST_OF_A_KIND])
    names = {own.name} if own.kind == "Service" else {s.metadata.name for s in case.services}
    for ingress in around.ingresses:
        backends = (
            path.backend.service.name
            for rule in ingress.spec.rules or ()
            for path in (rule.http.paths if rule.http else None) or ()
            if path.backend.service
        )
        if names & set(backends):
            yield _thing("Ingress", ingress)


def called_services(case: Case) -> tuple[Service, ...]:
    """Services of the namespace that its settings, its log or its events name as a host."""
    places = frozenset(
        host
        for spec in specs_of(case)
        for container in (*(spec.containers or ()), *(spec.init_containers or ()))
        for text in (
            *(v.value or "" for v in container.env or ()),
            *(container.args or ()),
            *(container.command or ()),
        )
        for host in hosts_in(text)
    )
    maps = {m.metadata.name: m for m in case.surroundings.config_maps}
    for spec in specs_of(case):
        for reference in references_of(spec):
            one = maps.get(reference.name) if reference.kind == "ConfigMap" else None
            for key, value in (one.data or {}).items() if one else ():
                if reference.key in ("", key):
                    places |= hosts_in(value)
    places |= hosts_in(_logged(case))
    return tuple(s for s in case.surroundings.services if _is_meant(s, places))


def _is_meant(service: Service, hosts: frozenset[str]) -> bool:
    meta = service.metadata
    full = f"{meta.name}.{meta.namespace}"
    return bool(
        {meta.name, full, f"{full}.svc", f"{full}.svc.cluster.local", service.spec.cluster_ip}
        & (hosts - {"", "none"})
    )


def _behind(case: Case, service: Service) -> Iterator[Thing]:
    """The workload that a Service would pick, and one pod of it, an unwell one first."""
    wanted = (service.spec.selector or {}).items()
    if not wanted:
        return
    for workload in case.surroundings.workloads:
        if wanted <= (workload.spec.template.metadata.labels or {}).items():
            yield _thing(reference_to(workload).kind, workload)
    picked = [
        p
        for p in case.surroundings.pods
        if wanted <= (p.metadata.labels or {}).items() and not is_gone(p)
    ]
    yield from (_thing("Pod", p) for p in sorted(picked, key=is_ready)[:1])


def _scaling(case: Case) -> Iterator[Thing]:
    """What else says how many pods there should be."""
    name = case.workload.metadata.name if case.workload else ""
    yield from (
        _thing("HorizontalPodAutoscaler", a)
        for a in case.surroundings.autoscalers
        if name and a.spec.scale_target_ref.name == name
    )


# ------------------------------------------------------------------ who is in the way


def _in_the_way(case: Case) -> Iterator[Thing]:
    """Pods that keep a homeless one from a node: by its own anti-affinity, or by a host port."""
    homeless = next((p for p in case.pods if not p.spec.node_name and not is_gone(p)), None)
    if homeless is None:
        return
    placed = [
        p for p in (*case.pods, *case.surroundings.pods) if p.spec.node_name and not is_gone(p)
    ]
    yield from (
        _thing("Pod", p) for p in [p for p in placed if blocks(p, homeless)][:MOST_OF_A_KIND]
    )


# ------------------------------------------------------------------ texts


def _messages(case: Case) -> str:
    """What events, alerts and statuses say."""
    return "\n".join(
        (
            *(e.message for e in case.events),
            *(a.message for a in case.alerts),
            *(_conditions(case)),
        )
    )


def _conditions(case: Case) -> Iterator[str]:
    for owned in (*([case.workload] if case.workload else []), *case.replica_sets):
        yield from (c.message or "" for c in owned.status.conditions or ())
    for pod in case.pods:
        for status in statuses_of(pod):
            if status.state and status.state.waiting:
                yield status.state.waiting.message


def _logged(case: Case) -> str:
    return "\n".join(line.body for line in case.lines)


def _thing(kind: str, body: KubeStruct) -> Thing:
    metadata: Metadata = body.metadata  # type: ignore[attr-defined]  # every one of ours has it
    return Thing(kind=kind, metadata=metadata, body=body)


_PARTS: tuple[Callable[[Case], Iterator[Thing]], ...] = (
    _itself,
    _configuration,
    _storage,
    _bounds,
    _webhooks,
    _rights,
    _in_the_way,
    _network,
    _scaling,
)
