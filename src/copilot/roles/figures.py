"""What this process counts of itself: every name on `/metrics`, in one place.

Labels come from closed sets (routes, legs, sources, levels): nothing that a sender, a cluster or a
person wrote is a label.
"""

from __future__ import annotations

import platform
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from copilot import __version__
from copilot.domain.errors import CopilotError
from copilot.domain.retention import Tier
from copilot.meters import Counter, Gauge, Histogram, text_of

Clocked = Callable[[], float]

STORED = "stored"
DUPLICATE = "duplicate"
SET_ASIDE = "set_aside"
REFUSED = "refused"


class Figures:
    """The instruments of one process."""

    def __init__(self, *, roles: str = "", clock: Clocked = time.monotonic) -> None:
        # `roles`: which the process plays, for people.
        self._roles = roles
        self._clock = clock
        self.requests = Histogram(
            "copilot_http_request_duration_seconds",
            "Time to answer a request, by route template, method and status class.",
            ("route", "method", "status"),
        )
        self.in_flight = Gauge("copilot_http_requests_in_flight", "Requests being answered.")
        self.sockets = Gauge("copilot_live_connections", "Screens that follow the live feed.")
        self.legs = Histogram(
            "copilot_leg_duration_seconds",
            "Time of a leg or of queued work, by leg and outcome (ok, failed, lost, bug).",
            ("leg", "outcome"),
        )
        self.received = Counter(
            "copilot_ingest_records_received_total",
            "Records that senders sent; a body that nothing can be read of is one record.",
            ("source",),
        )
        self.kept = Counter(
            "copilot_ingest_records_total",
            "What became of received records: stored, duplicate, set_aside, refused.",
            ("source", "outcome"),
        )
        self.bytes_in = Counter(
            "copilot_ingest_bytes_total", "Bytes of bodies, as they were sent.", ("source",)
        )
        self.bytes_waiting = Gauge(
            "copilot_ingest_in_flight_bytes", "Bytes of bodies that are being received or stored."
        )
        self.retired = Counter(
            "copilot_retired_total", "What retention has retired, by tier.", ("tier",)
        )
        self.deliveries = Counter(
            "copilot_notifications_total",
            "Messages to people, by channel and delivery.",
            ("channel", "delivery"),
        )
        self.troubles = Gauge(
            "copilot_trouble",
            "1 while the co-pilot has this trouble of its own, else 0.",
            ("what",),
        )
        self.jobs = Gauge(
            "copilot_jobs_due", "Work that is due, by queue and state.", ("queue", "state")
        )
        self.jobs_oldest = Gauge(
            "copilot_jobs_oldest_seconds", "How long the oldest due work has been due.", ("queue",)
        )
        self.outbox = Gauge("copilot_outbox_waiting", "Messages to people that wait to be sent.")
        self.outbox_tries = Gauge(
            "copilot_outbox_tries", "The most tries that a waiting message has had."
        )
        self.outbox_oldest = Gauge(
            "copilot_outbox_oldest_seconds",
            "How long the oldest message has been due and not taken.",
        )
        self.incidents = Gauge("copilot_incidents_open", "Incidents that are not resolved.")
        self.proposals = Gauge(
            "copilot_proposals_waiting", "Incidents whose fix waits for a person's approval."
        )
        self.lines = Gauge("copilot_lines_stored", "Log lines in the store.")
        self.events = Gauge("copilot_events_stored", "Rows in the store.")
        self.points = Gauge("copilot_metric_points_stored", "Metric points in the store.")
        self.spans = Gauge("copilot_spans_stored", "Spans in the store.")
        self.templates = Gauge("copilot_templates", "Kinds of log lines that are known.")
        self.set_aside = Gauge(
            "copilot_records_set_aside", "Records in the store that could not be decoded."
        )
        self.index_documents = Gauge("copilot_index_documents", "Texts that search is to find.")
        self.index_words = Gauge(
            "copilot_index_words_waiting", "Texts whose words are not indexed."
        )
        self.index_vectors = Gauge(
            "copilot_index_vectors_waiting", "Texts whose meaning is not indexed."
        )
        self.probe = Gauge(
            "copilot_store_probe_seconds", "How long the last small question to the store took."
        )
        self.watch_lag = Gauge(
            "copilot_watcher_lag_seconds", "Age of the oldest change of the cluster not yet stored."
        )
        self.watch_troubles = Gauge(
            "copilot_watcher_troubles", "What of the cluster cannot be followed at the moment."
        )
        self.disk_free = Gauge("copilot_disk_free_bytes", "Free space where the data folder lies.")
        self.disk_size = Gauge("copilot_disk_size_bytes", "Size of the disk of the data folder.")
        self.looked_at = Gauge(
            "copilot_figures_timestamp_seconds", "When what lies in the store was counted last."
        )
        self.embedder_texts = Gauge("copilot_embedder_texts", "Texts given to the embedder.")
        self.embedder_tokens = Gauge("copilot_embedder_tokens", "Their tokens.")
        self.embedder_cost = Gauge("copilot_embedder_cost_usd", "What that cost, in US dollars.")
        self.embedder_failures = Gauge("copilot_embedder_failures", "Answers of no use.")
        self.model_calls = Gauge(
            "copilot_model_calls", "Turns with the language model, by outcome.", ("outcome",)
        )
        self.model_tokens = Gauge(
            "copilot_model_tokens", "Tokens of the language model, by direction.", ("direction",)
        )
        self.model_seconds = Gauge("copilot_model_seconds", "Time waited for the language model.")
        self.model_cost = Gauge(
            "copilot_model_cost_usd", "What it cost, by the prices that are set."
        )
        for tier in Tier:
            self.retired.add(tier, n=0)

    @contextmanager
    def leg(self, name: str) -> Iterator[None]:
        """Counts what is done inside as one run of a leg, by how it ends."""
        began, outcome = self._clock(), "lost"
        try:
            yield
            outcome = "ok"
        except Exception as error:
            outcome = "failed" if _is_expected(error) else "bug"
            raise
        finally:
            self.legs.observe(name, outcome, value=self._clock() - began)

    def text(self) -> str:
        """The page, without asking anybody."""
        return text_of([*self._own(), *_process(self._roles)])

    def _own(self) -> Iterable[Counter | Histogram]:
        return (one for one in vars(self).values() if isinstance(one, Counter | Histogram))


def _is_expected(error: BaseException) -> bool:
    """Whether an error of ours ended it, in however many groups of tasks."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return isinstance(error, CopilotError)


def _process(roles: str) -> list[Counter]:
    """What the system says of this process, under the names that every dashboard knows."""
    build = Gauge("copilot_build_info", "The program.", ("version", "python", "roles"))
    build.set(__version__, platform.python_version(), roles, value=1)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = Counter("process_cpu_seconds_total", "CPU time, user and system.")
    cpu.add(n=used.ru_utime + used.ru_stime)
    memory = Gauge("process_resident_memory_bytes", "Resident memory.")
    memory.set(value=_resident_bytes(used.ru_maxrss * 1024))
    return [build, cpu, memory]


def _resident_bytes(at_most: int) -> int:
    """As Linux has it; elsewhere the most it ever was."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return at_most
    return pages * resource.getpagesize()
