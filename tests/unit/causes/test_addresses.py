"""What texts say of hosts, and which Service a host means."""

import time

import msgspec
import pytest

from copilot.causes.addresses import (
    addresses_in,
    bare_host,
    service_meant,
    settings,
    why_not_in_cluster,
)
from copilot.domain.objects import ConfigMapVolume, DnsConfig, PodSpec, Volume
from tests.builders_around import a_config_map
from tests.builders_net import a_caller, a_caller_case


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://api/v1", ["api:80"]),
        ("https://api.shop.svc.cluster.local:8443/x", ["api.shop.svc.cluster.local:8443"]),
        ("postgres://app:pw@db:5433/main", ["db:5433"]),
        ("postgres://app:pw@db/main", ["db:5432"]),
        ("amqp://queue", ["queue:5672"]),
        ("db:5432", ["db:5432"]),
        ("kafka-0.kafka:9092,kafka-1.kafka:9092", ["kafka-0.kafka:9092", "kafka-1.kafka:9092"]),
        (
            'Get "http://web/": dial tcp 10.96.0.87:80: connect: refused',
            ["web:80", "10.96.0.87:80"],
        ),
        ("2026/11/27 14:38:22 nothing here", []),
        ("ratio 3:1 and 12:30", []),
        ("http://localhost:8080 and 127.0.0.1:53", []),
        ("listening on 0.0.0.0:8080", []),
        ("db:99999", []),
        ("main.go:42: status:503", []),
        ("Failed to connect to api port 80: Connection refused", ["api:80"]),
        ('connection to server at "db" (10.96.0.9), port 5432 failed', ["db:5432"]),
        ("HTTPConnectionPool(host='api', port=80): Max retries exceeded", ["api:80"]),
        ("Error 111 connecting to redis:6379. Connection refused.", ["redis:6379"]),
    ],
)
def test_urls_and_host_and_port_are_addresses(text: str, found: list[str]) -> None:
    assert [str(a) for a in addresses_in(text)] == found


@pytest.mark.parametrize(
    ("name", "value", "is_host"),
    [
        ("DB_HOST", "db", True),
        ("BACKEND_URL", "api.shop", True),
        ("HOST", "localhost", False),
        ("LOG_LEVEL", "debug", False),
        ("DB_HOST", "two words", False),
        ("DB_HOST", "x" * 300, False),
    ],
)
def test_a_whole_value_is_a_host_where_its_name_says_so(
    name: str, value: str, is_host: bool
) -> None:
    assert (bare_host(name, value) is not None) is is_host


@pytest.mark.parametrize("text", ["a" * 200_000, "a-" * 100_000, "x:" * 100_000, "h://" * 50_000])
def test_hostile_text_is_read_in_bounded_time(text: str) -> None:
    began = time.perf_counter()

    addresses_in(text)

    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("host", "meant"),
    [
        ("api", "demo/api"),
        ("api.shop", "shop/api"),
        ("api.shop.svc", "shop/api"),
        ("api.shop.svc.cluster.local", "shop/api"),
        ("api.shop.svc.cluster.local.", "shop/api"),
        ("db-0.db.shop.svc.cluster.local", "shop/db"),
        ("api.example", None),
        ("api.example.com", None),
        ("api.shop.svc.example.com", None),
        ("10.0.0.1", None),
        ("a..b", None),
    ],
)
def test_a_host_means_a_service_of_a_namespace(host: str, meant: str | None) -> None:
    found = service_meant(host, "demo", ("demo", "shop"))

    assert (f"{found.namespace}/{found.name}" if found else None) == meant


@pytest.mark.parametrize(
    ("spec", "host", "word"),
    [
        (PodSpec(), "api", ""),
        (PodSpec(dns_policy="Default"), "api", "dnsPolicy is Default"),
        (PodSpec(dns_policy="Default"), "api.demo.svc.cluster.local", "dnsPolicy is Default"),
        (PodSpec(dns_policy="ClusterFirst", host_network=True), "api", "node's network"),
        (PodSpec(dns_policy="ClusterFirstWithHostNet", host_network=True), "api", ""),
        (
            PodSpec(
                dns_policy="None",
                dns_config=DnsConfig(nameservers=["10.96.0.10"], searches=["example.org"]),
            ),
            "api",
            "does not search demo.svc.cluster.local",
        ),
        (
            PodSpec(
                dns_policy="None",
                dns_config=DnsConfig(nameservers=["10.96.0.10"], searches=["example.org"]),
            ),
            "api.demo.svc.cluster.local",
            "",
        ),
        (
            PodSpec(dns_policy="None", dns_config=DnsConfig(nameservers=["8.8.8.8"])),
            "api.demo.svc.cluster.local",
            "asks 8.8.8.8",
        ),
        (
            PodSpec(
                dns_policy="None",
                dns_config=DnsConfig(
                    nameservers=["10.96.0.10"], searches=["demo.svc.cluster.local"]
                ),
            ),
            "api",
            "",
        ),
    ],
)
def test_a_pods_dns_settings_may_keep_it_from_services(spec: PodSpec, host: str, word: str) -> None:
    why = why_not_in_cluster(spec, "demo", host)

    assert word in why
    assert bool(word) is bool(why)


def test_variables_arguments_and_config_maps_tell_addresses() -> None:
    caller = a_caller(
        {"API_URL": "http://api/v1", "DB_HOST": "db", "DB_PORT": "5433", "MODE": "fast"},
        args=["--broker=queue:5672"],
    )
    mounts = Volume(name="conf", config_map=ConfigMapVolume(name="settings"))
    spec = msgspec.structs.replace(caller.spec, volumes=[mounts])
    own = msgspec.structs.replace(caller, spec=spec)
    maps = [a_config_map("settings", cache="redis://cache"), a_config_map("other", x="y:1")]

    found = settings(a_caller_case(caller=own, config_maps=maps))

    assert [(str(s.address), s.words) for s in found] == [
        ("api:80", "variable API_URL"),
        ("db:5433", "variable DB_HOST"),
        ("queue:5672", "an argument"),
        ("cache:6379", "ConfigMap settings, key cache"),
    ]
    assert found[1].port_variable == "DB_PORT"
