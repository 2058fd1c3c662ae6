"""The table of rights as manifests to apply and as documentation to read. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from copilot.domain.errors import Invalid
from copilot.domain.objects import ObjectRef
from copilot.kube.rights import (
    ACTIONS,
    HAS_TOKEN,
    Account,
    Grant,
    Right,
    remediator_writes,
    rights_of,
)

INSTALLED_IN = "incident-copilot"
"""The namespace that the manifests put everything into."""
OPT_IN_LABEL = "incident-copilot.io/remediation"
OPTED_IN = "enabled"
"""A namespace with this label is one that `incident-copilot rbac --opted-in` prints Roles for."""

_API = "rbac.authorization.k8s.io"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def base_manifest(installed_in: str = INSTALLED_IN) -> str:
    """The service accounts, and what they may read in the whole cluster."""
    home = _namespace(installed_in)
    documents = [_service_account(account, home) for account in Account]
    for account in Account:
        rights = [r for r in rights_of(account) if r.grant is Grant.BASE]
        documents += _for_cluster(account, rights, home, suffix="") if rights else []
    return _joined(documents)


def kubelet_manifest(installed_in: str = INSTALLED_IN) -> str:
    """What the watcher needs to ask the kubelets for the use of memory and CPU."""
    rights = _granted(Account.WATCHER, Grant.KUBELET_USAGE)
    home = _namespace(installed_in)
    return _joined(_for_cluster(Account.WATCHER, rights, home, suffix="-kubelet-usage"))


def remediation_manifest(
    namespaces: Sequence[str],
    *,
    nodes: bool = False,
    actions: Collection[str] = (),
    installed_in: str = INSTALLED_IN,
) -> str:
    """What agent-remediator needs to write in these namespaces, and on nodes where asked for.

    Raises:
        Invalid: a namespace or an action is none.
    """
    if unknown := sorted(set(actions) - ACTIONS.keys()):
        raise Invalid(f"no action of ours: {', '.join(unknown)}; there are {', '.join(ACTIONS)}")
    home, writes = _namespace(installed_in), remediator_writes(actions)
    documents: list[str] = []
    for namespace in dict.fromkeys(map(_namespace, namespaces)):
        rights = [r for r in writes if r.grant is Grant.NAMESPACE]
        documents += _in_namespace(Account.REMEDIATOR, rights, namespace, home, suffix="")
    if nodes:
        rights = [r for r in writes if r.grant is Grant.NODES]
        documents += _for_cluster(Account.REMEDIATOR, rights, home, suffix="-nodes")
    return _joined(documents)


def secrets_manifest(secrets: Sequence[ObjectRef], *, installed_in: str = INSTALLED_IN) -> str:
    """What the watcher needs to see that one of these Secrets was changed."""
    home, rights = _namespace(installed_in), _granted(Account.WATCHER, Grant.SECRET)
    names: dict[str, list[str]] = {}
    for ref in secrets:
        names.setdefault(ref.namespace, []).append(ref.name)
    documents: list[str] = []
    for namespace, named in names.items():
        documents += _in_namespace(
            Account.WATCHER, rights, namespace, home, suffix="-secrets", only=sorted(set(named))
        )
    return _joined(documents)


def secret_named(text: str) -> ObjectRef:
    """The Secret that `namespace/name` means.

    Raises:
        Invalid: it is no such name.
    """
    namespace, slash, name = text.strip().partition("/")
    if not slash or not _LABEL.fullmatch(namespace) or not _NAME.fullmatch(name):
        raise Invalid(f"{text[:100]!r} names no Secret: write namespace/name")
    return ObjectRef(kind="Secret", namespace=namespace, name=name)


def how_to_allow(user: str, verb: str, resource: str, namespace: str) -> str:
    """The command that would give this account the right, empty where there is none: it is no
    account of ours, or has no business there."""
    account, home = _account(user)
    if account is None:
        return ""
    wanted = [r for r in rights_of(account) if r.resource == resource and verb in r.verbs]
    where = "" if home == INSTALLED_IN else f" --installed-in {home}"
    for right in wanted:
        match right.grant:
            case Grant.BASE:
                return f"incident-copilot rbac{where} | kubectl apply -f -"
            case Grant.NAMESPACE if _LABEL.fullmatch(namespace):
                asked = f"--namespace {namespace}"
            case Grant.NODES:
                asked = "--nodes"
            case Grant.KUBELET_USAGE:
                asked = "--kubelet-usage"
            case Grant.SECRET if _LABEL.fullmatch(namespace):
                asked = f"--secret {namespace}/NAME"
            case _:
                continue
        return f"incident-copilot rbac {asked}{where} | kubectl apply -f -"
    return ""


def rights_table() -> str:
    """docs/rights.md."""
    lines = [
        "# What each service account may do",
        "",
        _INTRODUCTION,
        "",
        "| given by | where |",
        "|---|---|",
        *(f"| {_COMMANDS[grant]} | {_PLACES[grant]} |" for grant in Grant),
    ]
    for account in Account:
        lines += ["", f"## {account}", ""]
        rights = rights_of(account)
        if not rights:
            lines.append(_NONE[account in HAS_TOKEN])
            continue
        lines += ["| verbs | resource | where | why |", "|---|---|---|---|"]
        lines += [
            f"| {' '.join(r.verbs)} | {r.full_name} | {_SHORT[r.grant]} | {r.why} |" for r in rights
        ]
    return "\n".join(lines) + "\n"


_INTRODUCTION = (
    "Printed by `incident-copilot rbac --table` from the table that the manifests come from"
    " (`src/copilot/kube/rights.py`). How to give and take rights, and what they do not"
    " prevent: [how-to/grant-rights.md](how-to/grant-rights.md)."
)
_COMMANDS = {
    Grant.BASE: "`deploy/base`, or `incident-copilot rbac`",
    Grant.NAMESPACE: "`incident-copilot rbac --namespace X`",
    Grant.NODES: "`incident-copilot rbac --nodes`",
    Grant.KUBELET_USAGE: "`deploy/components/kubelet-usage`, or"
    " `incident-copilot rbac --kubelet-usage`",
    Grant.SECRET: "`incident-copilot rbac --secret X/NAME`",
}
_PLACES = {
    Grant.BASE: "the whole cluster",
    Grant.NAMESPACE: "that namespace",
    Grant.NODES: "the nodes",
    Grant.KUBELET_USAGE: "the kubelet of every node",
    Grant.SECRET: "that one Secret",
}
_SHORT = {
    Grant.BASE: "cluster",
    Grant.NAMESPACE: "`--namespace`",
    Grant.NODES: "`--nodes`",
    Grant.KUBELET_USAGE: "`--kubelet-usage`",
    Grant.SECRET: "`--secret`",
}
_NONE = {
    True: "Nothing beyond what every account may: it asks for the cluster's version.",
    False: "Nothing: it does not talk to the cluster, and no token is mounted for it.",
}


# --------------------------------------------------------------------------- YAML


def _service_account(account: Account, home: str) -> str:
    return "\n".join(
        [
            "apiVersion: v1",
            "kind: ServiceAccount",
            *_metadata(account.value, home),
            f"automountServiceAccountToken: {str(account in HAS_TOKEN).lower()}",
        ]
    )


def _for_cluster(account: Account, rights: Iterable[Right], home: str, *, suffix: str) -> list[str]:
    name = f"incident-copilot-{account}{suffix}"
    return [
        _role("ClusterRole", name, "", rights),
        _binding("ClusterRole", name, "", account, home),
    ]


def _in_namespace(
    account: Account,
    rights: Iterable[Right],
    namespace: str,
    home: str,
    *,
    suffix: str,
    only: Sequence[str] = (),
) -> list[str]:
    name = f"incident-copilot-{account}{suffix}"
    return [
        _role("Role", name, namespace, rights, only),
        _binding("Role", name, namespace, account, home),
    ]


def _role(
    kind: str, name: str, namespace: str, rights: Iterable[Right], only: Sequence[str] = ()
) -> str:
    rules: list[str] = []
    for right in rights:
        rules += [
            f"  # {right.why}",
            f"  - apiGroups: [{_quoted(right.group)}]",
            f"    resources: [{right.resource}]",
            *([f"    resourceNames: [{', '.join(map(_quoted, only))}]"] if only else []),
            f"    verbs: [{', '.join(right.verbs)}]",
        ]
    head = [f"apiVersion: {_API}/v1", f"kind: {kind}", *_metadata(name, namespace)]
    return "\n".join([*head, "rules:", *rules] if rules else [*head, "rules: []"])


def _binding(kind: str, name: str, namespace: str, account: Account, home: str) -> str:
    return "\n".join(
        [
            f"apiVersion: {_API}/v1",
            f"kind: {kind}Binding",
            *_metadata(name, namespace),
            f"roleRef: {{apiGroup: {_API}, kind: {kind}, name: {name}}}",
            "subjects:",
            f"  - {{kind: ServiceAccount, name: {account}, namespace: {_quoted(home)}}}",
        ]
    )


def _metadata(name: str, namespace: str) -> list[str]:
    return [
        "metadata:",
        f"  name: {name}",
        *([f"  namespace: {_quoted(namespace)}"] if namespace else []),
        "  labels: {app.kubernetes.io/part-of: incident-copilot}",
    ]


def _quoted(name: str) -> str:
    """Names such as `on` and `1` are text to Kubernetes and something else to YAML."""
    return f'"{name}"'


def _joined(documents: Iterable[str]) -> str:
    head = "# Printed by `incident-copilot rbac`; docs/rights.md says what each account may.\n"
    return head + "\n---\n".join(documents) + "\n"


def _granted(account: Account, grant: Grant) -> list[Right]:
    return [r for r in rights_of(account) if r.grant is grant]


def _namespace(name: str) -> str:
    if not _LABEL.fullmatch(name):
        raise Invalid(f"{name[:100]!r} is not the name of a namespace")
    return name


def _account(user: str) -> tuple[Account | None, str]:
    parts = user.split(":")
    if parts[:2] != ["system", "serviceaccount"] or len(parts) != 4:
        return None, ""
    home, name = parts[2:]
    if name not in set(Account) or not _LABEL.fullmatch(home):
        return None, ""
    return Account(name), home
