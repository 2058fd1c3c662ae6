"""The policy and the embedder as they are set."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from pydantic import SecretStr

from copilot.domain.errors import Invalid, Unavailable
from copilot.embed import local
from copilot.ports import Embedder
from copilot.remediate.policy import KINDS, Guardrail, Mode, Policy
from copilot.settings import CallersKind, EmbedderKind, Settings
from copilot.settings import Mode as SettingsMode
from copilot.wiring import Parts, embedder_of, knows_channels, policy_of, wired
from tests.fakes import FixedClock
from tests.fakes_http import says, served

URL = "http://127.0.0.1:9"


def test_without_settings_it_is_what_a_careful_team_would_start_with() -> None:
    assert policy_of(Settings()) == Policy()
    assert Policy().mode is Mode.REVIEW


def test_every_part_can_be_set() -> None:
    policy = policy_of(
        Settings(
            mode=SettingsMode.AUTONOMOUS,
            guardrails=("set_memory:Deployment/shop/*",),
            allowed_actions=("set_memory",),
            protected_namespaces=("pay",),
            freezes=("Fri 16:00-Mon 08:00 weekend",),
            second_approver=True,
            approval_lifetime=60,
        )
    )

    assert policy.mode is Mode.AUTONOMOUS
    assert policy.guardrails == (Guardrail(action="set_memory", resource="Deployment/shop/*"),)
    assert policy.allowed == {"set_memory"}
    assert policy.protected_namespaces == {"pay"}
    assert policy.freezes[0].reason == "weekend"
    assert (policy.wants_second_approver, policy.lifetime_s) == (True, 60)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"allowed_actions": ("set_memori",)}, id="no-such-action"),
        pytest.param({"guardrails": ("everything",)}, id="no-guardrail"),
        pytest.param({"freezes": ("at night",)}, id="no-freeze"),
    ],
)
def test_what_makes_no_sense_is_not_taken_for_set(given: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(Invalid):
        policy_of(Settings(**given))  # type: ignore[arg-type]  # any one of them


def test_the_modes_are_those_of_the_guard() -> None:
    assert {mode.value for mode in SettingsMode} == {mode.value for mode in Mode}
    assert policy_of(Settings()).allowed == KINDS


# --------------------------------------------------------------------------- the embedder


def embedder(**given: object) -> Embedder:
    return embedder_of(Settings(**{"openai_base_url": "", **given}), FixedClock())  # type: ignore[arg-type]  # pydantic checks them


async def test_by_itself_the_local_model_is_taken_where_it_is_installed() -> None:
    chosen = embedder()

    assert chosen.name == "all-MiniLM-L6-v2-int8"
    await chosen.close()


def test_where_nothing_is_installed_search_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "PACKAGE", "there-is-no-such-package")

    assert embedder().name == ""
    assert "install incident-copilot[embed]" in embedder().about
    with pytest.raises(Invalid, match="COPILOT_EMBEDDER=local"):
        embedder(embedder=EmbedderKind.LOCAL)


def test_it_can_be_switched_off() -> None:
    assert embedder(embedder=EmbedderKind.OFF).about == "switched off by COPILOT_EMBEDDER"


async def test_an_api_needs_a_key_or_an_address_and_keeps_to_its_own() -> None:
    with pytest.raises(Invalid, match="OPENAI_API_KEY"):
        embedder(embedder=EmbedderKind.OPENAI)

    chosen = embedder(embedder=EmbedderKind.OPENAI, embedding_base_url="http://127.0.0.1:9/v1")

    assert (chosen.name, chosen.dimensions) == ("text-embedding-3-small", 0)
    await chosen.close()


@pytest.mark.parametrize(
    ("given", "key"),
    [
        pytest.param({}, "for-the-model", id="the-same-address"),
        pytest.param({"embedding_base_url": "{url}/other"}, "none", id="another-address"),
        pytest.param({"embedding_api_key": "its-own"}, "its-own", id="a-key-of-its-own"),
    ],
)
async def test_the_models_key_goes_to_the_models_address_only(
    given: dict[str, str], key: str
) -> None:
    async with served(lambda _: says({}, 401)) as server:
        chosen = embedder(
            embedder=EmbedderKind.OPENAI,
            openai_base_url=f"{server.url}/v1",
            openai_api_key="for-the-model",
            **{name: value.format(url=server.url) for name, value in given.items()},
        )
        with pytest.raises(Unavailable):
            await chosen.embed(["text"])
        await chosen.close()

    assert [one.headers["authorization"] for one in server.requests] == [f"Bearer {key}"]


async def test_service_accounts_without_a_token_to_show_are_no_shared_key(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path,
        cluster="home",
        callers=CallersKind.SERVICE_ACCOUNT,
        agent_token=SecretStr("key-of-all"),
        context_url="http://127.0.0.1:1",
    )

    with pytest.raises(Invalid, match="needs COPILOT_CALLER_TOKEN_FILE"):
        async with wired(settings, roles=("gateway",), agent_token="key", needs_cluster=False):
            pass


# --------------------------------------------------------------------------- what a role is given


def a_role(tmp_path: Path, role: str, **given: object) -> AbstractAsyncContextManager[Parts]:
    """What `incident-copilot serve ROLE` is made of, with no cluster."""
    settings = Settings(data=tmp_path, cluster="home", **given)  # type: ignore[arg-type]  # pydantic checks them
    return wired(settings, roles=(role,), agent_token="key", needs_cluster=False)


async def test_a_role_that_searches_nothing_by_meaning_needs_no_key_for_it(tmp_path: Path) -> None:
    async with a_role(tmp_path, "ingestion", embedder=EmbedderKind.OPENAI) as parts:
        assert parts.embedder.name == ""

    with pytest.raises(Invalid, match="OPENAI_API_KEY"):
        async with a_role(tmp_path, "agent-context", embedder=EmbedderKind.OPENAI):
            pass


@pytest.mark.parametrize(
    ("role", "reporter_url", "knows"),
    [
        pytest.param("gateway", URL, False, id="another-has-their-secrets"),
        pytest.param("agent-reporter", URL, True, id="it-is-the-reporter"),
        pytest.param("gateway", "", True, id="there-is-none-elsewhere"),
    ],
)
def test_only_who_has_the_secrets_of_channels_knows_which_are_set_up(
    role: str, reporter_url: str, knows: bool
) -> None:
    assert knows_channels(Settings(reporter_url=reporter_url), (role,)) is knows
