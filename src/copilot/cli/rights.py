"""`rbac`: service accounts and rights as manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from copilot.cli.options import Context, Kubeconfig, settings_from
from copilot.cli.process import fail

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from copilot.settings import Settings


def rbac(
    namespace: Annotated[
        list[str] | None,
        typer.Option(help="Let agent-remediator write in this namespace. May be repeated."),
    ] = None,
    opted_in: Annotated[
        bool,
        typer.Option(
            "--opted-in",
            help="The same for every namespace labelled incident-copilot.io/remediation=enabled.",
        ),
    ] = False,
    nodes: Annotated[bool, typer.Option("--nodes", help="Let it cordon nodes, too.")] = False,
    action: Annotated[
        list[str] | None,
        typer.Option(help="Only what this action takes, such as set_memory. May be repeated."),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(help="Let the watcher see that NAMESPACE/NAME changed. May be repeated."),
    ] = None,
    kubelet_usage: Annotated[
        bool,
        typer.Option("--kubelet-usage", help="Let the watcher ask kubelets what is used."),
    ] = False,
    installed_in: Annotated[
        str, typer.Option(help="The namespace of the service accounts.")
    ] = "incident-copilot",
    table: Annotated[
        bool, typer.Option("--table", help="Print the table of docs/rights.md instead.")
    ] = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print service accounts and rights as manifests: without options what reading takes, else
    exactly what is asked for."""
    from copilot.domain.errors import CopilotError
    from copilot.kube import manifests

    if table:
        typer.echo(manifests.rights_table(), nl=False)
        return
    if action and not (namespace or opted_in or nodes):
        fail("--action says what and not where: add --namespace, --opted-in or --nodes")
    try:
        chosen = list(namespace or ())
        if opted_in:
            chosen += _opted_in(settings_from(context=context, kubeconfig=kubeconfig))
        printed = list(_granting(chosen, nodes, action or (), secret or (), installed_in))
        if kubelet_usage:
            printed.append(manifests.kubelet_manifest(installed_in))
        if not printed and not opted_in:
            printed.append(manifests.base_manifest(installed_in))
    except CopilotError as error:
        fail(error.message)
    typer.echo("---\n".join(printed), nl=False)


def _granting(
    namespaces: Sequence[str],
    nodes: bool,
    actions: Collection[str],
    secrets: Sequence[str],
    installed_in: str,
) -> Iterator[str]:
    """What gives more than reading."""
    from copilot.kube import manifests

    if namespaces or nodes:
        yield manifests.remediation_manifest(
            namespaces, nodes=nodes, actions=actions, installed_in=installed_in
        )
    if secrets:
        named = [manifests.secret_named(one) for one in secrets]
        yield manifests.secrets_manifest(named, installed_in=installed_in)


def _opted_in(settings: Settings) -> list[str]:
    """The namespaces that are labelled so."""
    import asyncio

    from copilot.kube.manifests import OPT_IN_LABEL, OPTED_IN
    from copilot.wiring import SystemClock, labelled_namespaces

    labelled = labelled_namespaces(settings, SystemClock(), f"{OPT_IN_LABEL}={OPTED_IN}")
    return asyncio.run(labelled)
