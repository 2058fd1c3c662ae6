"""Where a server is: what an address says, and what it may not say."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from copilot.domain.errors import Invalid
from copilot.store.mysql import Address, parse_address
from tools.test_store import url_of


def test_an_address_says_everything() -> None:
    address = parse_address("tidb://me.root:p%40ss%2F@db.example:4001/incidents?ssl_ca=/ca.pem")

    assert address == Address(
        host="db.example",
        port=4001,
        user="me.root",
        password="p@ss/",
        database="incidents",
        authority=Path("/ca.pem"),
    )


@pytest.mark.parametrize(
    ("url", "port"), [("tidb://u@h/d", 4000), ("mysql://u@h/d", 3306), ("mariadb://u@h/d", 3306)]
)
def test_the_port_is_that_of_its_kind(url: str, port: int) -> None:
    assert parse_address(url).port == port


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u@h/d",
        "tidb://u@h",
        "tidb://h/d",
        "tidb:///d",
        "tidb://u@h/d/e",
        "tidb://u@h:port/d",
        "tidb://u@h/d?sslmode=disable",
        "tidb://u@h/d?ssl=maybe",
        "tidb://u@db.example/d?ssl=off",
    ],
)
def test_what_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        parse_address(url)


def test_the_server_is_always_verified() -> None:
    context = parse_address("tidb://u@db.example/d").tls()

    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_loopback_may_go_without_tls_when_asked() -> None:
    assert parse_address("mysql://u@127.0.0.1/d?ssl=off").tls() is None
    assert parse_address("mysql://u@127.0.0.1/d").tls() is not None


def test_an_authority_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no certificate"):
        parse_address(f"tidb://u@h/d?ssl_ca={tmp_path}/none.pem").tls()


def test_an_address_is_shown_without_its_password() -> None:
    address = parse_address("tidb://u:hunter2@h/d")

    assert "hunter2" not in f"{address} {address!r}"


@pytest.mark.parametrize(
    "password", ["hunter2/x", "12?hunter2", "hunter2#x", "[hunter2", "12/hunter2"]
)
def test_a_password_whose_signs_are_not_escaped_is_not_told(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_address(f"tidb://u:{password}@h:4000/d")

    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize("way", ["plain", "authority", "system"])
def test_the_suites_run_on_the_very_address_that_was_given(way: str) -> None:
    address = Address(host="127.0.0.1", port=4000, user="me.root", password="p@/?", database="d")
    if way == "plain":
        address = replace(address, is_plain=True)
    if way == "authority":
        address = replace(address, authority=Path("/a b/ca.pem"))

    assert parse_address(url_of(address, "tidb")) == address
