"""Who may come in, as the store keeps it: hashes, found again, closed for good, taken once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from copilot.domain.errors import Clash
from copilot.domain.people import Login, Role, SignIn, Token, TokenKind, digest_of
from copilot.store import SqlStore
from tests.builders_people import a_sign_in, a_token
from tests.builders_store import NOW_US, STORES, a_store

LOGIN = Login(
    state=digest_of("state"),
    nonce="nonce",
    verifier="verifier",
    goes_to="/incident/?id=1",
    expires_us=NOW_US + 10,
)


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store(request.param, tmp_path) as store:
        yield store


async def kept_sign_in(store: SqlStore, cookie: str) -> SignIn | None:
    async with store.view() as view:
        return await view.accounts.sign_in_of(digest_of(cookie))


@pytest.mark.parametrize(
    "token",
    [
        a_token("one", role=Role.RESPONDER, expires_us=NOW_US + 1),
        a_token("two", kind=TokenKind.SENDER, role=None, used_us=NOW_US),
    ],
    ids=["a person's that expires", "a sender's that was used"],
)
async def test_a_token_is_found_by_its_hash_as_it_was_made(store: SqlStore, token: Token) -> None:
    async with store.transaction() as tx:
        await tx.accounts.add(token)

    async with store.view() as view:
        assert await view.accounts.token(token.digest) == token
        assert await view.accounts.token(digest_of("another")) is None


async def test_no_hash_is_given_twice(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.accounts.add(a_token("one"))

        with pytest.raises(Clash):
            await tx.accounts.add(a_token("one", name="bob"))


async def test_tokens_are_listed_newest_first(store: SqlStore) -> None:
    async with store.transaction() as tx:
        for secret, at_us in (("first", 1), ("third", 3), ("second", 2)):
            await tx.accounts.add(a_token(secret, name=secret, created_us=at_us))

    async with store.view() as view:
        names = [token.name for token in await view.accounts.tokens()]
    assert names == ["third", "second", "first"]


async def test_a_revoked_token_is_closed_for_good_and_ends_what_it_opened(store: SqlStore) -> None:
    token = a_token("one")
    async with store.transaction() as tx:
        await tx.accounts.add(token)
        await tx.accounts.sign_in(a_sign_in("with it", token=token.digest))
        await tx.accounts.sign_in(a_sign_in("without it", token=None))

    async with store.transaction() as tx:
        was_open = await tx.accounts.revoke(token.digest, at_us=NOW_US)
        again = await tx.accounts.revoke(token.digest, at_us=NOW_US + 5)

    async with store.view() as view:
        assert await view.accounts.token(token.digest) == replace(token, revoked_us=NOW_US)
    assert (was_open, again) == (True, False)
    assert await kept_sign_in(store, "with it") is None
    assert await kept_sign_in(store, "without it")


async def test_the_last_use_of_a_token_is_kept(store: SqlStore) -> None:
    token = a_token("one")
    async with store.transaction() as tx:
        await tx.accounts.add(token)
        await tx.accounts.used(token.digest, at_us=NOW_US + 7)

    async with store.view() as view:
        assert await view.accounts.token(token.digest) == replace(token, used_us=NOW_US + 7)


async def test_a_sign_in_is_found_by_its_hash_and_knows_when_it_was_last_seen(
    store: SqlStore,
) -> None:
    sign_in = a_sign_in("cookie", token=digest_of("one"))
    async with store.transaction() as tx:
        await tx.accounts.sign_in(sign_in)
        await tx.accounts.seen(sign_in.digest, at_us=NOW_US + 3)

    assert await kept_sign_in(store, "cookie") == replace(sign_in, seen_us=NOW_US + 3)
    assert await kept_sign_in(store, "another") is None


async def test_one_sign_in_ends_and_the_others_of_the_person_do_not(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.accounts.sign_in(a_sign_in("here"))
        await tx.accounts.sign_in(a_sign_in("there"))
        await tx.accounts.sign_out(digest_of("here"))
        await tx.accounts.sign_out(digest_of("here"))

    assert await kept_sign_in(store, "here") is None
    assert await kept_sign_in(store, "there")


async def test_all_sign_ins_of_a_person_end_and_those_of_others_do_not(store: SqlStore) -> None:
    async with store.transaction() as tx:
        for cookie, name in (("a", "ada"), ("b", "ada"), ("c", "bob")):
            await tx.accounts.sign_in(a_sign_in(cookie, name=name))
        ended = await tx.accounts.sign_out_all("ada")

    assert ended == 2
    assert [bool(await kept_sign_in(store, cookie)) for cookie in "abc"] == [False, False, True]


async def test_who_was_sent_away_comes_back_once(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.accounts.send_away(LOGIN)

    async with store.transaction() as tx:
        first = await tx.accounts.take_back(LOGIN.state)
    async with store.transaction() as tx:
        second = await tx.accounts.take_back(LOGIN.state)
        never = await tx.accounts.take_back(digest_of("made up"))

    assert (first, second, never) == (LOGIN, None, None)


async def test_what_expired_is_forgotten_and_the_rest_is_not(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.accounts.send_away(LOGIN)
        await tx.accounts.sign_in(a_sign_in("old", expires_us=NOW_US + 10))
        await tx.accounts.sign_in(a_sign_in("new", expires_us=NOW_US + 11))
        await tx.accounts.forget(before_us=NOW_US + 11)
        login = await tx.accounts.take_back(LOGIN.state)

    assert login is None
    assert await kept_sign_in(store, "old") is None
    assert await kept_sign_in(store, "new")
