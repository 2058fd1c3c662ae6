"""How connections fail, in the words of many programs."""

import time

import pytest

from copilot.causes.certificate_invalid import certificate_invalid
from copilot.causes.connecting import How, calls, how_of, unresolved_name
from copilot.domain.alert import Rule
from tests.builders_case import an_alert
from tests.builders_net import a_caller, a_caller_case, a_service, late, refused


@pytest.mark.parametrize(
    ("line", "how"),
    [
        (refused("api"), How.REFUSED),
        (late("api"), How.TIMEOUT),
        ("dial tcp: lookup wbe on 10.99.0.1:53: server misbehaving", How.UNRESOLVED),
        ("dial tcp: lookup web on 127.0.0.1:53: read: connection refused", How.UNRESOLVED),
        ("wget: bad address 'api'", How.UNRESOLVED),
        ("curl: (6) Could not resolve host: api", How.UNRESOLVED),
        ("curl: (7) Failed to connect to api port 80: Connection refused", How.REFUSED),
        ("Error: getaddrinfo ENOTFOUND api", How.UNRESOLVED),
        ("connect ECONNREFUSED 10.96.0.87:5432", How.REFUSED),
        ("Connection to db:5432 refused. Check that the hostname and port are right", How.REFUSED),
        ("Can't connect to MySQL server on 'db:3306' (111)", How.REFUSED),
        ("java.net.UnknownHostException: api: Name or service not known", How.UNRESOLVED),
        ("socket.gaierror: [Errno -2] Name or service not known", How.UNRESOLVED),
        ("dial tcp 10.96.0.190:8080: connect: no route to host", How.UNREACHABLE),
        ("read tcp 10.0.0.1:1->10.0.0.2:2: read: connection reset by peer", How.RESET),
        ("upstream returned HTTP/1.1 503 Service Unavailable", How.ANSWERED),
        ("GET /x 200 OK in 500 ms", None),
        ("processed 503 records", None),
    ],
)
def test_a_line_tells_how_a_connection_fails(line: str, how: How | None) -> None:
    assert how_of(line) is how


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('Get "http://wbe/": dial tcp: lookup wbe on 10.99.0.1:53: server misbehaving', "wbe"),
        ("wget: bad address 'api.shop'", "api.shop"),
        ("curl: (6) Could not resolve host: api", "api"),
        ("Error: getaddrinfo ENOTFOUND api api:5432", "api"),
        ("java.net.UnknownHostException: Api", "api"),
        ('could not translate host name "db" to address: Name or service not known', "db"),
        ("** server can't find web.example.org: REFUSED", "web.example.org"),
        ("failed to fetch http://api/v1: Name or service not known", "api"),
        ("socket.gaierror: [Errno -2] Name or service not known", ""),
    ],
)
def test_a_line_tells_which_name_does_not_resolve(line: str, name: str) -> None:
    assert unresolved_name(line) == name


@pytest.mark.parametrize("text", ["lookup " * 30_000, "resolve '" * 30_000, "x" * 200_000])
def test_hostile_lines_are_read_in_bounded_time(text: str) -> None:
    began = time.perf_counter()

    how_of(text)
    unresolved_name(text)

    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("main.go:42: dial tcp 10.96.0.87:80: connect: connection refused", 80),
        ("wget: can't connect to remote host (10.96.0.87): Connection refused", None),
    ],
)
def test_a_cluster_ip_means_the_service_that_has_it(line: str, port: int | None) -> None:
    (call,) = calls(a_caller_case(line, services=[a_service()]))

    assert (call.meant.name, call.port) == ("api", port)


def test_a_line_without_an_address_means_the_only_service_that_the_settings_name() -> None:
    caller = a_caller({"API_URL": "http://api/v1"})
    case = a_caller_case("connection refused", caller=caller, services=[a_service()])

    (call,) = calls(case)

    assert (call.meant.name, call.port) == ("api", 80)
    assert call.setting is not None


def test_a_line_without_an_address_means_none_of_two() -> None:
    caller = a_caller({"API_URL": "http://api/v1", "DB_HOST": "db"})

    assert calls(a_caller_case("connection refused", caller=caller)) == ()


def test_what_went_well_later_is_over() -> None:
    case = a_caller_case(refused("api"), "GET http://api/ 200 OK", services=[a_service()])

    assert calls(case) == ()


@pytest.mark.parametrize(
    "later",
    ["GET http://db/ 200 OK", "GET http://api-v2/ 200", "all is ok", "retrying http://api/ in 2 s"],
)
def test_what_only_goes_well_elsewhere_or_is_tried_again_is_not_over(later: str) -> None:
    assert calls(a_caller_case(refused("api"), later, services=[a_service()]))


@pytest.mark.parametrize("rule", [Rule.OOM_KILLED, Rule.IMAGE_PULL, Rule.UNSCHEDULABLE])
def test_trouble_of_ones_own_is_not_laid_on_others(rule: Rule) -> None:
    case = a_caller_case(
        refused("api"),
        "x509: certificate has expired",
        services=[a_service()],
        alerts=[an_alert(rule, "shop")],
    )

    assert calls(case) == ()
    assert certificate_invalid(case) is None
