"""How often somebody may guess."""

from __future__ import annotations

import pytest

from copilot.domain.errors import Busy
from copilot.roles.limits import Allowance, Guesses
from tests.fakes import FixedClock


def is_busy(guesses: Guesses, address: str) -> bool:
    try:
        guesses.check(address)
    except Busy:
        return True
    return False


@pytest.mark.parametrize(
    ("guesser", "other", "are_one"),
    [
        pytest.param("10.0.0.1", "10.0.0.2", False, id="two addresses"),
        pytest.param("2001:db8::1", "2001:db8::2", True, id="one customer's network"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", False, id="two customers' networks"),
        pytest.param("::ffff:10.0.0.1", "10.0.0.1", True, id="one address, told in two ways"),
        pytest.param("::ffff:10.0.0.1", "::ffff:10.0.0.2", False, id="two addresses told as IPv6"),
        pytest.param("", "10.0.0.1", False, id="no address"),
    ],
)
def test_one_who_guesses_keeps_out_only_themselves(guesser: str, other: str, are_one: bool) -> None:
    each, everybody = Allowance(burst=2, every_s=10), Allowance(burst=100, every_s=10)
    guesses = Guesses(FixedClock(), each=each, all_together=everybody)

    for _ in range(2):
        guesses.failed(guesser)

    assert is_busy(guesses, guesser)
    assert is_busy(guesses, other) is are_one
