"""The ingestion role: every sender's door, as raw routes without models on the way.

A 2xx means durable: it is given after `receive` returned. What cannot be stored just now is refused
with 429 or 503, on which senders keep their data; any other 4xx makes Fluent Bit drop its chunk, so
it is given only where nothing in a body can be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec
import structlog
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from copilot.domain.errors import Busy, Clash, CopilotError, TooLarge, Unavailable
from copilot.domain.event import Batch
from copilot.ingest.doors import Door, decode, source_of
from copilot.ingest.inflate import MAX_BODY_BYTES
from copilot.ports import Clock, StoredBatch
from copilot.roles.figures import DUPLICATE, REFUSED, SET_ASIDE, STORED, Figures
from copilot.roles.health import Health
from copilot.roles.muffled import Muffled
from copilot.roles.problems import problem

log = structlog.get_logger(__name__)

OFF_LOOP_BYTES = 64 * 1024
"""Larger bodies, and all compressed ones, are decoded in a thread."""
MAX_IN_FLIGHT_BYTES = 256 * 1024 * 1024
DECODING = 2
"""Bodies decoded at once: more only wait for each other, and for memory."""
RETRY_AFTER_S = 2

Receive = Callable[[Batch], Awaitable[object]]
Authenticate = Callable[[Request], Awaitable[str]]

_PATHS = {
    "/ingest": Door.INGEST,
    "/ingest/{format:path}": Door.INGEST,
    "/v1/logs": Door.OTLP_LOGS,
    "/v1/traces": Door.OTLP_TRACES,
    "/v1/metrics": Door.OTLP_METRICS,
    "/alertmanager": Door.ALERTMANAGER,
}


class Accepted(msgspec.Struct):
    """The answer to what is not OTLP."""

    stored: int
    set_aside: int
    repeat: bool


def ingestion_routes(
    receive: Receive,
    *,
    authenticate: Authenticate,
    clock: Clock,
    default_cluster: str,
    figures: Figures | None = None,
    health: Health | None = None,
) -> list[Route]:
    """The routes of every sender.

    `receive` makes a batch durable; `authenticate` gives the sender's name or raises
    `Unauthenticated`.
    """
    ingestion = _Ingestion(
        receive,
        authenticate,
        clock,
        default_cluster,
        figures=figures or Figures(),
        health=health,
        muffled=Muffled(clock),
    )
    return [
        Route(path, ingestion.endpoint(door), methods=["POST"], name=f"{door}:{path}")
        for path, door in _PATHS.items()
    ]


@dataclass(slots=True)
class _Ingestion:
    receive: Receive
    authenticate: Authenticate
    clock: Clock
    default_cluster: str
    figures: Figures
    health: Health | None
    muffled: Muffled
    in_flight_bytes: int = 0
    decoding: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DECODING))

    def endpoint(self, door: Door) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                return await self._take(door, request)
            except CopilotError as error:
                return self._refusal(door, error)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is there to read it

        return handle

    async def _take(self, door: Door, request: Request) -> Response:
        try:
            sender = await self.authenticate(request)
        except Busy as error:  # somebody guesses from there
            if door is Door.ALERTMANAGER:  # which gives up on 429
                raise Unavailable(error.message) from error
            raise
        body = await self._body(request)
        source = source_of(door)
        self.figures.bytes_in.add(source, n=len(body))
        self.figures.bytes_waiting.set(value=self.in_flight_bytes)
        try:
            batch = await self._read(door, body, request.headers, sender)
            with self.figures.leg("receive"):
                outcome = await self._counted(batch)
        finally:
            self.in_flight_bytes -= len(body)
            self.figures.bytes_waiting.set(value=self.in_flight_bytes)
        return _answer(door, request.headers, batch, outcome)

    async def _read(
        self, door: Door, body: bytes, headers: Mapping[str, str], sender: str
    ) -> Batch:
        """Decoded, and counted as received; a body that nothing can be read of is one record."""
        try:
            batch = await self._decode(door, body, headers, sender)
        except CopilotError:
            self.figures.received.add(source_of(door))
            self.figures.kept.add(source_of(door), REFUSED)
            raise
        self.figures.received.add(batch.source, n=batch.n_records + len(batch.set_aside))
        return batch

    async def _counted(self, batch: Batch) -> Accepted:
        """Kept, and counted by what became of each record."""
        n, n_aside = batch.n_records, len(batch.set_aside)
        try:
            outcome = await self._keep(batch)
        except BaseException:  # whatever it is, the sender is told to come again
            self.figures.kept.add(batch.source, REFUSED, n=n + n_aside)
            raise
        if outcome.repeat:
            n_aside = 0  # they lie there from the first time
        for became, count in (
            (STORED, outcome.stored),
            (SET_ASIDE, n_aside),
            (DUPLICATE, n + len(batch.set_aside) - n_aside - outcome.stored),
        ):
            if count:
                self.figures.kept.add(batch.source, became, n=count)
        return outcome

    async def _body(self, request: Request) -> bytes:
        """The whole body, counted as in flight once it is here.

        Raises:
            TooLarge: over `MAX_BODY_BYTES`.
            Unavailable: too much is under way already.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
            raise TooLarge(f"the body is over {MAX_BODY_BYTES:,} bytes")
        parts: list[bytes] = []
        taken = 0
        try:
            async for part in request.stream():
                taken += len(part)
                self.in_flight_bytes += len(part)
                if taken > MAX_BODY_BYTES:
                    raise TooLarge(f"the body is over {MAX_BODY_BYTES:,} bytes")
                if self.in_flight_bytes > MAX_IN_FLIGHT_BYTES:
                    raise Unavailable("too much is being received at once; send it again later")
                parts.append(part)
        except BaseException:
            self.in_flight_bytes -= taken
            raise
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _decode(
        self, door: Door, body: bytes, headers: Mapping[str, str], sender: str
    ) -> Batch:
        def work() -> Batch:
            return decode(
                door,
                body,
                headers,
                sender=sender,
                received_us=self.clock.now_us(),
                default_cluster=self.default_cluster,
            )

        is_small = len(body) <= OFF_LOOP_BYTES and "content-encoding" not in headers
        if is_small:
            batch = work()
        else:
            async with self.decoding:
                batch = await asyncio.to_thread(work)
        self._tell(batch, sender)
        return batch

    def _tell(self, batch: Batch, sender: str) -> None:
        if batch.set_aside:
            before = self.muffled.left_out("set_aside", batch.source, sender)
            if before is not None:
                log.warning(
                    "ingest.set_aside",
                    source=batch.source,
                    sender=sender,
                    count=len(batch.set_aside),
                    reason=batch.set_aside[0].reason,
                    left_out=before,
                )
        for note in batch.notes[:1]:
            before = self.muffled.left_out("odd", batch.source, sender)
            if before is not None:
                log.warning(
                    "ingest.odd", source=batch.source, sender=sender, note=note, left_out=before
                )

    async def _keep(self, batch: Batch) -> Accepted:
        """Makes it durable. An empty request is fine and stores nothing."""
        n_set_aside = len(batch.set_aside)
        if not batch.n_records and not n_set_aside:
            return Accepted(stored=0, set_aside=0, repeat=False)
        try:
            stored = await self.receive(batch)
        except Busy as error:
            # Alertmanager gives up on 429 and tries again on 503; the others keep data on both.
            raise Unavailable(error.message) from error
        if isinstance(stored, StoredBatch):
            n_stored, is_repeat = stored.n_stored, stored.is_repeat
        else:
            n_stored, is_repeat = batch.n_records, False
        return Accepted(stored=n_stored, set_aside=n_set_aside, repeat=is_repeat)

    def _refusal(self, door: Door, error: CopilotError) -> Response:
        response = problem(error.status, type(error).__name__, error.message, **error.detail)
        if isinstance(error, Busy | Clash | Unavailable):
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
            if self.health is not None:
                self.health.refused()
        if error.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        before = self.muffled.left_out("refused", door, error.status)
        if error.status < 500 and before is not None:
            log.warning(
                "ingest.refused",
                door=door,
                status=error.status,
                reason=error.message,
                left_out=before,
            )
        return response


def _answer(door: Door, headers: Mapping[str, str], batch: Batch, outcome: Accepted) -> Response:
    reply = _otlp_reply(door, batch)
    if reply is None:
        return Response(msgspec.json.encode(outcome), media_type="application/json")
    if headers.get("content-type", "").startswith("application/json"):
        return Response(MessageToJson(reply, indent=None), media_type="application/json")
    return Response(reply.SerializeToString(), media_type="application/x-protobuf")


def _otlp_reply(door: Door, batch: Batch) -> Message | None:
    """What OTLP answers: nothing where all was accepted, else how many were not, and why."""
    n_rejected = len(batch.set_aside)
    reason = batch.set_aside[0].reason if batch.set_aside else ""
    match door:
        case Door.OTLP_LOGS:
            logs = ExportLogsServiceResponse()
            if n_rejected:
                logs.partial_success.rejected_log_records = n_rejected
                logs.partial_success.error_message = reason
            return logs
        case Door.OTLP_TRACES:
            traces = ExportTraceServiceResponse()
            if n_rejected:
                traces.partial_success.rejected_spans = n_rejected
                traces.partial_success.error_message = reason
            return traces
        case Door.OTLP_METRICS:
            metrics = ExportMetricsServiceResponse()
            if n_rejected:
                metrics.partial_success.rejected_data_points = n_rejected
                metrics.partial_success.error_message = reason
            return metrics
        case Door.INGEST | Door.ALERTMANAGER:
            return None
