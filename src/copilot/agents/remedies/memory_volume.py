"""A volume in memory that fills the limit: room for both, as long as that fits."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.sizing import MOST_FACTOR, NODE_SHARE, round_up, tried_limits
from copilot.causes.citing import object_key
from copilot.causes.failures import limit_of, quantity_of
from copilot.causes.memory_volume import volumes_in_memory
from copilot.causes.references import workload_ref
from copilot.causes.wording import one_line
from copilot.domain.action import SetMemory
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.proposal import Draft
from copilot.domain.quantity import format_bytes, humanise_bytes


def memory_volume(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """The limit plus what the volume may hold. A smaller volume, or one on disk, is for people: it
    may break the program that writes there."""
    found = volumes_in_memory(case)
    if case.workload is None or not found:
        yield "only a workload with a pod template can be given more memory"
        return
    worst = max(found, key=lambda m: m.size or 0)
    where = f"volume {one_line(worst.volume, 60)}"
    now = limit_of(case.workload.spec.template.spec, worst.container)
    if now is None or worst.size is None:
        yield f"{where} has no size limit, so no memory limit would be enough: give it one"
        return
    wanted = round_up(now + worst.size)
    rooms = [r for n in case.nodes if (r := quantity_of(n.status.allocatable, "memory"))]
    most = min([MOST_FACTOR * now, *(round(r * NODE_SHARE) for r in rooms)])
    if wanted > most or wanted in tried_limits(case, worst.container):
        yield (
            f"{humanise_bytes(wanted)} would be needed for {worst.container} and its {where}: "
            "make the volume smaller, or let it lie on disk"
        )
        return
    yield drafted(
        case,
        SetMemory(target=workload_ref(case), container=worst.container, limit=format_bytes(wanted)),
        title=f"Set the memory limit of {worst.container} from {humanise_bytes(now)} to "
        f"{humanise_bytes(wanted)}",
        why=f"What is written to {where} counts against it: {humanise_bytes(now)} for the program, "
        f"{humanise_bytes(worst.size)} for the volume.",
        hypothesis=hypothesis,
        keys=(object_key(worst.pod.metadata),),
    )
