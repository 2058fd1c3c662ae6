"""The API server's refusals, held against bindings and roles."""

import time

import msgspec
import pytest

from copilot.causes.permissions import Forbidden, Granted, Lack, Lacking, forbidden_in, judged
from copilot.domain.surroundings import Role, RoleBinding, Subject, Surroundings
from tests.builders_net import a_binding, a_role

IN_DEMO = (
    'pods is forbidden: User "system:serviceaccount:demo:default" cannot list resource "pods" in '
    'API group "" in the namespace "demo"'
)


def asked(text: str = IN_DEMO) -> Forbidden:
    found = forbidden_in(text)
    assert found is not None
    return found


def test_a_refusal_is_read_from_the_api_servers_own_words() -> None:
    found = asked(
        'Error from server (Forbidden): deployments.apps "web" is forbidden: User '
        '"system:serviceaccount:net-lab:reader" cannot get resource "deployments" in API group '
        '"apps" in the namespace "net-lab"'
    )

    assert (found.account_namespace, found.account) == ("net-lab", "reader")
    assert found.what == "get deployments.apps"
    assert (found.namespace, found.name) == ("net-lab", "web")


def test_a_refusal_at_the_cluster_scope_names_no_namespace() -> None:
    found = asked(
        'nodes is forbidden: User "system:serviceaccount:demo:default" cannot list resource '
        '"nodes" in API group "" at the cluster scope'
    )

    assert found.namespace == ""
    assert found.where == "in the whole cluster"


@pytest.mark.parametrize(
    "text",
    [
        "403 Forbidden",
        'User "alice" cannot list resource "pods" in API group "" in the namespace "demo"',
        'forbidden: User "system:serviceaccount:demo:default" cannot get path "/metrics"',
    ],
)
def test_other_refusals_are_not_read(text: str) -> None:
    assert forbidden_in(text) is None


def test_a_refusal_inside_json_is_read() -> None:
    quoted = IN_DEMO.replace('"', '\\"')

    assert forbidden_in(f'{{"msg":"{quoted}"}}') == asked()


CLUSTER_ROLE = a_role(namespace="")
BASIC = a_role("system:basic-user", verbs=["create"], namespace="")
FOR_ALL = msgspec.structs.replace(
    a_binding("system:basic-user", role="system:basic-user", kind="ClusterRole", namespace=""),
    subjects=[Subject(kind="Group", name="system:authenticated", namespace="")],
)


@pytest.mark.parametrize(
    ("roles", "bindings", "lack"),
    [
        pytest.param([], [], Lack.NO_BINDING, id="no binding"),
        pytest.param([a_role()], [a_binding(account="other")], Lack.NO_BINDING, id="of another"),
        pytest.param([a_role(verbs=["get"])], [a_binding()], Lack.NO_RULE, id="no such verb"),
        pytest.param(
            [a_role(resources=["pods/log"])], [a_binding()], Lack.NO_RULE, id="subresource only"
        ),
        pytest.param([a_role(groups=["apps"])], [a_binding()], Lack.NO_RULE, id="other group"),
        pytest.param([a_role()], [], Lack.ROLE_UNBOUND, id="a role that nobody is bound to"),
        pytest.param([CLUSTER_ROLE], [], Lack.NO_BINDING, id="a cluster role waits for anybody"),
        pytest.param([a_role(namespace="prod")], [], Lack.NO_BINDING, id="a role of elsewhere"),
        pytest.param([BASIC], [FOR_ALL], Lack.NO_BINDING, id="only what every account has"),
        pytest.param([BASIC, a_role()], [FOR_ALL], Lack.ROLE_UNBOUND, id="the same, and a role"),
        pytest.param([], [a_binding()], Lack.NO_ROLE, id="the role is not there"),
        pytest.param(
            [a_role()],
            [a_binding(account_namespace="prod")],
            Lack.WRONG_SUBJECT_NAMESPACE,
            id="subject of another namespace",
        ),
        pytest.param(
            [a_role(namespace="prod")],
            [a_binding(namespace="prod")],
            Lack.BOUND_ELSEWHERE,
            id="bound in another namespace",
        ),
        pytest.param([a_role()], [a_binding()], None, id="allowed"),
        pytest.param([a_role(verbs=["*"])], [a_binding()], None, id="every verb"),
        pytest.param(
            [CLUSTER_ROLE], [a_binding(kind="ClusterRole")], None, id="a cluster role, bound here"
        ),
        pytest.param(
            [CLUSTER_ROLE],
            [a_binding(kind="ClusterRole", namespace="")],
            None,
            id="a cluster role, bound everywhere",
        ),
    ],
)
def test_bindings_tell_what_is_missing(
    roles: list[Role], bindings: list[RoleBinding], lack: Lack | None
) -> None:
    answer = judged(Surroundings(roles=tuple(roles), role_bindings=tuple(bindings)), asked())

    if lack is None:
        assert isinstance(answer, Granted)
    else:
        assert isinstance(answer, Lacking)
        assert answer.lack is lack


def test_a_rule_for_named_objects_allows_those_only() -> None:
    role = a_role(verbs=["get"], resources=["configmaps"])
    rule = role.rules[0] if role.rules else None
    assert rule is not None
    named = Role(
        metadata=role.metadata,
        rules=[
            type(rule)(
                verbs=rule.verbs,
                api_groups=rule.api_groups,
                resources=rule.resources,
                resource_names=["a"],
            )
        ],
    )
    text = (
        'configmaps "{}" is forbidden: User "system:serviceaccount:demo:default" cannot get '
        'resource "configmaps" in API group "" in the namespace "demo"'
    )
    around = Surroundings(roles=(named,), role_bindings=(a_binding(),))

    assert isinstance(judged(around, asked(text.format("a"))), Granted)
    assert isinstance(judged(around, asked(text.format("b"))), Lacking)


def test_hostile_text_is_read_in_bounded_time() -> None:
    began = time.perf_counter()

    forbidden_in('User "system:serviceaccount:' * 20_000)
    forbidden_in('a "' * 100_000)

    assert time.perf_counter() - began < 1
