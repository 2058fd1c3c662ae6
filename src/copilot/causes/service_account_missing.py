"""The service account that the pods should run as does not exist."""

from __future__ import annotations

import re

from copilot.causes.changed import changed, rolled_out
from copilot.causes.citing import concluded, object_key, said
from copilot.causes.nearness import nearest
from copilot.causes.references import workload_ref
from copilot.causes.refusals import refused_creations
from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict

SAID = 0.95
SHOWN = 0.98
THERE_SINCE = 0.1
_MISSING = re.compile(
    r'error looking up service account \S+?/([^:\s]+)|serviceaccounts? "([^"]+)" not found'
)


def service_account_missing(case: Case) -> Hypothesis | None:
    """Supported by the refusal's own words, surer where the accounts were listed without it;
    undecided where it is there by now."""
    for refusal in refused_creations(case):
        found = _MISSING.search(refusal.text)
        if not found:
            continue
        name = found[1] or found[2]
        there = next(
            (a for a in case.surroundings.service_accounts if a.metadata.name == name), None
        )
        shown = _not_listed(case, name, refusal.keys) if there is None else ()
        return concluded(
            Cause.SERVICE_ACCOUNT_MISSING,
            title=f"Service account {one_line(name, 80)} does not exist",
            verdict=Verdict.INCONCLUSIVE if there else Verdict.SUPPORTED,
            confidence=THERE_SINCE if there else SHOWN if shown else SAID,
            supporting=(
                *said(case, f"It was refused: {one_line(refusal.text, 300)}.", *refusal.keys),
                *shown,
                *changed(case, "ServiceAccount", name),
                *rolled_out(case),
            ),
            against=said(
                case, f"Service account {name} is there by now.", object_key(there.metadata)
            )
            if there
            else (),
            next_check="See whether the controller gets its pods now." if there else "",
            subject=workload_ref(case),
            detail="",
        )
    return None


def _not_listed(case: Case, name: str, keys: tuple[str, ...]) -> tuple[Statement, ...]:
    around = case.surroundings
    if "ServiceAccount" not in around.listed:
        return ()
    names = sorted(a.metadata.name for a in around.service_accounts)
    near = nearest(name, names)
    meant = f"; {near} may be meant" if near else ""
    return said(
        case,
        f"The namespace has the accounts {', '.join(names[:5]) or 'none'}{meant}.",
        *(object_key(a.metadata) for a in around.service_accounts if a.metadata.name == near),
        *keys,
    )
