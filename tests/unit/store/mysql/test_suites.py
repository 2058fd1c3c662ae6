"""How the suites come to a TiDB that somebody names: the way there, and nothing of it beyond."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from copilot.store.mysql import Address
from tests.servers import offers_tls
from tools.test_store import _from_loopback, environment, goes_without_tls

ADDRESS = Address(host="127.0.0.1", port=4000, user="root", password="", database="d")
_PROTOCOL_41, _SSL = 0x0200, 0x0800


@contextmanager
def greeting(capabilities: int) -> Iterator[int]:
    """The port of a server that greets as TiDB does, and no more."""
    said = (
        b"\x0a8.0.11-TiDB-v8.5.7\0" + bytes(4) + b"saltsalt\0" + capabilities.to_bytes(2, "little")
    )
    said += bytes(31)

    def greet() -> None:
        client, _ = server.accept()
        with client:
            client.sendall(len(said).to_bytes(3, "little") + b"\0" + said)

    with socket.create_server(("127.0.0.1", 0)) as server:
        beside = threading.Thread(target=greet)
        beside.start()
        yield server.getsockname()[1]
        beside.join()


@pytest.mark.parametrize("is_offered", [True, False])
def test_a_greeting_says_whether_there_is_tls(is_offered: bool) -> None:
    with greeting(_PROTOCOL_41 | (_SSL if is_offered else 0)) as port:
        assert offers_tls("127.0.0.1", port) == is_offered


@pytest.mark.parametrize("is_offered", [True, False])
def test_a_server_near_that_offers_no_tls_is_talked_to_without(is_offered: bool) -> None:
    with greeting(_SSL if is_offered else 0) as port:
        assert goes_without_tls(replace(ADDRESS, port=port), "") != is_offered


def test_tls_is_left_where_that_is_said_and_kept_where_an_authority_is_named() -> None:
    assert goes_without_tls(replace(ADDRESS, host="192.0.2.1", authority=Path("ca")), "off")
    assert not goes_without_tls(replace(ADDRESS, authority=Path("ca")), "")
    assert not goes_without_tls(ADDRESS, "on")


def test_a_server_far_away_is_never_asked_to_do_without() -> None:
    assert not goes_without_tls(replace(ADDRESS, host="8.8.8.8"), "")


def test_a_way_from_loopback_leads_there() -> None:
    with greeting(_SSL) as port, _from_loopback("127.0.0.1", port) as way:
        assert way != port
        assert offers_tls("127.0.0.1", way)


def test_the_suites_see_no_server_but_the_one_of_their_run() -> None:
    seen = environment(
        {"PATH": "/bin", "TIDB_HOST": "h", "COPILOT_STORE": "sqlite:"}, "tidb://u@h/d"
    )

    assert seen == {
        "PATH": "/bin",
        "COPILOT_TEST_STORE": "tidb://u@h/d",
        "COPILOT_STORE": "tidb://u@h/d",
    }
