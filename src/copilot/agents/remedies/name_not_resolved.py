"""A name that does not resolve: to the name that was meant, or to DNS settings that know it."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.readdressing import readdressed
from copilot.agents.rollback import roll_back
from copilot.causes.addresses import spec_of
from copilot.causes.citing import object_key
from copilot.causes.name_not_resolved import intended, unresolved
from copilot.causes.references import workload_ref
from copilot.causes.wording import one_line
from copilot.domain.action import SetDnsPolicy
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.proposal import Draft

WITH_TEMPLATE = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


def name_not_resolved(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Another name in the setting that holds it, or the way back where it came with a rollout."""
    if hypothesis.detail == "dns_config":
        yield from _dns_policy(case, hypothesis)
        return
    told = [n for n in unresolved(case) if n.setting is not None]
    for name in told:
        setting, better = name.setting, intended(case, name.host)
        if setting is None or not better:
            continue
        host = setting.address.host
        yield from readdressed(
            case,
            hypothesis,
            setting,
            host,
            intended(case, host) or better,
            f"No Service has the name {one_line(host, 80)}; {better} is there.",
        )
    variables = [n.setting.variable for n in told if n.setting and not n.setting.config_map]
    if variables and len(case.replica_sets) > 1:
        yield from roll_back(case, hypothesis, about=f"env[{variables[0]}]")
    elif not told:
        yield "the name stands in no setting that can be seen"
    elif not any(intended(case, n.host) for n in told):
        yield "no Service has a name that is near enough to be the one that was meant"


def _dns_policy(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    target, spec = workload_ref(case), spec_of(case)
    if spec is None or target.kind not in WITH_TEMPLATE:
        yield f"the DNS policy of {target} is for people to change"
        return
    policy = "ClusterFirstWithHostNet" if spec.host_network else "ClusterFirst"
    taken = " and take its DNS configuration away" if spec.dns_config else ""
    yield drafted(
        case,
        SetDnsPolicy(target=target, policy=policy),
        title=f"Set the DNS policy of {one_line(target.name, 80)} to {policy}{taken}",
        why="Its pods then ask the cluster's own name server, which knows the Services and passes "
        "all other names on.",
        hypothesis=hypothesis,
        keys=(object_key(case.workload.metadata),) if case.workload else (),
    )
    if len(case.replica_sets) > 1:
        yield from roll_back(case, hypothesis, about="dns")
