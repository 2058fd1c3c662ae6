"""Log lines for the benchmarks: 60 kinds in a long tail, 133 bytes on average, and the requests that
bring them. The same seed gives the same lines; each carries an id that no other has."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

MEAN_BYTES = 133
_PODS = 40
_RUN = 25
"""Lines of one pod that follow each other."""
_SERVICES = ("checkout", "payments", "cart", "catalog", "shipping", "auth", "search", "ledger")
_VERBS = ("accepted", "completed", "queued", "rejected", "retried", "skipped", "started", "closed")
COMMON = _VERBS
"""Words that many lines have."""
_THINGS = ("order", "invoice", "session", "upload", "message", "snapshot", "shipment", "payment")
_PATHS = ("/api/v1/orders", "/api/v1/carts", "/healthz", "/api/v2/users", "/static/app.js")
_WORDS = ("alpha", "bravo", "delta", "ember", "frost", "grove", "haven", "ivory", "jolly", "karma")
_N_TEXT, _N_JSON = 50, 10


class Writer:
    """Writes lines; `n` counts them, and is in every one of them."""

    def __init__(self, seed: int = 1, *, warn_share: float = 0.0) -> None:
        self._random = random.Random(seed)
        self._warn_share = warn_share
        kinds = list(range(_N_TEXT + _N_JSON))
        self._random.shuffle(kinds)
        self._kinds = [kinds[service :: len(_SERVICES)] for service in range(len(_SERVICES))]
        self._weights = [1 / rank for rank in range(1, 9)]
        self.n = 0

    def lines(self, count: int, service: int = 0) -> list[str]:
        """So many more lines of a service: each has kinds of its own."""
        kinds = self._kinds[service % len(_SERVICES)]
        weights = self._weights[: len(kinds)]
        return [self._line(kind) for kind in self._random.choices(kinds, weights, k=count)]

    def _line(self, kind: int) -> str:
        self.n += 1
        pick = self._random.random
        a, b = int(pick() * 1e9), int(pick() * 1e9)
        verb, thing = _VERBS[kind % 8], _THINGS[kind // 8]
        word = _WORDS[a % 10]
        trace = id_of(self.n)
        level = "WARN" if pick() < self._warn_share else "INFO"
        if kind >= _N_TEXT:
            return (
                f'{{"level":"{level.lower()}","msg":"{thing} {verb} for tenant {word}",'
                f'"took_ms":{a % 977},"trace_id":"{trace}","host":"node-{b % 12}"}}'
            )
        if kind % 3 == 0:
            return (
                f"10.{a % 4}.{b % 256}.{a % 251} - - {level} GET {_PATHS[kind % 5]}/{b % 99991} "
                f"HTTP/1.1 200 {a % 65521} {verb} {thing} in {b % 977} ms request_id={trace} "
                f"agent=kube-probe/{kind}"
            )
        if kind % 3 == 1:
            return (
                f"{level} {thing} {a % 1000003} {verb} by worker-{b % 16} for {word} after "
                f"{b % 977}.{a % 10} ms, step {kind} of {kind + 2}, queue depth {b % 53}, "
                f"trace {trace} shard {a % 7}"
            )
        return (
            f"{level} [{_SERVICES[kind % 8]}] {verb} {thing} id={trace} user={a % 100003} "
            f"region={word} size={b % 1048573} attempt={kind % 4} took={a % 977}ms "
            f"cache=hit peer=10.{kind}.{b % 256}.{a % 251}"
        )


def id_of(number: int) -> str:
    """The id of the line that was written as the so many-th; of 0 and below no line's."""
    return f"{number * 0x9E3779B97F4A7C15 & (1 << 64) - 1:016x}"


class Requests:
    """Bodies as Fluent Bit's `http` output sends them, of `size` lines each; time goes on."""

    def __init__(
        self, writer: Writer, *, start_us: int, size: int = 1000, step_us: int = 20
    ) -> None:
        self._writer = writer
        self._now_us = start_us
        self._size = size
        self._step_us = step_us
        self._next_place = 0
        self._places = [_place(number) for number in range(_PODS)]

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield self.body()

    def body(self) -> bytes:
        """One more."""
        records = []
        places = [self._next_place + run for run in range(-(-self._size // _RUN))]
        self._next_place += len(places)
        lines = [line for place in places for line in self._writer.lines(_RUN, place)]
        for number, line in enumerate(lines[: self._size]):
            self._now_us += self._step_us
            seconds, micros = divmod(self._now_us, 1_000_000)
            records.append(
                {
                    "date": self._now_us / 1e6,
                    "time": f"{_clock(seconds)}.{micros:06d}{number % 1000:03d}Z",
                    "stream": "stdout",
                    "_p": "F",
                    "log": line + "\n",
                    "kubernetes": self._places[places[number // _RUN] % _PODS],
                }
            )
        return msgspec.json.encode(records)


def _clock(seconds: int) -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _place(number: int) -> dict[str, object]:
    service = _SERVICES[number % len(_SERVICES)]
    pod = f"{service}-7d4b9c6f5-{'bcdfghjklm'[number % 10]}{number:02d}xz".replace("0", "z")
    return {
        "pod_name": pod,
        "namespace_name": "shop" if number % 2 else "pay",
        "pod_id": f"5f6c1f0e-0000-4000-8000-{number:012d}",
        "labels": {"app": service, "pod-template-hash": "7d4b9c6f5"},
        "annotations": {"checksum/config": "0" * 32},
        "host": f"node-{number % 6}",
        "pod_ip": f"10.1.0.{number}",
        "container_name": "app",
        "docker_id": f"{number:064x}",
        "container_hash": f"registry.example/{service}@sha256:{number:064x}",
        "container_image": f"registry.example/{service}:1.4.2",
    }
