"""A policy refuses the pods: Pod Security, a policy in the API server, or a webhook that denies."""

from __future__ import annotations

import re

from copilot.causes.changed import changed, rolled_out
from copilot.causes.citing import concluded, object_key, said
from copilot.causes.references import workload_ref
from copilot.causes.refusals import Refusal, refused_creations
from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict

SAID = 0.95
_WAYS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("pod_security", re.compile(r'violates PodSecurity "([^"]+)"')),
    ("policy", re.compile(r"ValidatingAdmissionPolicy '([^']+)'")),
    ("webhook", re.compile(r'admission webhook "([^"]+)" denied the request')),
)
_TITLES = {
    "pod_security": "Pod Security level {} does not allow the pods",
    "policy": "Policy {} does not allow the pods",
    "webhook": "Webhook {} does not allow the pods",
}


def admission_denied(case: Case) -> Hypothesis | None:
    """Supported by the refusal's own words: what is denied has been judged, so it is the spec that
    must change, or the policy."""
    found = denial_of(case)
    if found is None:
        return None
    refusal, way, name = found
    configurations = [
        c
        for c in case.surroundings.webhooks
        if way == "webhook" and any(w.name == name for w in c.webhooks or ())
    ]
    return concluded(
        Cause.ADMISSION_DENIED,
        title=_TITLES[way].format(one_line(name, 80)),
        verdict=Verdict.SUPPORTED,
        confidence=SAID,
        supporting=(
            *said(
                case,
                f"It was refused: {one_line(refusal.text, 400)}.",
                *refusal.keys,
                *(object_key(c.metadata) for c in configurations),
            ),
            *changed(case, "Namespace", case.incident.namespace),
            *(s for c in configurations for s in changed(case, c.kind, c.metadata.name)),
            *rolled_out(case),
        ),
        subject=workload_ref(case),
        detail=way,
    )


def denial_of(case: Case) -> tuple[Refusal, str, str] | None:
    """The newest denial, which way it is, and who denied."""
    for refusal in refused_creations(case):
        for way, sign in _WAYS:
            if found := sign.search(refusal.text):
                return refusal, way, found[1]
    return None
