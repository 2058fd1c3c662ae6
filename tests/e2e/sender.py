"""Somebody who sends numbered lines all along, and what became of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from tests.beside import Beside
from tests.builders_ingest import JSON, a_record, as_json

SEND_EVERY_S = 0.25


@dataclass
class Sender(Beside):
    """Posts numbered lines all along; what was not acknowledged is sent again, byte for byte."""

    url: str
    token: str
    marker: str
    headers: Mapping[str, str] = field(default_factory=dict)
    acknowledged: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    def run(self) -> None:
        headers = {**JSON, **self.headers, "Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.url, headers=headers, trust_env=False) as http:
            number = 0
            while not self.over.wait(SEND_EVERY_S):
                body = as_json(a_record(f"{self.marker} line {number:05d}"))
                while not self._is_taken(http, body, number) and not self.over.wait(0.1):
                    pass
                number += 1

    def _is_taken(self, http: httpx.Client, body: bytes, number: int) -> bool:
        try:
            status = http.post("/ingest", content=body).status_code
        except httpx.TransportError:
            return False
        if status == 200:
            self.acknowledged.append(number)
        elif status < 500 and status != 429:
            self.refused.append(status)
        return status == 200


def numbers_found(client: httpx.Client, marker: str) -> Counter[int]:
    """How often each number is found by a search for the lines."""
    found: Counter[int] = Counter()
    after: str | None = ""
    while after is not None:
        query: dict[str, str | int] = {"q": f"kind:log {marker}", "limit": 200, "after": after}
        page = client.get("/api/search", params=query).raise_for_status().json()
        for hit in page["hits"]:
            if one := re.search(rf"{marker} line (\d+)", hit["snippet"]):
                found[int(one[1])] += 1
        after = page["next"] or None
    return found
