"""Access tokens: who has one gets in as who they are, and nobody else, and not for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import HTTPConnection

from copilot.domain.errors import Conflict, Invalid, NotFound, Unavailable
from copilot.domain.people import Role
from copilot.ports import Session
from copilot.roles.people import KEPT_S
from tests.security.conftest import TOKENS, House, people_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECORD = {"date": 1795000000, "log": "hello", "kubernetes": {"namespace_name": "demo"}}


async def status_of(house: House, token: str, path: str = "/api/me") -> int:
    return (await house.client_of(token=token).get(path)).status_code


async def sent(house: House, token: str, address: str = "10.0.0.1") -> int:
    answer = await house.client_of(token=token, address=address).post("/ingest", json=[RECORD])
    return answer.status_code


async def test_a_person_comes_in_by_their_own_name_and_role(house: House) -> None:
    token = await house.token("Ada", Role.VIEWER)

    me = (await house.client_of(token=token).get("/api/me")).json()

    assert me == {"name": "ada", "role": "viewer", "via": "token", "has_session": False}


async def test_the_token_of_the_laptop_stays_an_admins(house: House) -> None:
    me = (await house.client_of(token=TOKENS.access).get("/api/me")).json()

    assert (me["name"], me["role"], me["via"]) == ("root", "admin", "laptop")


@pytest.mark.parametrize("token", ["guess", TOKENS.sender, TOKENS.agent, "", "é", "x" * 5000])
async def test_what_is_no_persons_token_opens_nothing_of_people(house: House, token: str) -> None:
    headers = {"Authorization": b"Bearer " + token.encode()}

    assert (await house.client_of(headers=headers).get("/api/me")).status_code == 401


async def test_a_person_does_not_send_and_a_sender_does_not_read(house: House) -> None:
    person, sender = await house.token("ada", Role.ADMIN), await house.token("fluent-bit")

    assert await sent(house, person) == 401
    assert await status_of(house, sender) == 401
    assert await sent(house, sender) == 200


async def test_a_revoked_token_opens_nothing_once_what_is_kept_is_looked_up_again(
    house: House,
) -> None:
    person, sender = await house.token("ada", Role.ADMIN), await house.token("fluent-bit")
    assert (await status_of(house, person), await sent(house, sender)) == (200, 200)
    await house.revoke("ada")
    await house.revoke("fluent-bit")

    house.clock.move(KEPT_S)

    assert (await status_of(house, person), await sent(house, sender)) == (401, 401)
    assert KEPT_S <= 30


async def test_a_browser_signed_in_while_a_revocation_spreads_stays_in_no_longer(
    house: House,
) -> None:
    person = await house.token("ada", Role.ADMIN)
    assert await status_of(house, person) == 200  # now it is known here for some seconds
    await house.revoke("ada")

    browser = await house.browser(person)
    house.clock.move(KEPT_S)

    assert (await browser.get("/api/me")).status_code == 401


async def test_who_listens_by_a_token_is_put_out_once_it_is_revoked(house: House) -> None:
    secret = await house.token("ada", Role.VIEWER)
    people = people_of(house.store, house)
    ada, root = [await people.of_token(one, "10.0.0.1") for one in (secret, TOKENS.access)]
    assert await people.is_still_in(ada)
    await house.revoke("ada")

    house.clock.move(KEPT_S)

    assert not await people.is_still_in(ada)
    assert await people.is_still_in(root)


async def test_a_token_is_revoked_by_the_name_however_it_is_written(house: House) -> None:
    await house.token("Ada", Role.ADMIN)

    await house.revoke("ADA")

    assert (await house.audit())[0].action == "token.revoked"


@pytest.mark.parametrize("path", ["/readyz?verbose", "/metrics"])
async def test_who_looks_at_our_health_by_their_own_token_guesses_nothing(
    house: House, path: str
) -> None:
    person = await house.token("ada", Role.VIEWER)
    clients = [house.client_of(token=one) for one in (person, TOKENS.access)]

    answers = [await client.get(path) for client in clients for _ in range(25)]

    assert {answer.status_code for answer in answers} == {200}
    assert "sign_in.wrong" not in [row.action for row in await house.audit()]


async def test_an_expired_token_opens_nothing_from_that_moment_on(house: House) -> None:
    token = await house.token("ada", Role.ADMIN, expires="1h")
    house.clock.move(3599)
    assert await status_of(house, token) == 200

    house.clock.move(1)

    assert await status_of(house, token) == 401


async def test_the_token_itself_is_kept_nowhere(house: House) -> None:
    token = await house.token("ada", Role.ADMIN)

    async with house.store.view() as view:
        kept = repr(await view.accounts.tokens()) + repr(await view.audit.rows(limit=10))

    assert token not in kept


async def test_the_last_use_is_kept_by_the_hour(house: House) -> None:
    token = await house.token("ada", Role.ADMIN)
    first_us = house.clock.now_us()
    await status_of(house, token)
    house.clock.move(60)
    await status_of(house, token)

    async with house.store.view() as view:
        kept = [one for one in await view.accounts.tokens() if one.revoked_us is None]
    assert [one.used_us for one in kept] == [first_us]


async def test_one_person_has_one_open_token_however_the_name_is_written(house: House) -> None:
    await house.token("Ada  Lovelace", Role.ADMIN)

    with pytest.raises(Conflict, match="revoke"):
        await house.token("ada lovelace", Role.VIEWER)


@pytest.mark.parametrize("name", ["", " ", "a" * 129, "ada\u202ebob", "ada\nbob", "ada\x00"])
async def test_a_name_that_reads_as_another_is_no_name(house: House, name: str) -> None:
    if name == "ada\nbob":
        assert (await house.token(name, Role.VIEWER)) != ""  # white space is one space
        return
    with pytest.raises(Invalid):
        await house.token(name, Role.VIEWER)


@pytest.mark.parametrize("expires", ["30", "0d", "-1d", "30m", "d", "999999d"])
async def test_a_time_that_is_none_makes_no_token(house: House, expires: str) -> None:
    with pytest.raises(Invalid):
        await house.token("ada", Role.VIEWER, expires=expires)


async def test_what_is_not_there_cannot_be_revoked(house: House) -> None:
    with pytest.raises(NotFound):
        await house.revoke("nobody")


async def test_making_and_revoking_are_in_the_audit_log(house: House) -> None:
    await house.token("ada", Role.ADMIN)
    await house.revoke("ada")

    acts = [(row.actor, row.action, row.object) for row in await house.audit()]

    assert acts == [
        ("root", "token.revoked", "person ada"),
        ("root", "token.created", "person ada"),
    ]


class LostStore:
    """Where the database is away, and says where that would be."""

    @asynccontextmanager
    async def view(self) -> AsyncIterator[Session]:
        raise Unavailable("the store went away: no route to copilot-db.internal:4000")
        yield  # a context that is never entered


@pytest.mark.parametrize(
    "given", [{"Authorization": "Bearer guess"}, {"Cookie": "copilot_session=guess"}]
)
async def test_while_the_store_is_away_a_stranger_is_not_told_where_it_is(
    house: House, given: dict[str, str]
) -> None:
    people = people_of(LostStore(), house)  # type: ignore[arg-type]  # as much of a store as is asked
    request = HTTPConnection(
        {
            "type": "http",
            "scheme": "http",
            "method": "GET",
            "path": "/api/me",
            "client": ("10.0.0.1", 1),
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
        }
    )

    with pytest.raises(Unavailable, match="try again") as told:
        await people.person(request)

    assert "copilot-db" not in told.value.message


# --------------------------------------------------------------------------- guessing


async def test_guessing_ends_soon_and_goes_on_after_a_while(house: House) -> None:
    guesses = [await status_of(house, f"guess-{n}") for n in range(25)]

    assert guesses == [401] * 20 + [429] * 5
    house.clock.move(3)
    assert await status_of(house, "another guess") == 401


async def test_who_guesses_keeps_nobody_out_who_was_in(house: House) -> None:
    person, sender = await house.token("ada", Role.VIEWER), await house.token("fluent-bit")
    await status_of(house, person)
    await sent(house, sender)
    for n in range(25):
        await status_of(house, f"guess-{n}")
    house.clock.move(0.5)

    assert (await status_of(house, person), await sent(house, sender)) == (200, 200)
    assert await status_of(house, TOKENS.access) == 200


async def test_guessing_from_everywhere_has_an_end_too(house: House) -> None:
    for n in range(210):
        await sent(house, f"guess-{n}", address=f"10.1.{n // 250}.{n % 250}")

    assert await sent(house, "one more", address="10.9.9.9") == 429


async def test_whom_a_guesser_keeps_out_is_told_to_come_again(house: House) -> None:
    sender = await house.token("alertmanager")
    for n in range(25):
        await sent(house, f"guess-{n}")

    answer = await house.client_of(token=sender).post("/alertmanager", json={})

    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


async def test_wrong_tokens_are_in_the_audit_log_once_a_minute(house: House) -> None:
    await status_of(house, "guess-first")  # with it goes what was not told before
    house.clock.move(60)
    since_us = house.clock.now_us()
    for n in range(15):
        await status_of(house, f"guess-{n}")
    house.clock.move(60)
    await status_of(house, "guess-last")

    wrong = [row for row in await house.audit() if row.action == "sign_in.wrong"]
    rows = [row for row in wrong if row.ts_us >= since_us]

    assert [row.detail.split()[0] for row in rows] == ["15", "1"]
    assert "guess" not in repr(rows)
