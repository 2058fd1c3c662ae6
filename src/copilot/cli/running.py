"""`up`, `serve` and `demo`: what runs until it is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from copilot.cli.options import Cluster, Context, Data, Kubeconfig, Port, settings_from
from copilot.cli.process import fail, run


def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Watch a demo cluster made for this run.")
    ] = False,
    gitops: Annotated[
        bool,
        typer.Option(
            "--gitops", help="With --demo: make it from Git, and deliver fixes as pull requests."
        ),
    ] = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    cluster: Cluster = None,
    data: Data = None,
    port: Port = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Run everything in one process: with --demo, or on the cluster of your kubeconfig."""
    from copilot.cli import launch

    settings = settings_from(
        data=data, port=port, context=context, kubeconfig=kubeconfig, cluster=cluster
    )
    if gitops and not demo:
        fail("--gitops is a simulation of the demo; elsewhere set COPILOT_DELIVERY")
    run(launch.up(settings, demo=demo, gitops=gitops, open_page=open_page))


def serve(
    role: Annotated[str, typer.Argument(help="gateway, ingestion, watcher or agent-…")],
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    cluster: Cluster = None,
    data: Data = None,
    port: Port = None,
) -> None:
    """Run one role by itself."""
    from copilot.cli import launch

    settings = settings_from(
        data=data, port=port, context=context, kubeconfig=kubeconfig, cluster=cluster
    )
    run(launch.serve(settings, role))


def demo(
    write_kubeconfig: Annotated[Path, typer.Option(help="Where to write the kubeconfig.")],
    port: Annotated[int, typer.Option(help="Port of its API server; 0 takes a free one.")] = 0,
    ingest_url: Annotated[
        str, typer.Option(help="Where its senders send logs and metrics; empty sends none.")
    ] = "",
    ingest_token: Annotated[str, typer.Option(help="The sender token for that.")] = "",
) -> None:
    """Run only the demo cluster: a small Kubernetes API with simulated workloads."""
    from copilot.cli import launch

    run(launch.demo(write_kubeconfig, port, ingest_url, ingest_token))
