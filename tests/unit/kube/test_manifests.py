"""The printed manifests give exactly what the table says, to exactly one account each."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from copilot.domain.errors import Invalid
from copilot.kube.manifests import (
    base_manifest,
    how_to_allow,
    kubelet_manifest,
    remediation_manifest,
    secret_named,
    secrets_manifest,
)
from copilot.kube.rights import ANSWERS, HAS_TOKEN, Account, Grant, rights_of

REMEDIATOR = "system:serviceaccount:incident-copilot:agent-remediator"
WATCHER = "system:serviceaccount:incident-copilot:watcher"
Obj = dict[str, Any]


def documents(text: str) -> list[Obj]:
    return list(yaml.safe_load_all(text))


def of_kind(text: str, kind: str) -> list[Obj]:
    return [one for one in documents(text) if one["kind"] == kind]


def given(role: Obj) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def in_table(account: Account, grant: Grant) -> set[tuple[str, str, str]]:
    return {
        (r.group, r.resource, verb)
        for r in rights_of(account)
        if r.grant is grant
        for verb in r.verbs
    }


def test_the_base_has_an_account_a_role_and_gives_nothing_to_write() -> None:
    base = base_manifest()

    accounts = {one["metadata"]["name"] for one in of_kind(base, "ServiceAccount")}
    rules = {rule for role in of_kind(base, "ClusterRole") for rule in given(role)}
    assert accounts == set(Account)
    # A review is created to ask a question; the cluster keeps nothing of it.
    review = ("authentication.k8s.io", "tokenreviews", "create")
    assert {verb for *_, verb in rules - {review}} == {"get", "list", "watch"}
    assert not of_kind(base, "Role")


@pytest.mark.parametrize("account", [Account.WATCHER, *sorted(ANSWERS)])
def test_a_cluster_role_gives_what_the_table_says(account: Account) -> None:
    (role,) = [
        one
        for one in of_kind(base_manifest(), "ClusterRole")
        if one["metadata"]["name"] == f"incident-copilot-{account}"
    ]

    assert given(role) == in_table(account, Grant.BASE)


def test_a_token_is_mounted_only_for_who_has_something_to_ask_the_cluster() -> None:
    mounted = {
        one["metadata"]["name"]
        for one in of_kind(base_manifest(), "ServiceAccount")
        if one["automountServiceAccountToken"]
    }

    assert mounted == HAS_TOKEN == set(Account) - {Account.INGESTION}


def test_writing_is_a_role_in_each_namespace_and_nothing_for_the_cluster() -> None:
    printed = remediation_manifest(["shop", "on", "shop"])

    assert [one["kind"] for one in documents(printed)] == ["Role", "RoleBinding"] * 2
    assert [one["metadata"]["namespace"] for one in of_kind(printed, "Role")] == ["shop", "on"]
    for role in of_kind(printed, "Role"):
        assert given(role) == in_table(Account.REMEDIATOR, Grant.NAMESPACE)
    for binding in of_kind(printed, "RoleBinding"):
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "agent-remediator", "namespace": "incident-copilot"}
        ]


def test_nodes_are_given_only_where_they_are_asked_for() -> None:
    (role,) = of_kind(remediation_manifest([], nodes=True), "ClusterRole")

    assert given(role) == {("", "nodes", "patch")}


def test_the_kubelets_are_given_apart() -> None:
    (role,) = of_kind(kubelet_manifest(), "ClusterRole")

    assert given(role) == {("", "nodes/proxy", "get")}


def test_secrets_are_given_by_name() -> None:
    named = [secret_named("payments/db"), secret_named("payments/api"), secret_named("shop/db")]
    printed = secrets_manifest(named)

    rules = {
        one["metadata"]["namespace"]: (rule["resourceNames"], rule["verbs"])
        for one in of_kind(printed, "Role")
        for rule in one["rules"]
    }
    assert rules == {
        "payments": (["api", "db"], ["list", "watch"]),
        "shop": (["db"], ["list", "watch"]),
    }
    assert not of_kind(printed, "ClusterRole")


@pytest.mark.parametrize("name", ["", "a/b", "Shop", "x\nkind: ClusterRole", "-", "a" * 64, '"'])
def test_what_is_no_namespace_is_not_printed(name: str) -> None:
    with pytest.raises(Invalid, match="not the name of a namespace"):
        remediation_manifest([name])
    with pytest.raises(Invalid):
        base_manifest(name)


@pytest.mark.parametrize("name", ["", "db", "payments/", "/db", "a/b/c", 'p/"', "p/d\ne", "p/*"])
def test_what_names_no_secret_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="names no Secret"):
        secret_named(name)


def test_an_action_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(Invalid, match="no action of ours: reboot; there are set_memory"):
        remediation_manifest(["shop"], actions=["reboot"])


@pytest.mark.parametrize(
    ("user", "verb", "resource", "namespace", "command"),
    [
        pytest.param(
            REMEDIATOR, "patch", "deployments", "shop", "rbac --namespace shop", id="namespace"
        ),
        pytest.param(REMEDIATOR, "patch", "nodes", "", "rbac --nodes", id="nodes"),
        pytest.param(REMEDIATOR, "get", "deployments", "shop", "rbac", id="base"),
        pytest.param(WATCHER, "get", "nodes/proxy", "", "rbac --kubelet-usage", id="kubelet"),
        pytest.param(
            WATCHER, "list", "secrets", "payments", "rbac --secret payments/NAME", id="secret"
        ),
        pytest.param(
            REMEDIATOR.replace("incident-copilot", "ops"),
            "patch",
            "services",
            "shop",
            "rbac --namespace shop --installed-in ops",
            id="installed-elsewhere",
        ),
    ],
)
def test_a_missing_right_has_the_command_that_gives_it(
    user: str, verb: str, resource: str, namespace: str, command: str
) -> None:
    expected = f"incident-copilot {command} | kubectl apply -f -"

    assert how_to_allow(user, verb, resource, namespace) == expected


@pytest.mark.parametrize(
    ("user", "verb", "resource", "namespace"),
    [
        pytest.param("ada", "patch", "deployments", "shop", id="a-person"),
        pytest.param(WATCHER, "patch", "deployments", "shop", id="not-its-business"),
        pytest.param(REMEDIATOR, "get", "secrets", "shop", id="nobodys-business"),
        pytest.param(REMEDIATOR, "patch", "deployments", "x;rm", id="no-namespace"),
        pytest.param(f"{REMEDIATOR}:x", "patch", "deployments", "shop", id="no-account"),
        pytest.param("system:serviceaccount:a;b:watcher", "list", "pods", "", id="hostile"),
    ],
)
def test_there_is_no_command_for_what_nobody_should_be_given(
    user: str, verb: str, resource: str, namespace: str
) -> None:
    assert how_to_allow(user, verb, resource, namespace) == ""
