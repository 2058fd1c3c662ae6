"""A webhook that must be asked does not answer, and so nothing is let in."""

from __future__ import annotations

import re

from copilot.causes.changed import changed
from copilot.causes.citing import concluded, object_key, said
from copilot.causes.failures import is_gone, is_ready
from copilot.causes.refusals import Refusal, refused_creations
from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import ObjectRef, Service
from copilot.domain.surroundings import Webhook, WebhookConfiguration

SAID = 0.93
SHOWN = 0.97
_FAILED = re.compile(r'failed calling webhook "([^"]+)"')
_WAYS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("service_missing", re.compile(r'service "[^"]+" not found')),
    ("no_endpoints", re.compile(r"no endpoints available|connection refused|no route to host")),
    ("timeout", re.compile(r"deadline exceeded|timed? ?out|i/o timeout", re.IGNORECASE)),
    ("certificate", re.compile(r"x509|tls:|certificate", re.IGNORECASE)),
)
_SAID = {
    "service_missing": "its Service does not exist",
    "no_endpoints": "nobody answers at its Service",
    "timeout": "it does not answer in time",
    "certificate": "its certificate is not trusted",
    "": "it cannot be asked",
}


def admission_webhook_down(case: Case) -> Hypothesis | None:
    """Supported by the API server's own words, surer where configuration and Service show it."""
    for refusal in refused_creations(case):
        found = _FAILED.search(refusal.text)
        if not found:
            continue
        way = next((way for way, sign in _WAYS if sign.search(refusal.text)), "")
        configuration, webhook = webhook_named(case, found[1])
        shown = _shown(case, webhook)
        return concluded(
            Cause.ADMISSION_WEBHOOK_DOWN,
            title=f"Webhook {one_line(found[1], 80)} is asked before every pod, and {_SAID[way]}",
            verdict=Verdict.SUPPORTED,
            confidence=SHOWN if shown else SAID,
            supporting=(
                *_told(case, refusal, configuration, webhook),
                *shown,
                *(
                    changed(case, configuration.kind, configuration.metadata.name)
                    if configuration
                    else ()
                ),
            ),
            subject=_subject(configuration, found[1]),
            detail=way,
        )
    return None


def webhook_named(case: Case, name: str) -> tuple[WebhookConfiguration | None, Webhook | None]:
    """The configuration that holds a webhook of this name, and the webhook."""
    for configuration in case.surroundings.webhooks:
        for webhook in configuration.webhooks or ():
            if webhook.name == name:
                return configuration, webhook
    return None, None


def _told(
    case: Case,
    refusal: Refusal,
    configuration: WebhookConfiguration | None,
    webhook: Webhook | None,
) -> tuple[Statement, ...]:
    words = said(case, f"It was refused: {one_line(refusal.text, 300)}.", *refusal.keys)
    if configuration is None or webhook is None:
        return words
    at = webhook.client_config.service
    where = f" asks Service {at.namespace}/{at.name}" if at else " asks an address of its own"
    return (
        *words,
        *said(
            case,
            f"{configuration.kind} {configuration.metadata.name}{where}; where that does not "
            f"answer, its failure policy is {webhook.failure_policy}.",
            object_key(configuration.metadata),
        ),
    )


def _shown(case: Case, webhook: Webhook | None) -> tuple[Statement, ...]:
    """What is behind the webhook's Service, as far as it is in this namespace or named."""
    at = webhook.client_config.service if webhook else None
    if at is None:
        return ()
    configuration, _ = webhook_named(case, webhook.name if webhook else "")
    keys = (object_key(configuration.metadata),) if configuration else ()
    around = case.surroundings
    here = at.namespace == case.incident.namespace
    service = next((s for s in around.services if here and s.metadata.name == at.name), None)
    if service is not None:
        return _nobody_behind(case, service)
    is_elsewhere = any(
        s.namespace == at.namespace and s.name == at.name for s in around.remote_services
    )
    if is_elsewhere or "Service" not in around.listed:
        return ()
    return said(case, f"There is no Service {at.namespace}/{at.name}.", *keys)


def _nobody_behind(case: Case, service: Service) -> tuple[Statement, ...]:
    wanted = (service.spec.selector or {}).items()
    picked = [
        p
        for p in (*case.surroundings.pods, *case.pods)
        if wanted and wanted <= (p.metadata.labels or {}).items() and not is_gone(p)
    ]
    if "Pod" not in case.surroundings.listed or any(is_ready(p) for p in picked):
        return ()
    what = "no pod of it is ready" if picked else "its selector picks no pod"
    return said(
        case, f"Service {service.metadata.name} is there, but {what}.", object_key(service.metadata)
    )


def _subject(configuration: WebhookConfiguration | None, name: str) -> ObjectRef:
    if configuration is None:
        return ObjectRef(kind="ValidatingWebhookConfiguration", namespace="", name=name)
    meta = configuration.metadata
    return ObjectRef(kind=configuration.kind, namespace="", name=meta.name, uid=meta.uid)
