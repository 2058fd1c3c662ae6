"""What a workload's own words say about its connections to others: to whom, and how they fail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from copilot.causes.addresses import (
    Address,
    Setting,
    addresses_in,
    is_ip,
    service_meant,
    settings,
)
from copilot.causes.citing import line_key
from copilot.causes.failures import began_us, endings
from copilot.causes.rollouts import Rollout, just_before, variable_of
from copilot.causes.selecting import service_named, services_of
from copilot.causes.wording import clock, one_line
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.event import LogLine
from copilot.domain.objects import ObjectRef, Service

MOST_CHARS = 4000
MOST_LINES = 500
MOST_KEPT = 1024
"""Lines whose reading is kept: several causes look at the same ones."""
LONG_BEFORE_US = 10 * 60 * 1_000_000
"""What a log said this long before the first sign belongs to another story."""


class How(StrEnum):
    """How a connection fails."""

    UNRESOLVED = "unresolved"
    REFUSED = "refused"
    RESET = "reset"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    ANSWERED = "answered"
    """The other side answers, with a status of 5xx."""


_SAYS_NAME = (
    # Go; the name server stands behind `on`
    re.compile(r"\blookup ([a-z0-9_.-]{1,253})(?: on \S{1,80})?: ", re.IGNORECASE),
    re.compile(r"could not resolve host:? ['\"]?([a-z0-9_.-]{1,253})", re.IGNORECASE),
    re.compile(r"could not translate host name ['\"]([a-z0-9_.-]{1,253})", re.IGNORECASE),
    re.compile(r"\b(?:ENOTFOUND|EAI_AGAIN|bad address) ['\"]?([a-z0-9_.-]{1,253})", re.IGNORECASE),
    re.compile(r"UnknownHostException: ([a-z0-9_.-]{1,253})", re.IGNORECASE),
    re.compile(
        r"(?:can't|cannot|unable to) (?:find|resolve) ['\"]?([a-z0-9_.-]{1,253})", re.IGNORECASE
    ),
    re.compile(r"resolve (?:host ?name |host |address )?['\"]([a-z0-9_.-]{1,253})", re.IGNORECASE),
    re.compile(r"host=['\"]([a-z0-9_.-]{1,253})['\"], port=", re.IGNORECASE),
    re.compile(r"unknown (?:\w{1,20} )?host:? ['\"]?([a-z0-9_.-]{1,253})", re.IGNORECASE),
)
_BARE_IP = re.compile(r"(?<![\d.])(?!127\.|0\.)\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_GOES_WELL = re.compile(
    r"\b(?:20[0146]|ok|connected|established|succeed\w*|success\w*|recovered|reconnected|healthy|"
    r"accepting|is (?:up|ready|back|reachable))\b",
    re.IGNORECASE,
)
_UNRESOLVED = re.compile(
    r"no such host|NXDOMAIN|SERVFAIL|bad address|server misbehaving|could not resolve|"
    r"can't resolve|cannot resolve|unable to resolve|could not translate host name|"
    r"name or service not known|nodename nor servname|temporary failure in name resolution|"
    r"name does not resolve|getaddrinfo|ENOTFOUND|EAI_AGAIN|EAI_NONAME|UnknownHost|"
    r"unknown (?:\w{1,20} )?host|server can't find|no servers could be reached|"
    r"\blookup [a-z0-9_.-]{1,253} on [^:\s]{1,64}:53: ",
    re.IGNORECASE,
)
_SIGNS: tuple[tuple[How, re.Pattern[str]], ...] = (
    (How.UNRESOLVED, _UNRESOLVED),
    (
        How.REFUSED,
        re.compile(
            r"connection refused|ECONNREFUSED|actively refused|"
            r"connection to \S{1,260} refused|server on '[^']{1,260}' \((?:111|61)\)",
            re.IGNORECASE,
        ),
    ),
    (
        How.RESET,
        re.compile(
            r"connection reset|ECONNRESET|broken pipe|EPIPE|unexpected EOF|socket hang up|"
            r"server closed the connection|empty reply from server|\": EOF$",
            re.IGNORECASE,
        ),
    ),
    (
        How.UNREACHABLE,
        re.compile(r"no route to host|EHOSTUNREACH|ENETUNREACH|unreachable", re.IGNORECASE),
    ),
    (
        How.TIMEOUT,
        re.compile(
            r"i/o timeout|timed? ?out|ETIMEDOUT|deadline exceeded|Client\.Timeout|DeadlineExceeded",
            re.IGNORECASE,
        ),
    ),
    (
        How.ANSWERED,
        re.compile(
            r"\b50[0234] (?:Internal|Bad|Service|Gateway)|"
            r"(?:status|code|response|HTTP/1\.[01]|HTTP/2)\W{0,6}50[0234]\b|"
            r"\b(?:bad gateway|service unavailable|gateway time-?out)\b",
            re.IGNORECASE,
        ),
    ),
)
"""In this order: a name server that refuses or times out has not answered about a name."""
_OWN_TROUBLE = frozenset(
    {
        Rule.OOM_KILLED,
        Rule.IMAGE_PULL,
        Rule.UNSCHEDULABLE,
        Rule.NOT_CREATED,
        Rule.VOLUME_PENDING,
        Rule.EVICTED,
    }
)
"""Trouble that has nothing to do with whom a program talks to."""
SAID = {
    How.UNRESOLVED: "cannot resolve",
    How.REFUSED: "is refused by",
    How.RESET: "is cut off by",
    How.UNREACHABLE: "finds no way to",
    How.TIMEOUT: "gets no answer in time from",
    How.ANSWERED: "gets an error (5xx) from",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One log line about a connection that fails. `address` is None where it names none."""

    how: How
    line: LogLine
    address: Address | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A connection that fails to what is, or would be, a Service. `service` is None where no such
    Service is known, `setting` where no setting says the address."""

    trouble: Trouble
    meant: ObjectRef
    service: Service | None
    port: int | None
    setting: Setting | None

    @property
    def text(self) -> str:
        """`app is refused by api:8080 at 12:00:08 UTC: "dial tcp ..."`."""
        line = self.trouble.line
        who = line.container or line.pod or "The program"
        inferred = f"{self.meant.name}, the only one its settings name"
        whom = one_line(str(self.trouble.address or inferred), 120)
        return (
            f"{who} {SAID[self.trouble.how]} {whom} ({clock(line.ts_us)}): "
            f"“{one_line(line.body, 160)}”."
        )

    @property
    def key(self) -> str:
        return line_key(self.trouble.line)


@lru_cache(maxsize=MOST_KEPT)
def how_of(text: str) -> How | None:
    """How a connection fails that a text tells of, None where it tells of none."""
    text = text[:MOST_CHARS]
    return next((how for how, sign in _SIGNS if sign.search(text)), None)


def unresolved_name(text: str) -> str:
    """The name that could not be resolved, empty where the text does not say it."""
    text = text[:MOST_CHARS]
    for pattern in _SAYS_NAME:
        found = pattern.search(text)
        if found and any(c.isalpha() for c in found[1]):
            return found[1].lower().rstrip(".-")
    urls = addresses_in(text)
    return urls[0].host if urls and not is_ip(urls[0].host) else ""


def may_be_others(case: Case) -> bool:
    """Whether what a program says about others may be its trouble: not where it never started, or
    where all that ended it was a want of memory."""
    if case.alerts and all(a.rule in _OWN_TROUBLE for a in case.alerts):
        return False
    ended = endings(case)
    return not ended or not all(e.is_oom for e in ended)


def troubles(case: Case) -> tuple[Trouble, ...]:
    """The newest line of each kind and address, the newest first; of lines that are evidence where
    there are such. What went well later is over."""
    if not may_be_others(case):
        return ()
    since = began_us(case) - LONG_BEFORE_US
    recent = [line for line in case.lines[-MOST_LINES:] if line.ts_us >= since]
    found: dict[tuple[How, str], Trouble] = {}
    for line in sorted(recent, key=lambda x: (line_key(x) in case.cited_as, x.ts_us), reverse=True):
        how = how_of(line.body)
        if how is None:
            continue
        address = _address(how, line.body)
        key = (how, str(address or ""))
        found.setdefault(key, Trouble(how=how, line=line, address=address))
    return tuple(t for t in found.values() if not _is_over(t, recent))


def _is_over(trouble: Trouble, recent: list[LogLine]) -> bool:
    """A later line of the same pod says that it goes well with the same address. To name it is not
    enough: programs also log that they try."""
    address, line = trouble.address, trouble.line
    if address is None:
        return False
    written = str(address) if address.is_port_written else address.host
    named = re.compile(rf"(?<![\w.-]){re.escape(written)}(?![\w:-]|\.\w)", re.IGNORECASE)
    return any(
        later.ts_us > line.ts_us
        and later.pod == line.pod
        and how_of(later.body) is None
        and _GOES_WELL.search(later.body[:MOST_CHARS])
        and named.search(later.body[:MOST_CHARS])
        for later in recent
    )


@lru_cache(maxsize=MOST_KEPT)
def _address(how: How, text: str) -> Address | None:
    if how is How.UNRESOLVED:
        name = unresolved_name(text)
        said = next((a for a in addresses_in(text) if a.host == name), None)
        return said or (Address(host=name, port=None) if name else None)
    said_all = addresses_in(text)
    named = [a for a in said_all if not is_ip(a.host)]
    bare = _BARE_IP.search(text[:MOST_CHARS])
    only_ip = (Address(host=bare[0], port=None),) if bare and is_ip(bare[0]) else ()
    return next(iter((*named, *said_all, *only_ip)), None)


def calls(case: Case) -> tuple[Call, ...]:
    """The failing connections to Services of the cluster, the newest first.

    A line that names only a cluster IP means the Service that has it; one that names nothing means
    the only Service that the settings name.
    """
    given = settings(case)
    targets = [(s, m) for s in given if (m := meant_by(case, s.address.host)) is not None]
    found = []
    for trouble in troubles(case):
        call = _call(case, trouble, targets)
        if call is not None:
            found.append(call)
    return tuple(found)


def meant_by(case: Case, host: str) -> ObjectRef | None:
    """The Service that the case's pods mean by a host, or the one that has this cluster IP."""
    if is_ip(host):
        found = next((s for s in services_of(case) if s.spec.cluster_ip == host), None)
        if found is None:
            return None
        return ObjectRef(
            kind="Service", namespace=found.metadata.namespace, name=found.metadata.name
        )
    return service_meant(host, case.incident.namespace, case.surroundings.namespaces)


def changed_just_before(case: Case, setting: Setting | None, at_us: int = 0) -> Rollout | None:
    """The change that put a setting to what it is, right before the trouble began, or before a
    later moment at which it showed: an incident may have been open for something else then."""
    if setting is None:
        return None
    moments = (began_us(case), at_us) if at_us else (began_us(case),)
    near = (just_before(case, moment) for moment in moments)
    return next((r for r in near if r is not None and _is_about(r, setting)), None)


def readdressed(case: Case, call: Call) -> Rollout | None:
    """The change, just before the call failed, of the setting that holds the address called."""
    if call.setting is None or call.port != call.setting.address.port:
        return None
    return changed_just_before(case, call.setting, call.trouble.line.ts_us)


def _is_about(rollout: Rollout, setting: Setting) -> bool:
    if setting.config_map:
        return rollout.config_map == setting.config_map and any(
            f.path.endswith(setting.key) or f"[{setting.key}]" in f.path for f in rollout.fields
        )
    return bool(setting.variable) and any(
        variable_of(f.path) == setting.variable for f in rollout.fields
    )


def _call(case: Case, trouble: Trouble, targets: list[tuple[Setting, ObjectRef]]) -> Call | None:
    if trouble.address is not None:
        meant = meant_by(case, trouble.address.host)
        port = trouble.address.port
    else:
        only = {m for _, m in targets}
        meant, port = (next(iter(only)), None) if len(only) == 1 else (None, None)
    if meant is None:
        return None
    setting = next((s for s, m in targets if m == meant), None)
    if port is None and setting is not None:
        port = setting.address.port
    return Call(
        trouble=trouble,
        meant=meant,
        service=service_named(case, meant),
        port=port,
        setting=setting,
    )
