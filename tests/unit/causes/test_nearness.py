"""Names that were meant for others, and names that are like others and mean themselves."""

import pytest

from copilot.causes.nearness import nearest


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        ("app-confg", ["app-config", "other"], "app-config"),
        ("dat", ["data", "logs"], "data"),
        ("buildr", ["builder", "default"], "builder"),
        ("api", ["api-config", "web"], "api-config"),
        ("db", ["settings", "other"], ""),
        ("web-1", ["web-2", "web-3"], ""),
        ("gone", [], ""),
        ("config", ["app-config", "web"], "app-config"),
        ("order-service-config", ["user-service-config"], ""),
        ("data-db-0", ["data-db-1", "logs"], ""),
    ],
)
def test_a_near_miss_is_one_that_stands_out(name: str, names: list[str], expected: str) -> None:
    assert nearest(name, names) == expected


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("apo", "api"),
        ("pai", "api"),
        ("redis", "redis-master"),
        ("backend-srv", "backend-svc"),
        ("worker", ""),
        ("x", ""),
    ],
)
def test_the_one_nearest_name_is_meant(name: str, meant: str) -> None:
    assert nearest(name, ("api", "redis-master", "backend-svc", "frontend")) == meant


def test_two_names_that_are_as_near_are_no_answer() -> None:
    assert nearest("apx", ("api", "app")) == ""
