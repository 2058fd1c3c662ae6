"""Who may come in: access tokens, sign-ins, and browsers on their way back from signing in."""

from __future__ import annotations

from dataclasses import astuple, fields

from copilot.domain.people import Login, Role, SignIn, Token, TokenKind
from copilot.store.database import Database, Row, marks

MOST_TOKENS = 1_000

_TOKEN = tuple(field.name for field in fields(Token))
_SIGN_IN = tuple(field.name for field in fields(SignIn))
_LOGIN = tuple(field.name for field in fields(Login))


class SqlAccounts:
    """Meets `copilot.ports.Accounts`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, token: Token) -> None:
        """See the port."""
        values = (*astuple(token)[:3], token.role or "", *astuple(token)[4:])
        await self._db.execute(_insert("access_tokens", _TOKEN), values)

    async def token(self, digest: bytes) -> Token | None:
        """See the port."""
        row = await self._db.fetch_one("SELECT * FROM access_tokens WHERE digest = ?", (digest,))
        return _token(row) if row else None

    async def tokens(self) -> tuple[Token, ...]:
        """Newest first."""
        rows = await self._db.fetch_all(
            "SELECT * FROM access_tokens ORDER BY created_us DESC, digest LIMIT ?", (MOST_TOKENS,)
        )
        return tuple(map(_token, rows))

    async def revoke(self, digest: bytes, *, at_us: int) -> bool:
        """See the port."""
        await self._db.execute("DELETE FROM sign_ins WHERE token = ?", (digest,))
        found = await self._db.execute(
            "UPDATE access_tokens SET revoked_us = ? WHERE digest = ? AND revoked_us IS NULL",
            (at_us, digest),
        )
        return found == 1

    async def used(self, digest: bytes, *, at_us: int) -> None:
        """See the port."""
        await self._db.execute(
            "UPDATE access_tokens SET used_us = ? WHERE digest = ?", (at_us, digest)
        )

    async def sign_in(self, sign_in: SignIn) -> None:
        """See the port."""
        await self._db.execute(_insert("sign_ins", _SIGN_IN), astuple(sign_in))

    async def sign_in_of(self, digest: bytes) -> SignIn | None:
        """See the port."""
        row = await self._db.fetch_one("SELECT * FROM sign_ins WHERE digest = ?", (digest,))
        return _sign_in(row) if row else None

    async def seen(self, digest: bytes, *, at_us: int) -> None:
        """See the port."""
        await self._db.execute("UPDATE sign_ins SET seen_us = ? WHERE digest = ?", (at_us, digest))

    async def sign_out(self, digest: bytes) -> None:
        """See the port."""
        await self._db.execute("DELETE FROM sign_ins WHERE digest = ?", (digest,))

    async def sign_out_all(self, name: str) -> int:
        """See the port."""
        return await self._db.execute("DELETE FROM sign_ins WHERE name = ?", (name,))

    async def send_away(self, login: Login) -> None:
        """See the port."""
        await self._db.execute(_insert("logins", _LOGIN), astuple(login))

    async def take_back(self, state: bytes) -> Login | None:
        """See the port."""
        row = await self._db.fetch_one(
            f"SELECT * FROM logins WHERE state = ?{self._db.dialect.locking}", (state,)
        )
        if not row or not await self._db.execute("DELETE FROM logins WHERE state = ?", (state,)):
            return None
        return Login(**{**dict(row), "state": bytes(row["state"])})

    async def forget(self, *, before_us: int) -> None:
        """See the port."""
        for table in ("sign_ins", "logins"):  # as many rows as people and minutes: no index pays
            await self._db.execute(f"DELETE FROM {table} WHERE expires_us < ?", (before_us,))


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(columns)})"


def _token(row: Row) -> Token:
    role = Role(row["role"]) if row["role"] else None
    given = {**dict(row), "digest": bytes(row["digest"]), "role": role}
    return Token(**{**given, "kind": TokenKind(row["kind"])})


def _sign_in(row: Row) -> SignIn:
    token = bytes(row["token"]) if row["token"] is not None else None
    given = {**dict(row), "digest": bytes(row["digest"]), "role": Role(row["role"])}
    return SignIn(**{**given, "token": token})
