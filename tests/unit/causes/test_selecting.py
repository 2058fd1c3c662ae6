"""Who a Service selects, and whom one that selects nobody is meant for."""

import pytest

from copilot.causes.selecting import differences, meant_for, selects
from tests.builders_net import a_caller_case, a_peer, a_service


def test_a_service_without_a_selector_selects_nobody() -> None:
    assert not selects(a_service(selector={}), {"app": "api"})
    assert selects(a_service(), {"app": "api", "tier": "x"})


def test_the_difference_names_what_is_wanted_and_what_is_there() -> None:
    off = differences({"app": "apo", "tier": "web"}, {"app": "api"})

    assert [d.words for d in off] == [
        "app=apo, while they carry app=api",
        "tier=web, while they carry no tier",
    ]


@pytest.mark.parametrize(
    ("selector", "name", "meant"),
    [
        pytest.param({"app": "else"}, "api", "api", id="by its name"),
        pytest.param({"app": "else"}, "api-svc", "api", id="by its name with a suffix"),
        pytest.param({"app": "apo"}, "gateway", "api", id="by a near label and the port"),
        pytest.param({"app": "else"}, "gateway", None, id="the port alone is not enough"),
    ],
)
def test_a_service_is_meant_for_the_workload_that_is_most_like_it(
    selector: dict[str, str], name: str, meant: str | None
) -> None:
    service = a_service(name, selector=selector)
    case = a_caller_case(services=[service], workloads=[a_peer("api"), a_peer("db", port=5432)])

    found = meant_for(case, service)

    assert (found.metadata.name if found else None) == meant
