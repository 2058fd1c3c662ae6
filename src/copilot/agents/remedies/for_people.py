"""Causes about which no action is taken: what decides is who may do what, or another workload."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.proposal import Draft


def network_policy_blocks(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    yield (
        f"what {_name(hypothesis)} lets through is a decision about security, for people to take; "
        "the runbook shows the rule that is missing"
    )


def permission_missing(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    yield (
        "what a service account may do is a decision about security, for people to take; the "
        "runbook shows the binding that is missing"
    )


def certificate_invalid(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    yield (
        "certificates and whom to trust are decisions about security, for people to take; the "
        "runbook shows how to renew one"
    )


def dependency_down(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    yield f"the cause lies in {_name(hypothesis)}: nothing here needs to change, mend that"


def _name(hypothesis: Hypothesis) -> str:
    return one_line(str(hypothesis.subject), 120) if hypothesis.subject else "another system"
