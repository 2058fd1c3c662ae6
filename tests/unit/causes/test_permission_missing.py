"""Service accounts that may not, those that may by now, and those whose rights cannot be seen."""

import msgspec

from copilot.causes.permission_missing import permission_missing
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis, Verdict
from tests.builders_net import LISTED, a_binding, a_caller, a_caller_case, a_role

LINE = (
    'pods is forbidden: User "system:serviceaccount:demo:default" cannot list resource "pods" in '
    'API group "" in the namespace "demo"'
)


def looked_at(case: Case) -> Hypothesis:
    found = permission_missing(case)
    assert found is not None
    return found


def test_an_account_without_a_binding_is_supported() -> None:
    found = looked_at(a_caller_case(LINE))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "no_binding")
    assert found.title == "ServiceAccount demo/default may not list pods in namespace demo"
    assert found.subject is not None
    assert found.subject.kind == "ServiceAccount"


def test_a_role_without_the_verb_is_at_fault() -> None:
    found = looked_at(a_caller_case(LINE, roles=[a_role(verbs=["get"])], bindings=[a_binding()]))

    assert found.detail == "no_rule"
    assert found.subject is not None
    assert (found.subject.kind, found.subject.name) == ("Role", "reader")


def test_a_binding_whose_subject_lives_elsewhere_is_at_fault() -> None:
    found = looked_at(
        a_caller_case(LINE, roles=[a_role()], bindings=[a_binding(account_namespace="prod")])
    )

    assert found.detail == "wrong_subject_namespace"
    assert any("of namespace prod, but it lives in demo" in s.text for s in found.supporting)
    assert found.subject is not None
    assert found.subject.kind == "RoleBinding"


def test_a_binding_that_allows_it_by_now_refutes_it() -> None:
    found = looked_at(a_caller_case(LINE, roles=[a_role()], bindings=[a_binding()]))

    assert found.verdict is Verdict.REFUTED
    assert "RoleBinding reader allows it now" in found.against[0].text


def test_without_a_sight_of_bindings_the_api_servers_words_stand_alone() -> None:
    found = looked_at(a_caller_case(LINE, listed=LISTED - {"RoleBinding"}))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "")
    assert found.next_check == (
        "kubectl auth can-i list pods --as=system:serviceaccount:demo:default -n demo"
    )


def test_bindings_of_other_namespaces_are_not_looked_at() -> None:
    found = looked_at(a_caller_case(LINE.replace('namespace "demo"', 'namespace "prod"')))

    assert found.detail == ""


def test_refusals_of_other_accounts_are_not_this_workloads() -> None:
    caller = a_caller()
    spec = msgspec.structs.replace(caller.spec, service_account_name="mine")
    mine = msgspec.structs.replace(caller, spec=spec)

    assert permission_missing(a_caller_case(LINE, caller=mine)) is None


def test_a_plain_403_is_no_matter_of_rights_in_the_cluster() -> None:
    assert permission_missing(a_caller_case("GET https://api.example.com: 403 Forbidden")) is None


def test_a_role_that_would_do_and_that_nobody_is_bound_to_is_at_fault() -> None:
    found = looked_at(a_caller_case(LINE, roles=[a_role()]))

    assert found.detail == "role_unbound"
    assert found.subject is not None
    assert (found.subject.kind, found.subject.name) == ("Role", "reader")
    assert any("Role reader would allow it, and no binding" in s.text for s in found.supporting)
