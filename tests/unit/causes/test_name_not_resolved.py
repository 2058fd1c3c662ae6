"""Names that nobody has, names that the pod cannot know, and names that are right."""

import msgspec
import pytest

from copilot.causes import explain
from copilot.causes.name_not_resolved import name_not_resolved
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict
from copilot.domain.objects import DnsConfig, EnvFromSource, PodSpec, SourceName
from tests.builders_around import a_config_map
from tests.builders_case import a_change
from tests.builders_net import a_caller, a_caller_case, a_policy, a_service, refused, unresolved
from tests.builders_objects import ago


def looked_at(case: Case) -> Hypothesis:
    found = name_not_resolved(case)
    assert found is not None
    return found


def test_a_name_that_nobody_has_is_supported_with_the_one_that_was_meant() -> None:
    found = looked_at(
        a_caller_case(
            unresolved("apo"), caller=a_caller({"API_URL": "http://apo/"}), services=[a_service()]
        )
    )

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "no_such_name")
    assert "namespace demo has no Service apo" in found.title
    assert any("api was likely meant" in s.text for s in found.supporting)
    assert any("variable API_URL" in s.text for s in found.supporting)
    assert found.subject is not None
    assert found.subject.kind == "Deployment"


def test_a_name_in_a_config_map_is_laid_on_that() -> None:
    caller = a_caller()
    container = (caller.spec.containers or [])[0]
    reads = msgspec.structs.replace(
        container, env_from=[EnvFromSource(config_map_ref=SourceName(name="settings"))]
    )
    caller = msgspec.structs.replace(
        caller, spec=msgspec.structs.replace(caller.spec, containers=[reads])
    )

    found = looked_at(
        a_caller_case(
            unresolved("apo"),
            caller=caller,
            services=[a_service()],
            config_maps=[a_config_map("settings", api_url="http://apo/")],
        )
    )

    assert found.subject is not None
    assert (found.subject.kind, found.subject.name) == ("ConfigMap", "settings")


@pytest.mark.parametrize(
    ("host", "better"),
    [
        pytest.param("api.demo", "api.shop", id="another namespace has it"),
        pytest.param("api.sho.svc.cluster.local", "api.shop", id="a namespace that is not there"),
        pytest.param("api.shp", "api.shop", id="a namespace written wrong"),
    ],
)
def test_the_wrong_namespace_is_supported(host: str, better: str) -> None:
    found = looked_at(
        a_caller_case(
            unresolved(host),
            namespaces=("demo", "shop"),
            remote=[("shop", "api")],
        )
    )

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "wrong_namespace")
    assert any(f"{better}" in s.text for s in found.supporting)


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        pytest.param(PodSpec(dns_policy="Default"), "dnsPolicy is Default", id="the node's"),
        pytest.param(
            PodSpec(dns_policy="None", dns_config=DnsConfig(searches=["example.org"])),
            "does not search",
            id="no search domain",
        ),
    ],
)
def test_a_pod_that_cannot_know_services_is_at_fault_itself(spec: PodSpec, word: str) -> None:
    found = looked_at(
        a_caller_case(
            "dial tcp: lookup api on 127.0.0.1:53: read udp 127.0.0.1:3->127.0.0.1:53: read: "
            "connection refused",
            caller=a_caller(spec=spec),
            services=[a_service()],
        )
    )

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "dns_config")
    assert any(word in s.text for s in found.supporting)
    assert any("is there: api" in s.text for s in found.supporting)


def test_a_service_that_is_there_by_now_refutes_it() -> None:
    found = looked_at(a_caller_case(unresolved("api"), services=[a_service()]))

    assert found.verdict is Verdict.REFUTED
    assert "is there: api" in found.against[0].text


def test_a_silent_name_server_says_nothing_about_the_name() -> None:
    line = "dial tcp: lookup api on 10.96.0.10:53: read udp 10.0.0.1:3->10.96.0.10:53: i/o timeout"

    found = looked_at(a_caller_case(line, services=[a_service()]))

    assert (found.verdict, found.detail) == (Verdict.INCONCLUSIVE, "name_server_silent")
    assert "k8s-app=kube-dns" in found.next_check


def test_a_silent_server_that_the_pod_itself_names_is_the_pods_own_fault() -> None:
    spec = PodSpec(
        dns_policy="None",
        dns_config=DnsConfig(nameservers=["192.0.2.53"], searches=["demo.svc.cluster.local"]),
    )
    line = "dial tcp: lookup api on 192.0.2.53:53: read udp 10.0.0.1:3->192.0.2.53:53: i/o timeout"

    found = looked_at(a_caller_case(line, caller=a_caller(spec=spec), services=[a_service()]))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "dns_config")
    assert any("asks 192.0.2.53 only" in s.text for s in found.supporting)


def test_a_policy_that_forbids_to_ask_is_a_cause_of_its_own() -> None:
    line = "dial tcp: lookup api on 10.96.0.10:53: read udp 10.0.0.1:3->10.96.0.10:53: i/o timeout"
    case = a_caller_case(line, services=[a_service()], policies=[a_policy(types=["Egress"])])

    assert name_not_resolved(case) is None
    assert explain(case)[0].cause is Cause.NETWORK_POLICY_BLOCKS


def test_a_name_outside_is_undecided_until_the_setting_was_just_changed() -> None:
    caller = a_caller({"DB_URL": "postgres://db.example.com/main"})
    line = unresolved("db.example.com")
    change = a_change("env[DB_URL].value", "x", "y", at=ago(60), app="shop")

    alone = looked_at(a_caller_case(line, caller=caller))
    changed = looked_at(a_caller_case(line, caller=caller, changes=[change]))

    assert (alone.verdict, alone.detail) == (Verdict.INCONCLUSIVE, "outside")
    assert changed.verdict is Verdict.SUPPORTED


def test_services_that_were_not_listed_are_not_missing() -> None:
    assert name_not_resolved(a_caller_case(unresolved("apo"), listed=frozenset({"Pod"}))) is None


def test_a_refused_connection_is_no_matter_of_names() -> None:
    assert name_not_resolved(a_caller_case(refused("api"), services=[a_service()])) is None
