"""Pods that a policy or a webhook refuses: back to before, else for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.remedies.templates import undone
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.proposal import Draft


def admission_denied(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Policies are not ours to loosen."""
    found = tuple(undone(case, hypothesis))
    yield from found
    if not found:
        yield "the pods must be changed to what the policy asks for, and the policy is not ours"


def admission_webhook_down(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Whether pods may be let in unasked is a question of safety, so people decide."""
    yield "the webhook's own workload must be mended, or people decide to do without it for now"
