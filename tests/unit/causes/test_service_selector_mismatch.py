"""Services that select nobody or the wrong ones, and those whose selector is right."""

from dataclasses import replace

import msgspec
import pytest

from copilot.agents.evidence import with_evidence
from copilot.causes import explain
from copilot.causes.selecting import service_ref
from copilot.causes.service_selector_mismatch import service_selector_mismatch
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict
from tests.builders_net import (
    LISTED,
    a_caller_case,
    a_change_of,
    a_peer,
    a_peer_pod,
    a_service,
    no_endpoints,
    refused,
)


def looked_at(case: Case) -> Hypothesis:
    found = service_selector_mismatch(case)
    assert found is not None
    return found


def test_a_service_that_selects_nobody_is_laid_on_the_difference_to_whom_it_is_meant_for() -> None:
    api = a_peer()

    found = looked_at(
        a_caller_case(
            refused("api"),
            services=[a_service(selector={"app": "apo"})],
            workloads=[api],
            pods=[a_peer_pod(api)],
        )
    )

    assert found.verdict is Verdict.SUPPORTED
    assert found.subject is not None
    assert (found.subject.kind, found.subject.name) == ("Service", "api")
    assert any("app=apo, while they carry app=api" in s.text for s in found.supporting)
    assert any("connection refused" in s.text for s in found.supporting)


def test_an_alert_about_the_service_is_enough_without_a_caller() -> None:
    found = looked_at(
        a_caller_case(
            services=[a_service(selector={"app": "apo"})],
            workloads=[a_peer()],
            alerts=[no_endpoints()],
        )
    )

    assert found.verdict is Verdict.SUPPORTED
    assert any("No ready pod stands behind" in s.text for s in found.supporting)


def test_pods_that_were_not_listed_whole_may_carry_what_it_selects() -> None:
    case = a_caller_case(
        refused("api"),
        services=[a_service(selector={"app": "apo"})],
        workloads=[a_peer()],
        listed=LISTED - {"Pod"},
    )

    assert service_selector_mismatch(case) is None


def test_who_changed_the_selector_makes_it_surer() -> None:
    service, api = a_service(selector={"app": "apo"}), a_peer()
    change = a_change_of("Service", "api", "spec.selector.app", "api", "apo")

    plain = looked_at(a_caller_case(refused("api"), services=[service], workloads=[api]))
    changed = looked_at(
        a_caller_case(refused("api"), services=[service], workloads=[api], changes=[change])
    )

    assert changed.confidence > plain.confidence
    assert any("by kubectl-edit" in s.text for s in changed.supporting)


def test_nobody_complains_so_nothing_is_said() -> None:
    case = a_caller_case(services=[a_service(selector={"app": "apo"})], workloads=[a_peer()])

    assert service_selector_mismatch(case) is None


def test_a_selector_that_picks_pods_refutes_it_even_where_they_are_not_ready() -> None:
    api = a_peer()

    found = looked_at(
        a_caller_case(
            refused("api"),
            services=[a_service()],
            workloads=[api],
            pods=[a_peer_pod(api, ready=False)],
        )
    )

    assert found.verdict is Verdict.REFUTED
    assert "selects 1 pods, 0 of them ready" in found.against[0].text


def test_a_workload_at_rest_is_selected_all_the_same() -> None:
    case = a_caller_case(refused("api"), services=[a_service()], workloads=[a_peer(replicas=0)])

    assert service_selector_mismatch(case) is None


def test_without_anybody_it_may_be_meant_for_it_stays_undecided() -> None:
    found = looked_at(
        a_caller_case(
            refused("gateway"),
            services=[a_service("gateway", selector={"app": "else"}, target=9)],
            workloads=[a_peer("db", port=5432)],
        )
    )

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.next_check


def test_pods_that_were_not_listed_are_not_missing() -> None:
    case = a_caller_case(
        refused("gateway"),
        services=[a_service("gateway", selector={"app": "else"}, target=9)],
        listed=frozenset({"Service"}),
    )

    assert service_selector_mismatch(case) is None


@pytest.mark.parametrize("kind", ["ExternalName", "ClusterIP"])
def test_services_without_a_selector_are_made_by_hand(kind: str) -> None:
    case = a_caller_case(
        refused("api"), services=[a_service(selector={}, kind=kind)], workloads=[a_peer()]
    )

    assert service_selector_mismatch(case) is None


def test_a_service_that_picks_another_workload_than_its_own_is_supported() -> None:
    api, db = a_peer(), a_peer("db", port=5432)

    found = looked_at(
        a_caller_case(
            refused("api"),
            services=[a_service(selector={"app": "db"})],
            workloads=[api, db],
            pods=[a_peer_pod(api), a_peer_pod(db)],
        )
    )

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "wrong_pods")
    assert found.title == "Service api selects the pods of db"


def test_a_selector_that_is_too_wide_is_supported() -> None:
    api = a_peer(labels={"app": "api", "team": "shop"})
    db = a_peer("db", port=5432, labels={"app": "db", "team": "shop"})

    found = looked_at(
        a_caller_case(
            refused("api"),
            services=[a_service(selector={"team": "shop"})],
            workloads=[api, db],
            pods=[a_peer_pod(api), a_peer_pod(db)],
        )
    )

    assert found.title == "Service api also selects the pods of db"


def test_it_explains_that_the_dependency_looks_down() -> None:
    api = a_peer()
    case = a_caller_case(
        refused("api"),
        services=[a_service(selector={"app": "apo"})],
        workloads=[api],
        pods=[a_peer_pod(api)],
    )

    assert explain(case)[0].cause is Cause.SERVICE_SELECTOR_MISMATCH


def test_an_incident_about_the_service_itself_rests_on_the_service_and_its_workload() -> None:
    service, api = a_service(selector={"app": "apo"}), a_peer()
    case = a_caller_case(services=[service], workloads=[api], alerts=[no_endpoints()])
    own = replace(case.incident, workload=service_ref(service), app="api")
    case = msgspec.structs.replace(case, incident=own, workload=api, pods=(a_peer_pod(api),))

    found = looked_at(with_evidence(case))

    assert found.verdict is Verdict.SUPPORTED
    assert found.subject == service_ref(service)
    assert len(found.supporting) >= 3
