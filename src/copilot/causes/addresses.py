"""Addresses in settings and log lines, and which Service of which namespace a name means.

Text from a cluster is hostile: what is read of it is bounded, and every pattern is linear.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from copilot.causes.citing import object_key
from copilot.causes.failures import containers_of, failing_pods, is_gone
from copilot.domain.case import Case
from copilot.domain.objects import Container, ObjectRef, PodSpec
from copilot.domain.surroundings import ConfigMap

MOST_CHARS = 4000
MOST_ADDRESSES = 32
MOST_SETTINGS = 200
MOST_KEYS = 100
_URL = re.compile(
    r"(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{1,20})://(?:[^\s/@\"'<>]{0,200}@)?"
    r"([a-z0-9_][a-z0-9_.-]{0,252})(?::(\d{1,5}))?",
    re.IGNORECASE,
)
_HOST_PORT = re.compile(
    r"(?<![\w.:/@+-])([a-z0-9_][a-z0-9_.-]{0,252}):(\d{1,5})(?![\w-]|[.:]\d)", re.IGNORECASE
)
_HOST_AND_PORT = re.compile(
    r"(?:\bto|\bat|\bhost=|\bon) ?['\"]?([a-z0-9_][a-z0-9_.-]{0,252})['\"]?(?: \([0-9a-f.:]{2,45}\))?,?"
    r" port[ =](\d{1,5})\b",
    re.IGNORECASE,
)
"""In words: `to api port 80`, `at "db" (10.96.0.9), port 5432`, `host='api', port=80`."""
_NO_HOST = re.compile(
    r"(?:status|code|statuscode|line|pid|port|took|duration|elapsed|attempt|retry|exit|errno|error|"
    r"level|thread|col|row)$|\.(?:go|py|js|ts|java|rb|c|cc|cpp|rs|php|kt|cs|scala|ex|pl)$",
    re.IGNORECASE,
)
"""What stands before a colon and a number in logs and is no host: `status:503`, `main.go:42`."""
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_.])?", re.IGNORECASE)
_IS_HOST = re.compile(
    r"(?:^|[_.-])(?:HOST|HOSTNAME|ADDR|ADDRESS|URL|URI|SERVER|SERVERS|ENDPOINT|BROKER|BROKERS|"
    r"BACKEND|UPSTREAM|SERVICE|DSN|TARGET|PEER)S?$",
    re.IGNORECASE,
)
_LOCAL = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
_DEFAULT_PORT = {
    "http": 80,
    "https": 443,
    "ws": 80,
    "wss": 443,
    "postgres": 5432,
    "postgresql": 5432,
    "mysql": 3306,
    "redis": 6379,
    "rediss": 6379,
    "amqp": 5672,
    "mongodb": 27017,
    "nats": 4222,
}
CLUSTER_DOMAIN = "cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`host` in lower case without its trailing dot; `port` None where neither the text nor its
    scheme says one."""

    host: str
    port: int | None
    scheme: str = ""
    is_port_written: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port is not None else self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a workload is told an address: a variable, an argument, or a ConfigMap's value."""

    address: Address
    container: str
    """Empty where the ConfigMap is mounted."""
    variable: str
    config_map: str
    key: str
    value: str
    """The whole plain value, for putting another address into it; never said."""
    source: str
    """Where `Case.cited_as` finds the object, empty for the workload's own template."""
    port_variable: str = ""
    """The sibling that holds the port (`DB_PORT` of `DB_HOST`), if that is where it stands."""

    @property
    def words(self) -> str:
        """`variable BACKEND_URL`, `ConfigMap web, key url`, `an argument`."""
        if self.config_map:
            return f"ConfigMap {self.config_map}, key {self.key}"
        return f"variable {self.variable}" if self.variable else "an argument"


# ------------------------------------------------------------------ reading


def addresses_in(text: str) -> tuple[Address, ...]:
    """URLs and `host:port` in a text, each once, in its order; none for this machine itself."""
    text = text[:MOST_CHARS]
    found: dict[tuple[int, str], Address] = {}
    spans: list[tuple[int, int]] = []
    for match in _URL.finditer(text):
        address = _address(match[2], match[3], match[1].lower())
        spans.append(match.span())
        if address is not None:
            found.setdefault((match.start(), address.host), address)
    for match in _HOST_PORT.finditer(text):
        if any(start <= match.start() < end for start, end in spans) or _NO_HOST.search(match[1]):
            continue
        address = _address(match[1], match[2], "")
        if address is not None:
            found.setdefault((match.start(), address.host), address)
    for match in _HOST_AND_PORT.finditer(text):
        address = _address(match[1], match[2], "")
        if address is not None:
            found.setdefault((match.start(), address.host), address)
    ordered = (found[place] for place in sorted(found))
    return tuple(dict.fromkeys(ordered))[:MOST_ADDRESSES]


def bare_host(name: str, value: str) -> Address | None:
    """The host that a value is as a whole, where the name of its setting says that it is one."""
    if len(value) > 253 or not _IS_HOST.search(name) or not _HOST.fullmatch(value):
        return None
    return _address(value, None, "")


def is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _address(host: str, port: str | None, scheme: str) -> Address | None:
    host = host.lower().rstrip(".-")
    number = int(port) if port else _DEFAULT_PORT.get(scheme)
    has_name = is_ip(host) or any(c.isalpha() for c in host)
    if not has_name or host in _LOCAL or host.startswith("127.") or host == "0.0.0.0":
        return None
    if number is not None and not 0 < number < 65_536:
        return None
    return Address(host=host, port=number, scheme=scheme, is_port_written=bool(port))


# ------------------------------------------------------------------ settings


def settings(case: Case) -> tuple[Setting, ...]:
    """Every address that the workload's pods are told, first those of its variables."""
    spec = spec_of(case)
    if spec is None:
        return ()
    maps = {m.metadata.name: m for m in case.surroundings.config_maps}
    found: list[Setting] = []
    for container in containers_of(spec):
        found += _of_container(container, maps)
        if len(found) >= MOST_SETTINGS:
            break
    found += _mounted(spec, maps)
    return tuple(found[:MOST_SETTINGS])


def spec_of(case: Case) -> PodSpec | None:
    """What the workload's pods are made of: its template, else that of a pod that is there."""
    if case.workload is not None:
        return case.workload.spec.template.spec
    if case.job is not None:
        return case.job.spec.template.spec
    there = [p for p in (*failing_pods(case), *case.pods) if not is_gone(p)]
    return there[0].spec if there else None


def _of_container(container: Container, maps: dict[str, ConfigMap]) -> Iterator[Setting]:
    plain = {v.name: v.value or "" for v in container.env or ()}
    for variable in (container.env or ())[:MOST_KEYS]:
        reference = variable.value_from.config_map_key_ref if variable.value_from else None
        if variable.value:
            for address, sibling in _told(variable.name, variable.value, plain):
                yield Setting(
                    address=address,
                    container=container.name,
                    variable=variable.name,
                    config_map="",
                    key="",
                    value=variable.value,
                    source="",
                    port_variable=sibling,
                )
        elif reference is not None and reference.name in maps:
            found = maps[reference.name]
            yield from _of_key(found, reference.key, container.name, variable.name)
    for source in container.env_from or ():
        name = source.config_map_ref.name if source.config_map_ref else ""
        if name in maps:
            for key in list(maps[name].data or ())[:MOST_KEYS]:
                yield from _of_key(maps[name], key, container.name, key)
    for word in (*(container.command or ()), *(container.args or ())):
        for address in addresses_in(word):
            yield Setting(
                address=address,
                container=container.name,
                variable="",
                config_map="",
                key="",
                value="",
                source="",
            )


def _told(name: str, value: str, beside: dict[str, str]) -> Iterator[tuple[Address, str]]:
    """The addresses of one value; a bare host takes its port from the variable next to it."""
    found = addresses_in(value)
    yield from ((address, "") for address in found)
    host = None if found else bare_host(name, value)
    if host is None:
        return
    stem = _IS_HOST.sub("", name)
    sibling = next((s for s in (f"{stem}_PORT", f"{name}_PORT") if s in beside), "")
    port = beside.get(sibling, "")
    if port.isdecimal() and 0 < int(port[:6]) < 65_536:
        yield Address(host=host.host, port=int(port), is_port_written=True), sibling
    else:
        yield host, ""


def _of_key(found: ConfigMap, key: str, container: str, variable: str) -> Iterator[Setting]:
    data = found.data or {}
    value = data.get(key, "")
    for address, _ in _told(key, value, data):
        yield Setting(
            address=address,
            container=container,
            variable=variable,
            config_map=found.metadata.name,
            key=key,
            value=value,
            source=object_key(found.metadata),
        )


def _mounted(spec: PodSpec, maps: dict[str, ConfigMap]) -> Iterator[Setting]:
    for volume in spec.volumes or ():
        for found in (maps[one.name] for one in volume.config_maps if one.name in maps):
            for key in list(found.data or ())[:MOST_KEYS]:
                yield from _of_key(found, key, "", "")


# ------------------------------------------------------------------ meaning


def service_meant(host: str, namespace: str, namespaces: tuple[str, ...] = ()) -> ObjectRef | None:
    """The Service that a pod of a namespace means by a host, whether or not there is one; None for
    an address outside the cluster.

    `x`, `x.ns`, `x.ns.svc`, `x.ns.svc.cluster.local`; and `pod.x.ns.svc` of a headless Service.
    `x.ns` is a Service only where there is such a namespace: else it may be any domain.
    https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
    """
    parts = host.rstrip(".").lower().split(".")
    if is_ip(host) or not all(parts) or host in _LOCAL:
        return None
    if "svc" in parts[2:]:
        at = parts.index("svc", 2)
        if at > 3 or ".".join(parts[at + 1 :]) not in ("", CLUSTER_DOMAIN):
            return None
        return _service(parts[at - 2], parts[at - 1])
    if len(parts) == 1:
        return _service(parts[0], namespace)
    if len(parts) == 2 and (parts[1] in namespaces or parts[1] == namespace):
        return _service(parts[0], parts[1])
    return None


def is_short(host: str) -> bool:
    """It needs a search domain to become a Service's full name."""
    return not host.rstrip(".").endswith("." + CLUSTER_DOMAIN)


def why_not_in_cluster(spec: PodSpec, namespace: str, host: str) -> str:
    """Why a pod of this spec cannot resolve a Service's name, as the end of a sentence; empty where
    it can, as far as the spec tells.

    https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy
    """
    policy = spec.dns_policy or "ClusterFirst"
    if policy == "Default":
        return "its dnsPolicy is Default: it asks the node's name servers, which know no Services"
    if policy == "ClusterFirst" and spec.host_network:
        return (
            "it is on the node's network, where dnsPolicy ClusterFirst asks the node's name "
            "servers, which know no Services"
        )
    if policy != "None":
        return ""
    config = spec.dns_config
    outside = [s for s in (config.nameservers if config else None) or () if _is_public(s)]
    if outside:
        return f"its dnsConfig asks {outside[0]}, which knows no Services"
    searched = {s.rstrip(".") for s in (config.searches if config else None) or ()}
    needed = f"{namespace}.svc.{CLUSTER_DOMAIN}"
    if "." not in host and needed not in searched:
        return f"its dnsPolicy is None and its dnsConfig does not search {needed}"
    if is_short(host) and not any(s.endswith(CLUSTER_DOMAIN) for s in searched):
        return f"its dnsPolicy is None and its dnsConfig searches nothing of {CLUSTER_DOMAIN}"
    return ""


def _is_public(server: str) -> bool:
    return is_ip(server) and ipaddress.ip_address(server).is_global


def _service(name: str, namespace: str) -> ObjectRef:
    return ObjectRef(kind="Service", namespace=namespace, name=name)
