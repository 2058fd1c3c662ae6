"""A run of a leg is counted once, by how it ended."""

from __future__ import annotations

import asyncio

import pytest

from copilot.domain.errors import Unavailable
from copilot.roles.figures import Figures


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unavailable("away"), "failed"),
        (ExceptionGroup("tasks", [Unavailable("away")]), "failed"),
        (KeyError("a bug"), "bug"),
        (asyncio.CancelledError(), "lost"),
    ],
)
def test_a_leg_that_does_not_end_well_is_counted_by_what_ended_it(
    error: BaseException, outcome: str
) -> None:
    figures = Figures()

    with pytest.raises(type(error)), figures.leg("investigate"):
        raise error

    assert figures.legs.count("investigate", outcome) == 1
    assert figures.legs.count("investigate", "ok") == 0


def test_a_leg_that_ends_well_is_counted_with_how_long_it_took() -> None:
    moments = iter((10.0, 12.5))
    figures = Figures(clock=lambda: next(moments))

    with figures.leg("investigate"):
        pass

    assert 'copilot_leg_duration_seconds_sum{leg="investigate",outcome="ok"} 2.5' in figures.text()
