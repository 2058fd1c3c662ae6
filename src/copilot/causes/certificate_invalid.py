"""A certificate that the program does not accept: over, not begun, of an unknown authority, or made
out to another name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from copilot.causes.addresses import Address, addresses_in, is_ip
from copilot.causes.citing import concluded, event_key, line_key, object_key, said
from copilot.causes.connecting import may_be_others, meant_by
from copilot.causes.failures import began_us
from copilot.causes.selecting import service_named, service_ref
from copilot.causes.wording import clock, lasting, one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import ObjectRef, epoch_us

SURE = 0.93
MOST = 500
MOST_CHARS = 4000
MOST_KEPT = 1024
LONG_BEFORE_US = 10 * 60 * 1_000_000
SKEW_US = 5 * 60 * 1_000_000
"""A clock that is off by more explains a certificate that is over or not begun."""


class Flaw(StrEnum):
    """What is wrong with a certificate."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    UNKNOWN_AUTHORITY = "unknown_authority"
    NAME_MISMATCH = "name_mismatch"


_SIGNS: tuple[tuple[Flaw, re.Pattern[str]], ...] = (
    (
        Flaw.NOT_YET_VALID,
        re.compile(
            r"current time \S{1,40} is before|not yet valid(?!:)(?! ?\W? ?current)|"
            r"CertificateNotYetValid|CERT_NOT_YET_VALID",
            re.IGNORECASE,
        ),
    ),
    (
        Flaw.EXPIRED,
        re.compile(
            r"current time \S{1,40} is after|certificate (?:has |is )?expired|CERT_HAS_EXPIRED|"
            r"CertificateExpired|certificate_expired",
            re.IGNORECASE,
        ),
    ),
    (
        Flaw.NAME_MISMATCH,
        re.compile(
            r"certificate is (?:not )?valid for|hostname mismatch|"
            r"ALTNAME_INVALID|altnames|no (?:alternative certificate )?subject (?:alternative )?"
            r"(?:DNS )?name(?:s)? match|cannot validate certificate for|doesn't contain any IP SANs|"
            r"no alternative certificate subject name matches",
            re.IGNORECASE,
        ),
    ),
    (
        Flaw.UNKNOWN_AUTHORITY,
        re.compile(
            r"signed by unknown authority|unable to get (?:local )?issuer certificate|"
            r"self[- ]signed certificate|unable to verify the first certificate|"
            r"UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT|PKIX path building failed|"
            r"unable to find valid certification path|unknown ca\b|UnknownIssuer",
            re.IGNORECASE,
        ),
    ),
)
"""Go says `has expired or is not yet valid` for both, and then which."""
_SAID = {
    Flaw.EXPIRED: "has expired",
    Flaw.NOT_YET_VALID: "is not valid yet",
    Flaw.UNKNOWN_AUTHORITY: "is signed by an authority that the program does not know",
    Flaw.NAME_MISMATCH: "is made out to another name",
}
_TIMES = re.compile(r"current time (\S{1,40}) is (?:after|before) (\S{1,40})", re.IGNORECASE)
_NAMES = re.compile(r"certificate is valid for ([^\n]{1,200}?), not ([A-Za-z0-9_.:-]{1,253})")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Complaint:
    flaw: Flaw
    text: str
    key: str
    at_us: int
    peer: Address | None


def certificate_invalid(case: Case) -> Hypothesis | None:
    """Supported by the words of the program that did not accept it: they name the flaw and mostly
    the peer. Images that cannot be pulled for it have a cause of their own."""
    found = _complaints(case) if may_be_others(case) else ()
    if not found:
        return None
    worst = found[0]
    meant = meant_by(case, worst.peer.host) if worst.peer else None
    whose = (
        f"The certificate of {one_line(str(worst.peer), 100)}" if worst.peer else "A certificate"
    )
    return concluded(
        Cause.CERTIFICATE_INVALID,
        title=f"{whose} {_SAID[worst.flaw]}",
        verdict=Verdict.SUPPORTED,
        confidence=SURE,
        supporting=(
            *said(
                case,
                f"{whose} {_SAID[worst.flaw]} ({clock(worst.at_us)}): "
                f"“{one_line(worst.text, 220)}”.",
                worst.key,
            ),
            *_times(case, worst),
            *_names(case, worst),
            *_peer(case, meant),
        ),
        subject=_subject(case, meant),
        detail=worst.flaw.value,
    )


@lru_cache(maxsize=MOST_KEPT)
def flaw_of(text: str) -> Flaw | None:
    """What a text says is wrong with a certificate, None where it speaks of none."""
    text = text[:MOST_CHARS]
    return next((flaw for flaw, sign in _SIGNS if sign.search(text)), None)


def _complaints(case: Case) -> tuple[_Complaint, ...]:
    """Newest first, evidence before the rest."""
    texts = [
        *((x.ts_us, x.body, line_key(x)) for x in case.lines[-MOST:]),
        *(
            (epoch_us(e.occurred), e.message, event_key(e))
            for e in case.events[-MOST:]
            if "pull image" not in e.message
        ),
    ]
    since = began_us(case) - LONG_BEFORE_US
    found = [
        _Complaint(flaw=flaw, text=text, key=key, at_us=at_us, peer=_peer_in(text))
        for at_us, text, key in texts
        if at_us >= since and (flaw := flaw_of(text)) is not None
    ]
    return tuple(sorted(found, key=lambda c: (c.key in case.cited_as, c.at_us), reverse=True))


def _peer_in(text: str) -> Address | None:
    """Whose certificate it is: the address called, else the name that was wanted."""
    called = addresses_in(text)
    named = [a for a in called if not is_ip(a.host)]
    wanted = _NAMES.search(text)
    if not called and wanted is not None:
        return Address(host=wanted[2].lower().rstrip("."), port=None)
    return next(iter((*named, *called)), None)


def _times(case: Case, complaint: _Complaint) -> tuple[Statement, ...]:
    """When it ended or begins; and whether the clock that judged it is to be trusted."""
    found = _TIMES.search(complaint.text)
    now, bound = (_moment(found[1]), _moment(found[2])) if found else (0, 0)
    if not now or not bound:
        return ()
    span = lasting(abs(now - bound))
    day = datetime.fromtimestamp(bound / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = (
        f"It ended on {day}, {span} before it was looked at."
        if now > bound
        else f"It begins on {day}, {span} after it was looked at."
    )
    if complaint.at_us and abs(now - complaint.at_us) > SKEW_US:
        text += (
            f" The program's clock is off by {lasting(abs(now - complaint.at_us))}: look there "
            "first."
        )
    return said(case, text, complaint.key)


def _names(case: Case, complaint: _Complaint) -> tuple[Statement, ...]:
    found = _NAMES.search(complaint.text)
    if found is None:
        return ()
    return said(
        case,
        f"It is made out to {one_line(found[1], 120)}, and was asked for as "
        f"{one_line(found[2], 120)}.",
        complaint.key,
    )


def _peer(case: Case, meant: ObjectRef | None) -> tuple[Statement, ...]:
    service = service_named(case, meant) if meant else None
    if service is None:
        return ()
    return said(
        case,
        f"It is shown by what stands behind Service {one_line(service.metadata.name, 80)}.",
        object_key(service.metadata),
    )


def _subject(case: Case, meant: ObjectRef | None) -> ObjectRef | None:
    service = service_named(case, meant) if meant else None
    return service_ref(service) if service else meant


def _moment(text: str) -> int:
    try:
        return epoch_us(datetime.fromisoformat(text.rstrip(".,;)")))
    except ValueError:
        return 0
