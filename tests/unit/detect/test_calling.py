"""Whether a spec leads to a Service."""

import msgspec
import pytest

from copilot.detect.calling import calls, is_address
from copilot.domain.objects import Deployment, EnvVar, Metadata
from copilot.domain.surroundings import (
    ConfigMap,
    Ingress,
    IngressBackend,
    IngressHost,
    IngressHttp,
    IngressPath,
    IngressService,
    IngressSpec,
)
from tests.builders_objects import a_container, a_deployment, a_service
from tests.unit.detect.test_inventory import version_of

WEB = a_service("web")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("X", "http://web"),
        ("X", "http://web/api"),
        ("X", "http://web:8080/api"),
        ("X", "web:8080"),
        ("X", "web.demo"),
        ("X", "web.demo.svc.cluster.local:80"),
        ("X", "postgres://me@web:5432/db"),
        ("BACKEND_HOST", "web"),
        ("nginx.conf", "location / { proxy_pass http://web; }"),
    ],
)
def test_an_address_of_the_service_is_a_call(variable: str, value: str) -> None:
    assert is_address(variable, value, WEB)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("APP_NAME", "web"),
        ("X", "the web is large"),
        ("X", "http://web-admin/api"),
        ("X", "http://my-web"),
        ("X", "http://example.org/web"),
        ("X", "web.other.svc"),
        ("X", "http://web.other"),
        ("BACKEND_HOST", "api"),
    ],
)
def test_its_name_alone_or_in_another_is_none(variable: str, value: str) -> None:
    assert not is_address(variable, value, WEB)


def a_caller(*, replicas: int = 1) -> Deployment:
    env = [EnvVar(name="API", value="http://web/api")]
    return a_deployment(
        "shop", replicas=replicas, containers=[msgspec.structs.replace(a_container(), env=env)]
    )


def test_a_running_workload_with_the_address_calls() -> None:
    assert calls(version_of("Deployment", a_caller()), WEB)


def test_a_workload_that_asks_for_no_pods_calls_nobody() -> None:
    assert not calls(version_of("Deployment", a_caller(replicas=0)), WEB)


def test_a_workload_that_is_only_named_like_it_does_not_call() -> None:
    assert not calls(version_of("Deployment", a_deployment("web")), WEB)


def test_a_config_map_with_the_address_calls() -> None:
    config = ConfigMap(metadata=Metadata(name="c", uid="c"), data={"upstream": "http://web/"})

    assert calls(version_of("ConfigMap", config), WEB)


def test_an_ingress_that_leads_there_calls() -> None:
    path = IngressPath(backend=IngressBackend(service=IngressService(name="web")))
    rule = IngressHost(host="example.org", http=IngressHttp(paths=[path]))
    ingress = Ingress(metadata=Metadata(name="i", uid="i"), spec=IngressSpec(rules=[rule]))

    assert calls(version_of("Ingress", ingress), WEB)
    assert not calls(version_of("Ingress", ingress), a_service("we"))
