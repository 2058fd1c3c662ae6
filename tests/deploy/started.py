"""A co-pilot that somebody else's command starts, as a person meets it: by the link that it prints."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.cookiejar import CookieJar
from urllib.parse import urljoin
from urllib.request import HTTPCookieProcessor, build_opener

LINK = re.compile(r"http://127\.0\.0\.1:\d+\S*token=\S+")


class Visit:
    """What a browser would get; it keeps its session."""

    def __init__(self, link: str) -> None:
        self._link = link
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))
        self.page = self.got("")

    def got(self, path: str) -> str:
        with self._opener.open(urljoin(self._link, path)) as response:
            return str(response.read(), "utf-8")


@contextmanager
def started(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Visit]:
    with subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            found = next((hit for line in process.stdout if (hit := LINK.search(line))), None)
            assert found, f"it ended with {process.wait()} and printed no link"
            yield Visit(found[0])
        finally:
            process.terminate()
