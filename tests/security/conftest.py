"""A gateway with ingestion over a store of its own, whose time the tests move, and who asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import httpx
import pytest
import pytest_asyncio

from copilot.domain.people import Role
from copilot.ports import AuditRow, Store
from copilot.roles import handing_out
from copilot.roles.app import compose
from copilot.roles.browsers import Cookies
from copilot.roles.people import CHAIN, People
from copilot.roles.security import Doorkeeper, Tokens
from copilot.roles.serving import Running
from copilot.settings import EmbedderKind, Settings
from copilot.wiring import wired
from tests.fakes import FixedClock

TOKENS = Tokens(access="access-of-the-test", sender="sender-of-the-test", agent="agent-of-the-test")
OURS = "http://127.0.0.1"
PAGE = {"X-Requested-By": "incident-copilot", "Origin": OURS, "Sec-Fetch-Site": "same-origin"}
"""What our own pages send with a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The gateway, its store and its time."""

    running: Running
    store: Store
    clock: FixedClock
    client_of: Callable[..., httpx.AsyncClient]
    began_us: int = 0
    """When this test began."""

    async def token(self, name: str, role: Role | None = None, expires: str = "") -> str:
        """A new one of this person; of a sender where there is no role."""
        _, secret = await handing_out.create(
            self.store, self.clock, name=name, role=role, expires=expires, actor="root"
        )
        return secret

    async def revoke(self, which: str) -> None:
        await handing_out.revoke(self.store, self.clock, which=which, actor="root")

    async def browser(self, token: str) -> httpx.AsyncClient:
        """After it signed in with this token, on a page of ours."""
        browser = self.client_of(headers=PAGE)
        answer = await browser.post("/session", data={"token": token, "to": "/"})
        assert answer.status_code == 303, answer.text
        return browser

    async def audit(self) -> list[AuditRow]:
        """Who came in since the test began, newest first."""
        async with self.store.view() as view:
            rows = await view.audit.rows(chain=CHAIN, limit=200)
        return [row for row in rows if row.ts_us >= self.began_us]


def people_of(store: Store, house: House) -> People:
    """Who lets people in, over this store and at the time of the house."""
    return People(
        store=store,
        clock=house.clock,
        tokens=TOKENS,
        user="root",
        cookies=Cookies(),
        idle_s=3600,
        lifetime_s=3600,
    )


@pytest.fixture(scope="module")
def more_settings() -> dict[str, object]:
    """A module's own."""
    return {}


@pytest_asyncio.fixture(loop_scope="module")
async def house(module_house: House) -> House:
    """As if it were new: a day later, with nobody's token open. Making its routes takes a second."""
    module_house.clock.move(86_400)
    async with module_house.store.transaction() as tx:
        for token in await tx.accounts.tokens():
            await tx.accounts.revoke(token.digest, at_us=module_house.clock.now_us())
    return replace(module_house, began_us=module_house.clock.now_us())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_house(
    tmp_path_factory: pytest.TempPathFactory, more_settings: dict[str, object]
) -> AsyncIterator[House]:
    clock = FixedClock()
    settings = Settings(
        data=tmp_path_factory.mktemp("data"),
        store="sqlite::memory:",  # type: ignore[arg-type]  # pydantic takes it
        cluster="demo",
        openai_api_key=None,
        openai_base_url="",
        embedder=EmbedderKind.OFF,
        **more_settings,  # type: ignore[arg-type]  # pydantic checks them
    )
    doorkeeper = Doorkeeper(tokens=TOKENS, user="root", allowed_hosts=frozenset({"127.0.0.1"}))
    roles = ("gateway", "ingestion")
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(
            wired(settings, roles=roles, agent_token="", needs_cluster=False, clock=clock)
        )
        running = compose(roles, parts, doorkeeper, settings)

        def client_of(
            *, token: str = "", address: str = "10.0.0.1", base: str = OURS, **given: object
        ) -> httpx.AsyncClient:
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(running.app, client=(address, 1234)),
                base_url=base,
                **given,  # type: ignore[arg-type]  # as httpx takes them
            )
            if token:
                client.headers["Authorization"] = f"Bearer {token}"
            stack.push_async_callback(client.aclose)
            return client

        yield House(running=running, store=parts.store, clock=clock, client_of=client_of)
