"""A service account that is not there: back to before, or the one of nearly that name. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.templates import not_changeable, spec_of, template_of, undone
from copilot.causes.citing import object_key
from copilot.causes.nearness import nearest
from copilot.causes.references import account_of, workload_ref
from copilot.domain.action import SetServiceAccount
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.proposal import Draft


def service_account_missing(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Never `default` for want of a better one: it would run with other rights, or none."""
    spec = template_of(case)
    name = account_of(spec) if spec else ""
    yield from undone(case, hypothesis, lambda r: account_of(spec_of(r)) != name)
    if spec is None:
        yield not_changeable(case)
        return
    accounts = {a.metadata.name: a for a in case.surroundings.service_accounts}
    near = nearest(name, accounts)
    if not near or near == "default":
        yield f"service account {name} is for people to make: its rights are not known"
        return
    yield drafted(
        case,
        SetServiceAccount(target=workload_ref(case), name=near),
        title=f"Run {workload_ref(case).name} as service account {near}",
        why=(
            f"There is no account {name}; {near} is the only one that is nearly called so. It may "
            "have other rights than the one that was meant."
        ),
        hypothesis=hypothesis,
        keys=(object_key(accounts[near].metadata),),
    )
