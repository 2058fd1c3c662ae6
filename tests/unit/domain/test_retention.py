"""How long a tier is kept, as people write it."""

from __future__ import annotations

import pytest

from copilot.domain.errors import Invalid
from copilot.domain.retention import DAY_US, HOUR_US, Keep, Tier, parse_keep
from copilot.settings import Settings
from copilot.wiring import retention_of


@pytest.mark.parametrize(
    ("tier", "text", "age_us", "size"),
    [
        pytest.param(Tier.LINES, "14d 20GiB", 14 * DAY_US, 20 << 30, id="age and bytes"),
        pytest.param(Tier.LINES, "1.5TiB", None, 3 << 39, id="bytes alone"),
        pytest.param(Tier.EVENTS, "48h", 48 * HOUR_US, None, id="hours alone"),
        pytest.param(Tier.EVENTS, "5M 30d", 30 * DAY_US, 5_000_000, id="in any order"),
        pytest.param(Tier.FEED, "800", None, 800, id="rows"),
        pytest.param(Tier.LINES, "forever", None, None, id="all of it"),
    ],
)
def test_an_age_and_a_size_are_read(
    tier: Tier, text: str, age_us: int | None, size: int | None
) -> None:
    assert parse_keep(tier, text) == Keep(age_us=age_us, size=size)


@pytest.mark.parametrize(
    ("tier", "text"),
    [
        pytest.param(Tier.LINES, "", id="nothing"),
        pytest.param(Tier.LINES, "0d", id="no time at all"),
        pytest.param(Tier.LINES, "14", id="lines are no rows"),
        pytest.param(Tier.EVENTS, "20GiB", id="rows are no bytes"),
        pytest.param(Tier.EVENTS, "14d 7d", id="two ages"),
        pytest.param(Tier.EVENTS, "14m", id="minutes or months"),
        pytest.param(Tier.EVENTS, "-3d", id="negative"),
        pytest.param(Tier.EVENTS, "14d forever", id="both"),
    ],
)
def test_what_makes_no_sense_is_refused_with_an_example(tier: Tier, text: str) -> None:
    with pytest.raises(Invalid, match=f"COPILOT_RETENTION_{tier.upper()} .* write it like"):
        parse_keep(tier, text)


def test_every_tier_has_a_bound_by_default() -> None:
    policy = retention_of(Settings())

    assert set(policy) == set(Tier)
    assert all(keep.age_us for keep in policy.values())
