"""Holes 4, 5, 23: what a stranger must not learn or change. Each was seen open in a build weakened as its test says."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from nexuscore.kernel.db import Db
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.hashing import hasher
from nexuscore.modules.identity.testing import PASSWORD, account, mails_to, person, visitor

pytestmark = pytest.mark.anyio


class Work:
    """What answering cost: hashes made or verified, and statements sent."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hashes: list[str] = []
        self.statements: list[str] = []
        recipe = hasher(house.app).recipe
        hasher(house.app).verify("x", None)  # what the first sign-in of a process does once
        for name in ("hash", "verify", "verify_and_update"):
            monkeypatch.setattr(recipe, name, self._counted(name, getattr(recipe, name)))
        for name in ("first", "all", "value", "execute", "raw"):
            monkeypatch.setattr(Db, name, self._noted(getattr(Db, name)))

    def _counted(self, name: str, run: Any) -> Any:
        def counted(*arguments: Any) -> Any:
            self.hashes.append(name.partition("_")[0])
            return run(*arguments)

        return counted

    def _noted(self, run: Any) -> Any:
        async def noted(db: Db, statement: Any, *arguments: Any, **given: Any) -> Any:
            self.statements.append(str(statement))
            return await run(db, statement, *arguments, **given)

        return noted

    def take(self) -> tuple[list[str], list[str]]:
        """What was done since the last call."""
        done = self.hashes, self.statements
        self.hashes, self.statements = [], []
        return done


async def answer(client: Client, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any], set[str]]:
    """What a stranger sees of an answer, less what is random in every one."""
    got = await client.post(path, body)
    seen = got.json() if got.content else {}
    for name in ("request_id", "registration"):
        seen.pop(name, None)
    return got.status_code, seen, set(got.headers) - {"x-request-id"}


async def test_hole_4_an_unknown_account_costs_as_much_as_a_known_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hole 4 (allauth 2023/24). Weakened: no password was verified where there is no account."""
    await account(house, "known@example.com")
    await account(house, "suspended@example.com", state="suspended")
    await account(house, "passwordless@example.com", password_hash=None)
    await visitor(house).post("/auth/register", {"email": "new@example.com", "password": PASSWORD, "name": "N"})
    await house.drain()
    work, stranger, seen = Work(house, monkeypatch), visitor(house), []
    for name in ("known", "suspended", "passwordless", "new", "unknown"):
        got = await answer(stranger, "/auth/sign-in", {"email": f"{name}@example.com", "password": "wrong"})
        seen.append((got, work.take()))
    assert seen[0][0][0] == 401
    assert seen[0][1][0] == ["verify"]
    assert all(each == seen[0] for each in seen)


async def test_hole_5_registering_does_not_tell_who_has_an_account(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hole 5 (allauth 2023). Weakened: an address that is taken was answered 409."""
    await account(house, "known@example.com")
    await account(house, "suspended@example.com", state="suspended")
    work, stranger, seen = Work(house, monkeypatch), visitor(house), []
    for name in ("known", "suspended", "unknown", "KNOWN"):
        new = {"email": f"{name}@example.com", "password": PASSWORD, "name": "N"}
        seen.append((await answer(stranger, "/auth/register", new), work.take()))
    assert seen[0][0][0] == 202
    assert seen[0][1][0] == ["hash"]
    assert all(each == seen[0] for each in seen)
    assert [mail.message for mail in await mails_to(house, "known@example.com")] == ["identity.registered"] * 2
    assert await mails_to(house, "suspended@example.com") == []


async def test_hole_5_nor_does_the_code_of_a_registration(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same a step later: no code fits a taken address, and that looks like a wrong one. Weakened as above."""
    await account(house, "known@example.com")
    stranger, seen = visitor(house), []
    work = Work(house, monkeypatch)
    for name in ("known", "unknown"):
        new = {"email": f"{name}@example.com", "password": PASSWORD, "name": "N"}
        registration = (await stranger.post("/auth/register", new)).json()["registration"]
        await house.drain()
        work.take()
        tried = await answer(stranger, "/auth/verify-email", {"registration": registration, "code": "000000"})
        again = await answer(stranger, "/auth/verify-email/resend", {"registration": registration})
        seen.append((tried, again, work.take()))
    assert seen[0] == seen[1]


async def test_hole_5_nor_does_forgetting_a_password(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for reset links. Weakened: the link was made and mailed before the answer."""
    await account(house, "known@example.com")
    work, stranger, seen = Work(house, monkeypatch), visitor(house), []
    for name in ("known", "unknown"):
        got = await answer(stranger, "/auth/forgot-password", {"email": f"{name}@example.com"})
        seen.append((got, work.take()))
    assert seen[0] == seen[1]
    assert len(await mails_to(house, "known@example.com")) == 1
    assert await mails_to(house, "unknown@example.com") == []


async def test_hole_5_nor_does_moving_to_an_address(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for somebody who has an account. Weakened: an address that is taken was answered 409."""
    await account(house, "known@example.com")
    anna = await person(house, "anna@example.com")
    await anna.client.get("/me")
    work, seen = Work(house, monkeypatch), []
    for name in ("known", "unknown"):
        got = await answer(anna.client, "/me/email", {"email": f"{name}@example.com"})
        seen.append((got, work.take()))
    assert seen[0] == seen[1]
    assert [mail.message for mail in await mails_to(house, "known@example.com")] == ["identity.registered"]
    assert [mail.message for mail in await mails_to(house, "unknown@example.com")] == ["identity.confirm_email"]


@pytest.mark.parametrize("header", ["host", "x-forwarded-host", "forwarded", "x-original-host"])
async def test_hole_23_a_forged_host_does_not_change_mailed_links(house: House, header: str) -> None:
    """Hole 23 (ZITADEL GHSA-2wmj-46rj-qm2w). Weakened: links began with the Host of the request."""
    await account(house, "anna@example.com")
    forged = {header: "host=evil.example" if header == "forwarded" else "evil.example"}
    mallory = visitor(house, **forged)
    await mallory.post("/auth/forgot-password", {"email": "anna@example.com"})
    await mallory.post("/auth/register", {"email": "new@example.com", "password": PASSWORD, "name": "N"})
    [reset], [verify] = await mails_to(house, "anna@example.com"), await mails_to(house, "new@example.com")
    for mail in (reset, verify):
        assert {urlsplit(link).netloc for link in mail.links} == {"127.0.0.1:8000"}
        assert "evil" not in mail.html + mail.text
