"""The plain settings a container runs with: variables, and values of ConfigMaps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from copilot.causes.references import references_of
from copilot.domain.case import Case
from copilot.domain.objects import PodSpec
from copilot.domain.surroundings import ConfigMap

SHORTEST = 4
"""A shorter name or value stands in a log for anything."""
_URL = re.compile(
    r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,20}://(?:[^@/\s]{0,200}@)?([^/\s?#]+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value that a container reads, and where it stands."""

    container: str
    """Empty for a value of a ConfigMap that is mounted."""
    name: str
    """The variable or the key."""
    value: str
    config_map: str = ""
    """The ConfigMap that holds it, empty where the spec does."""
    key: str = ""

    def words(self) -> frozenset[str]:
        """What a program may call it by: its name, its value, the host of an address."""
        name = [self.name] if len(self.name) >= SHORTEST else []
        return frozenset((*name, *words_of(self.value)))


def words_of(value: str) -> tuple[str, ...]:
    """A value and the host of an address in it, with and without its port."""
    hosts = [h for found in _URL.findall(value) for h in (found, found.partition(":")[0])]
    plain = [value.strip().rstrip("/"), *hosts]
    return tuple(v for v in plain if len(v) >= SHORTEST and "\n" not in v and not v.isdecimal())


def settings_of(case: Case, spec: PodSpec) -> Iterator[Setting]:
    """Of all containers; Secrets are not read, so theirs are not among them."""
    maps = {m.metadata.name: m for m in case.surroundings.config_maps}
    for container in (*(spec.containers or ()), *(spec.init_containers or ())):
        for variable in container.env or ():
            if variable.value is not None:
                yield Setting(container=container.name, name=variable.name, value=variable.value)
    for reference in references_of(spec):
        if reference.kind == "ConfigMap" and reference.name in maps:
            for key, value in _values(maps[reference.name], reference.key):
                yield Setting(
                    container=reference.container,
                    name=reference.variable or key,
                    value=value,
                    config_map=reference.name,
                    key=key,
                )


def _values(one: ConfigMap, key: str) -> Iterator[tuple[str, str]]:
    for name, value in (one.data or {}).items():
        if key in ("", name):
            yield name, value
