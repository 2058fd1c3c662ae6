"""What goes over the wire, and what odd answers become."""

import json
from pathlib import Path

import pytest

from copilot.domain.errors import Invalid, NotFound, TooLarge, Unavailable
from copilot.domain.objects import ObjectRef
from copilot.ports import Kind
from tests.builders_kube import FIXTURES, Answer, ScriptedApi, connected

POD = ObjectRef(kind="Pod", namespace="demo", name="p")
LOG = "/api/v1/namespaces/demo/pods/p/log"
DEPLOYMENT = ObjectRef(kind="Deployment", namespace="demo", name="oom-demo")
DEPLOYMENT_PATH = "/apis/apps/v1/namespaces/demo/deployments/oom-demo"


@pytest.fixture
def api() -> ScriptedApi:
    return ScriptedApi()


async def test_a_dry_run_patch_says_its_type_its_manager_and_that_it_is_strict(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.pages[DEPLOYMENT_PATH] = Answer(body=b'{"kind": "Deployment"}')

    async with connected(api, tmp_path) as cluster:
        await cluster.patch(
            DEPLOYMENT, '{"spec":{"x":[1]}}', dry_run=True, field_manager="incident-copilot"
        )

    (request,) = api.requests
    assert request.method == "PATCH"
    assert request.headers["Content-Type"] == "application/strategic-merge-patch+json"
    assert dict(request.query) == {
        "fieldManager": "incident-copilot",
        "fieldValidation": "Strict",
        "dryRun": "All",
    }
    assert json.loads(api.bodies[0]) == {"spec": {"x": [1]}}


async def test_a_real_patch_says_nothing_of_a_dry_run(api: ScriptedApi, tmp_path: Path) -> None:
    api.pages[DEPLOYMENT_PATH] = Answer(body=b"{}")

    async with connected(api, tmp_path) as cluster:
        await cluster.patch(DEPLOYMENT, "{}", dry_run=False, field_manager="m")

    assert "dryRun" not in api.requests[0].query


@pytest.mark.parametrize("patch", ["", "[]", "null", "{", "7"])
async def test_a_patch_that_is_no_object_never_leaves(
    patch: str, api: ScriptedApi, tmp_path: Path
) -> None:
    async with connected(api, tmp_path) as cluster:
        with pytest.raises(Invalid):
            await cluster.patch(DEPLOYMENT, patch, dry_run=True, field_manager="m")

    assert api.requests == []


async def test_every_call_carries_the_token(api: ScriptedApi, tmp_path: Path) -> None:
    async with connected(api, tmp_path) as cluster:
        await cluster.list_objects(Kind.POD)

    assert api.requests[0].headers["Authorization"] == "Bearer secret"


async def test_a_list_has_all_pages_and_each_item_says_what_it_is(
    api: ScriptedApi, tmp_path: Path
) -> None:
    for n in range(7):
        api.put(f"p{n}")

    async with connected(api, tmp_path) as cluster:
        listed = [json.loads(item) for item in await cluster.list_objects(Kind.POD)]

    assert [item["metadata"]["name"] for item in listed] == [f"p{n}" for n in range(7)]
    assert {(item["kind"], item["apiVersion"]) for item in listed} == {("Pod", "v1")}


async def test_a_selector_is_sent_whole(api: ScriptedApi, tmp_path: Path) -> None:
    async with connected(api, tmp_path) as cluster:
        await cluster.list_objects(Kind.POD, selector="app=a b,x in (1,2)")

    assert api.requests[0].query["labelSelector"] == "app=a b,x in (1,2)"


async def test_log_lines_carry_their_time(api: ScriptedApi, tmp_path: Path) -> None:
    api.pages[LOG] = Answer(body=b"2026-11-23T07:32:19.5Z one\n2026-11-23T07:32:20Z \xff\n")

    async with connected(api, tmp_path) as cluster:
        lines = await cluster.logs(POD, "app", previous=True, max_bytes=1000)

    assert lines == ("2026-11-23T07:32:19.5Z one", "2026-11-23T07:32:20Z \ufffd")
    query = api.requests[0].query
    assert (query["previous"], query["timestamps"], query["container"]) == ("true", "true", "app")


async def test_an_empty_log_is_no_lines(api: ScriptedApi, tmp_path: Path) -> None:
    api.pages[LOG] = Answer()

    async with connected(api, tmp_path) as cluster:
        assert await cluster.logs(POD, "app", previous=False, max_bytes=1000) == ()


async def test_the_kubelets_excuse_in_a_200_is_not_found_and_no_line(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.pages[LOG] = Answer(body=(FIXTURES / "pod_logs_previous_gone.txt").read_bytes())

    async with connected(api, tmp_path) as cluster:
        with pytest.raises(NotFound, match="unable to retrieve container logs"):
            await cluster.logs(POD, "app", previous=True, max_bytes=1000)


async def test_no_previous_container_is_not_found(api: ScriptedApi, tmp_path: Path) -> None:
    said = 'previous terminated container "app" in pod "p" not found'
    body = json.dumps({"kind": "Status", "code": 400, "message": said}).encode()
    api.pages[LOG] = Answer(status=400, body=body)

    async with connected(api, tmp_path) as cluster:
        with pytest.raises(NotFound, match="previous terminated container"):
            await cluster.logs(POD, "app", previous=True, max_bytes=1000)


async def test_of_a_long_log_the_end_is_kept_in_whole_lines(
    api: ScriptedApi, tmp_path: Path
) -> None:
    lines = [f"2026-11-23T07:32:19Z line {n}" for n in range(1000)]
    api.pages[LOG] = Answer(body="\n".join(lines).encode() + b"\n")

    async with connected(api, tmp_path) as cluster:
        kept = await cluster.logs(POD, "app", previous=False, max_bytes=8000)

    assert kept == tuple(lines[-len(kept) :])
    assert 7000 < sum(len(line) + 1 for line in kept) <= 8000


async def test_of_a_log_without_end_no_more_is_read_than_needed(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.pages[LOG] = Answer(body=b"2026-11-23T07:32:19Z " + b"x" * 400_000)

    async with connected(api, tmp_path) as cluster:
        lines = await cluster.logs(POD, "app", previous=False, max_bytes=1000)

    assert lines == ()
    asked = [int(request.query["tailLines"]) for request in api.requests]
    assert asked == [15, 1]
    assert {request.query["limitBytes"] for request in api.requests} == {"8000"}


async def test_an_object_larger_than_we_read_is_too_large(api: ScriptedApi, tmp_path: Path) -> None:
    api.pages["/api/v1/namespaces/demo/pods/p"] = Answer(body=b" " * (9 * 2**20))

    async with connected(api, tmp_path) as cluster:
        with pytest.raises(TooLarge, match="Pod demo/p"):
            await cluster.get(POD)


@pytest.mark.parametrize(
    ("version", "is_demo"), [("v1.34.4", False), ("v1.34.4+demo", True), ("v1.34.4+k3s1", False)]
)
async def test_the_server_says_itself_whether_it_is_a_demo(
    version: str, is_demo: bool, api: ScriptedApi, tmp_path: Path
) -> None:
    api.pages["/version"] = Answer(body=json.dumps({"gitVersion": version}).encode())

    async with connected(api, tmp_path) as cluster:
        info = await cluster.info()

    assert (info.name, info.version, info.is_demo) == ("c1", version, is_demo)


async def test_a_server_that_is_no_kubernetes_is_unavailable(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.pages["/version"] = Answer(body=b"<html>")

    async with connected(api, tmp_path) as cluster:
        with pytest.raises(Unavailable, match="no Kubernetes API server"):
            await cluster.info()


async def test_a_server_that_is_not_there_is_unavailable(api: ScriptedApi, tmp_path: Path) -> None:
    async with connected(api, tmp_path) as cluster:
        await api.kill()

        with pytest.raises(Unavailable, match="to get Pod demo/p"):
            await cluster.get(POD)


REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
GATEWAY = "system:serviceaccount:incident-copilot:gateway"


async def test_a_callers_token_is_reviewed_for_our_audience(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.pages[REVIEWS] = a_review(audiences=["incident-copilot"])

    async with connected(api, tmp_path) as cluster:
        assert await cluster.whose("the-token", audience="incident-copilot") == GATEWAY

    assert json.loads(api.bodies[0])["spec"] == {
        "token": "the-token",
        "audiences": ["incident-copilot"],
    }


@pytest.mark.parametrize(
    "status",
    [
        {"authenticated": False, "audiences": ["incident-copilot"]},
        {"audiences": []},
        {"audiences": ["https://kubernetes.default.svc"]},
    ],
    ids=["not authenticated", "a server without audiences", "for another audience"],
)
async def test_a_token_that_the_server_does_not_take_for_us_is_nobodys(
    status: dict[str, object], api: ScriptedApi, tmp_path: Path
) -> None:
    api.pages[REVIEWS] = a_review(**status)

    async with connected(api, tmp_path) as cluster:
        assert await cluster.whose("the-token", audience="incident-copilot") == ""


async def test_what_is_no_review_is_no_answer(api: ScriptedApi, tmp_path: Path) -> None:
    api.pages[REVIEWS] = Answer(body=b"<html>")

    async with connected(api, tmp_path) as cluster:
        with pytest.raises(Unavailable, match="reviews no tokens"):
            await cluster.whose("the-token", audience="incident-copilot")


def a_review(**status: object) -> Answer:
    whole = {"authenticated": True, "user": {"username": GATEWAY}, **status}
    return Answer(body=json.dumps({"kind": "TokenReview", "status": whole}).encode())
