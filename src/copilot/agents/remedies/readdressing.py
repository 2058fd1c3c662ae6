"""Puts another host or port into the setting that holds it. Pure.

Only into a plain value that stands in a spec or a ConfigMap: one that holds, or held, a secret is
left to people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.causes.addresses import Setting
from copilot.causes.citing import object_key
from copilot.causes.references import workload_ref
from copilot.causes.wording import one_line
from copilot.domain.action import SetConfigValue, SetEnv
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Draft

MOST_CHARS = 4096
_SECRET = re.compile(
    r"\*\*\*|://[^\s/@]{1,300}@|passw|secret|token|credential|api.?key", re.IGNORECASE
)
"""What a masked secret looks like in the store, and what may hold one."""


def readdressed(
    case: Case, hypothesis: Hypothesis, setting: Setting, before: str, after: str, why: str
) -> Iterator[Draft | str]:
    """The setting with `after` in place of `before`, which stands in it as a host, a port or both."""
    where = setting.words
    if setting.address.host and not setting.value:
        yield f"{after} was likely meant, but it stands in {where}, which is for people to change"
        return
    if _SECRET.search(setting.value) or _SECRET.search(setting.variable or setting.key):
        yield f"{where} may hold a secret, so it is for people to put {after} there"
        return
    value = _replaced(setting.value, before, after)
    if value is None or len(value) > MOST_CHARS:
        yield f"{after} was likely meant in {where}, which is for people to change"
        return
    title = f"Set {where} from {one_line(before, 80)} to {one_line(after, 80)}"
    if setting.config_map:
        yield drafted(
            case,
            SetConfigValue(target=_map_ref(case, setting), key=setting.key, value=value),
            title=title,
            why=f"{why} Programs that read it at their start see it after a restart only.",
            hypothesis=hypothesis,
            keys=(setting.source,),
        )
        return
    yield drafted(
        case,
        SetEnv(
            target=workload_ref(case),
            container=setting.container,
            name=setting.variable,
            value=value,
        ),
        title=title,
        why=why,
        hypothesis=hypothesis,
    )


def _replaced(value: str, before: str, after: str) -> str | None:
    """None where it does not stand there exactly once, as a whole name or number."""
    place = re.compile(rf"(?<![\w.-]){re.escape(before)}(?![\w-]|\.\w)", re.IGNORECASE)
    if len(place.findall(value)) != 1:
        return None
    return place.sub(lambda _: after, value)


def _map_ref(case: Case, setting: Setting) -> ObjectRef:
    found = next(
        m.metadata
        for m in case.surroundings.config_maps
        if object_key(m.metadata) == setting.source
    )
    return ObjectRef(kind="ConfigMap", namespace=found.namespace, name=found.name, uid=found.uid)
