"""What an operator is told of the store's database: what it is, what is used of it, what we do
ourselves instead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copilot.ports import Capabilities
from copilot.roles.database_view import database_view
from copilot.roles.views import Ability

TIDB = Capabilities(
    kind="TiDB",
    version="8.0.11-TiDB-v8.5.7",
    vector_type=True,
    vector_index=True,
    full_text=True,
    partitions=True,
    auto_random=True,
)
POOR_TIDB = replace(
    TIDB,
    vector_type=False,
    vector_index=False,
    full_text=False,
    partitions=False,
    auto_random=False,
)
MARIADB = replace(POOR_TIDB, kind="MariaDB", version="10.11.6-MariaDB-0+deb12u1", partitions=True)
MYSQL = replace(MARIADB, kind="MySQL", version="8.0.36")
SQLITE = replace(POOR_TIDB, kind="SQLite", version="3.40.1", full_text=True)


@pytest.mark.parametrize(
    ("able", "told"),
    [
        (TIDB, "TiDB 8.5.7"),
        (replace(TIDB, version="8.0.11-TiDB-v7.5.2-serverless"), "TiDB 7.5.2-serverless"),
        (MARIADB, "MariaDB 10.11.6"),
        (MYSQL, "MySQL 8.0.36"),
        (SQLITE, "SQLite 3.40.1"),
        (replace(MYSQL, version="unheard of"), "MySQL unheard of"),
    ],
)
def test_product_and_version_are_told_as_their_makers_call_them(
    able: Capabilities, told: str
) -> None:
    view = database_view(able)

    assert f"{view.product} {view.version}" == told


@pytest.mark.parametrize(
    ("able", "states"),
    [
        pytest.param(TIDB, "used used unused used used", id="a TiDB that can do everything"),
        pytest.param(POOR_TIDB, "missing missing missing missing missing", id="one that cannot"),
        pytest.param(MARIADB, "missing missing unused used unneeded", id="MariaDB"),
        pytest.param(MYSQL, "missing missing unused used unneeded", id="MySQL"),
        pytest.param(SQLITE, "missing missing used missing unneeded", id="SQLite"),
    ],
)
def test_each_ability_says_whether_it_is_used(able: Capabilities, states: str) -> None:
    assert " ".join(one.state for one in database_view(able).abilities) == states


@pytest.mark.parametrize("able", [TIDB, POOR_TIDB, MARIADB, MYSQL, SQLITE], ids=lambda a: a.kind)
def test_what_is_not_used_says_what_stands_in(able: Capabilities) -> None:
    for one in database_view(able).abilities:
        assert one.about.endswith("."), one.name
        assert (one.state is Ability.MISSING) <= ("instead" in one.about), one


def test_without_an_index_vectors_are_compared_where_they_can_be() -> None:
    index = {
        has: database_view(replace(TIDB, vector_type=has, vector_index=False)).abilities[1].about
        for has in (True, False)
    }

    assert "in the database" in index[True]
    assert "in the co-pilot" in index[False]
