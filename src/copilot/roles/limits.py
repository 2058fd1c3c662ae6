"""How often somebody may guess: by address, and all together, in bounded memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from copilot.domain.errors import Busy
from copilot.ports import Clock

MOST_ADDRESSES = 4096
"""Whoever has more to guess from meets the limit of all together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """So many at once, then one more each `every_s`."""

    burst: int
    every_s: float


@dataclass(slots=True)
class _Bucket:
    left: float
    at_us: int


class Guesses:
    """Counts what was wrong. Who was right pays nothing."""

    def __init__(self, clock: Clock, *, each: Allowance, all_together: Allowance) -> None:
        self._clock = clock
        self._each = each
        self._all = all_together
        self._by_address: OrderedDict[str, _Bucket] = OrderedDict()
        self._together = _Bucket(float(all_together.burst), clock.now_us())

    def check(self, address: str) -> None:
        """Raises: Busy where the address, or everybody, has been wrong too often."""
        bucket = self._by_address.get(_network(address))
        for one, allowance in ((bucket, self._each), (self._together, self._all)):
            if one is not None and self._left(one, allowance) < 1:
                raise Busy(
                    f"too many wrong attempts; wait {max(1, round(allowance.every_s))} s and try again"
                )

    def failed(self, address: str) -> None:
        """One more that was wrong."""
        network = _network(address)
        bucket = self._by_address.pop(network, None)
        if bucket is None:
            bucket = _Bucket(float(self._each.burst), self._clock.now_us())
        self._by_address[network] = bucket
        if len(self._by_address) > MOST_ADDRESSES:
            self._by_address.popitem(last=False)
        for one, allowance in ((bucket, self._each), (self._together, self._all)):
            one.left = max(0.0, self._left(one, allowance) - 1)
            one.at_us = self._clock.now_us()

    def _left(self, bucket: _Bucket, allowance: Allowance) -> float:
        waited_us = max(0, self._clock.now_us() - bucket.at_us)  # a clock may be set back
        gained = waited_us / 1_000_000 / allowance.every_s
        return min(float(allowance.burst), bucket.left + gained)


def _network(address: str) -> str:
    """The address, however it is told; of IPv6 what one customer is given whole."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return address
    if known.ipv4_mapped is not None:  # so a socket for both kinds tells it
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network(f"{known}/64", strict=False).network_address)
