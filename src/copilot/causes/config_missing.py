"""A ConfigMap or a key of one is not there, and a container that needs it cannot start."""

from __future__ import annotations

import re
from dataclasses import dataclass

from copilot.causes.changed import changed, rolled_out
from copilot.causes.citing import concluded, object_key, said
from copilot.causes.nearness import nearest
from copilot.causes.references import Reference, references_of, workload_ref
from copilot.causes.refusals import Refusal, refused_starts
from copilot.causes.rollouts import Part
from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import Pod
from copilot.domain.surroundings import ConfigMap

SAID_BY_THE_KUBELET = 0.95
SHOWN_BY_THE_LIST = 0.98
THERE_SINCE = 0.05
MOST_NAMES = 5
_NO_OBJECT = re.compile(r'\b(configmap|secret)s? "([^"]+)" not found', re.IGNORECASE)
_NO_KEY = re.compile(r"[Cc]ouldn't find key (\S+) in (ConfigMap|Secret) [^/\s]*/?(\S+)")
_NO_ITEM = re.compile(
    r'volume "([^"]+)" : (configmap|secret) references non-existent (?:config|secret) key: (\S+)',
    re.IGNORECASE,
)
_KINDS = {"configmap": "ConfigMap", "secret": "Secret"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """What the kubelet looks for in vain, and the place of the spec that names it."""

    refusal: Refusal
    pod: Pod
    reference: Reference

    @property
    def is_key(self) -> bool:
        return bool(self.reference.key) and "key" in self.refusal.text


def config_missing(case: Case) -> Hypothesis | None:
    """Supported by the kubelet's own words, surer where the namespace was listed without it.

    Refuted where it is there by now: the kubelet looks again by itself.
    """
    found = absence(case, "ConfigMap")
    if found is None:
        return None
    reference = found.reference
    maps = {m.metadata.name: m for m in case.surroundings.config_maps}
    there = maps.get(reference.name)
    if there is not None and (not found.is_key or reference.key in there.keys):
        return _there_since(case, found, there)
    shown = _not_listed(case, found, there)
    return concluded(
        Cause.CONFIG_MISSING,
        title=title_of(found),
        verdict=Verdict.SUPPORTED,
        confidence=SHOWN_BY_THE_LIST if shown else SAID_BY_THE_KUBELET,
        supporting=(
            *told(case, found),
            *shown,
            *changed(case, "ConfigMap", reference.name),
            *rolled_out(case, lambda r: not r.config_map and Part.CODE in r.parts),
        ),
        subject=workload_ref(case),
        detail="key_missing" if found.is_key else "object_missing",
    )


def absence(case: Case, kind: str) -> Absence | None:
    """The first refusal that is about a missing object of this kind, with the reference to it."""
    for refusal in refused_starts(case):
        named = _named(refusal)
        if named is None or named[0] != kind or refusal.pod is None:
            continue
        for reference in references_of(refusal.pod.spec):
            if _is_meant(reference, named, refusal):
                return Absence(refusal=refusal, pod=refusal.pod, reference=reference)
    return None


def _named(refusal: Refusal) -> tuple[str, str, str, str] | None:
    """Kind, name, key and volume, empty where the message does not say."""
    if found := _NO_ITEM.search(refusal.text):
        return _KINDS[found[2].lower()], "", found[3], found[1]
    if found := _NO_OBJECT.search(refusal.text):
        return _KINDS[found[1].lower()], found[2], "", ""
    if found := _NO_KEY.search(refusal.text):
        return found[2], found[3], found[1], ""
    return None


def _is_meant(reference: Reference, named: tuple[str, str, str, str], refusal: Refusal) -> bool:
    kind, name, key, volume = named
    return (
        reference.kind == kind
        and name in ("", reference.name)
        and (not key or reference.key == key)
        and volume in ("", reference.volume)
        and refusal.container in ("", reference.container)
    )


def title_of(found: Absence) -> str:
    """`ConfigMap settings does not exist`, or which key of it."""
    reference = found.reference
    what = f"{reference.kind} {one_line(reference.name, 80)}"
    if found.is_key:
        return f"{what} has no key {one_line(reference.key, 60)}"
    return f"{what} does not exist"


def told(case: Case, found: Absence) -> tuple[Statement, ...]:
    """What the kubelet says, and the place of the spec it speaks of."""
    refusal, reference = found.refusal, found.reference
    key = f"key {one_line(reference.key, 60)} of " if reference.key else ""
    words = one_line(refusal.text.removeprefix("Error: "), 200)
    return (
        *said(case, f"{refusal.who} cannot start: {words}.", *refusal.keys),
        *said(
            case,
            f"Its spec takes {one_line(reference.where, 80)} from {key}{reference.kind} "
            f"{one_line(reference.name, 80)}.",
            object_key(found.pod.metadata),
        ),
    )


def _not_listed(case: Case, found: Absence, there: ConfigMap | None) -> tuple[Statement, ...]:
    """What the namespace has instead; nothing where its ConfigMaps were not listed whole."""
    reference, around = found.reference, case.surroundings
    if there is not None:
        keys = sorted(there.keys)
        near = nearest(reference.key, keys)
        others = f"it has {_some(keys)}" if keys else "it is empty"
        meant = f"; {one_line(near, 60)} may be meant" if near else ""
        return said(
            case,
            f"ConfigMap {there.metadata.name} has no such key: {others}{meant}.",
            object_key(there.metadata),
        )
    if "ConfigMap" not in around.listed:
        return ()
    names = sorted(m.metadata.name for m in around.config_maps)
    near = nearest(reference.name, names)
    others = f"it has {_some(names)}" if names else "it has none at all"
    meant = f"; {near} may be meant" if near else ""
    return said(
        case,
        f"The namespace has no such ConfigMap: {others}{meant}.",
        *(object_key(m.metadata) for m in around.config_maps if m.metadata.name == near),
        *found.refusal.keys,
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return one_line(", ".join(names[:MOST_NAMES])) + more


def _there_since(case: Case, found: Absence, there: ConfigMap) -> Hypothesis | None:
    key = f" with the key {found.reference.key}" if found.is_key else ""
    return concluded(
        Cause.CONFIG_MISSING,
        title=title_of(found),
        verdict=Verdict.REFUTED,
        confidence=THERE_SINCE,
        against=said(
            case,
            f"ConfigMap {there.metadata.name}{key} is there now; the kubelet tries again by itself.",
            object_key(there.metadata),
        ),
        subject=workload_ref(case),
    )
