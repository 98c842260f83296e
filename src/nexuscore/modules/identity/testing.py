"""For the tests of modules that need people who really sign in.

@pytest.fixture
def house(house: House) -> House:
    return with_identity(house)

anna = await person(house, "anna@example.com")
assert (await anna.client.get("/me")).json()["email"] == "anna@example.com"

`PROBES` are what tests/isolation needs to call every operation of this module.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx2
from sqlalchemy import insert

from nexuscore.kernel import clock
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.authenticator import SignedInPeople
from nexuscore.modules.identity.hashing import make_hash
from nexuscore.modules.identity.tables import User
from nexuscore.modules.mail.testing import Sent, outbox

PASSWORD = "Quiet-Harbour-41!"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"

QUICK = {
    "NEXUS_IDENTITY_ARGON2_MEMORY_KIB": "8",
    "NEXUS_IDENTITY_ARGON2_PASSES": "1",
    **{
        f"NEXUS_IDENTITY_{name}": "1000"
        for name in (
            "SIGN_IN_PER_MINUTE",
            "SIGN_IN_FAILURES_PER_DAY",
            "REGISTER_PER_HOUR",
            "MAILS_PER_HOUR",
            "REQUESTS_PER_HOUR",
            "CODES_PER_MINUTE",
            "METER_PER_MINUTE",
        )
    },
}
"""Settings for tests that are not about limits or the cost of hashes."""

_NEW = insert(User).returning(User)


@dataclass(slots=True)
class Person:
    """Somebody who is signed in; `client` carries their access token."""

    id: UUID
    email: str
    client: Client
    password: str = PASSWORD
    tokens: dict[str, Any] = field(default_factory=dict)


def with_identity(house: House) -> House:
    """The same house with identity at the door instead of the personas."""
    house.app.authenticator = SignedInPeople()
    return house


def visitor(house: House, *, ip: str = "203.0.113.7", agent: str = FIREFOX, **headers: str) -> Client:
    """Somebody's HTTP client at an address, on a device."""
    client = Client(house)
    transport = httpx2.ASGITransport(app=house.app, client=(ip, 40_000))
    client.http = httpx2.AsyncClient(
        transport=transport, base_url="http://testserver", headers={"user-agent": agent, **headers}
    )
    return client


async def account(house: House, email: str, **fields: Any) -> User:
    """An active account with a verified address and `PASSWORD`; `fields` say otherwise."""
    fields = {
        "name": email.partition("@")[0].title(),
        "state": "active",
        "email_verified_at": clock.now(),
        "password_hash": await make_hash(house.app, PASSWORD),
        **fields,
    }
    async with house.app.context() as ctx:
        return await ctx.db.one(_NEW, email=email, **fields)


async def sign_in(client: Client, email: str, password: str = PASSWORD) -> dict[str, Any]:
    """Sign in with a password; the client carries the token from now on."""
    answer = await client.post("/auth/sign-in", {"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    if "access_token" in tokens:
        client.http.headers["authorization"] = f"Bearer {tokens['access_token']}"
    return tokens


async def person(house: House, email: str, *, client: Client | None = None, **fields: Any) -> Person:
    """Somebody with an account, signed in."""
    user = await account(house, email, **fields)
    client = client or visitor(house)
    tokens = await sign_in(client, email)
    return Person(user.id, email, client, tokens=tokens)


async def mails_to(house: House, email: str, message: str | None = None) -> list[Sent]:
    """The mails somebody got so far, oldest first; those of one kind, such as "identity.reset"."""
    return [mail for mail in await outbox(house) if mail.to == email and message in (None, mail.message)]


def token_in(mail: Sent) -> str:
    """The token in a mail's link."""
    for link in mail.links:
        found = parse_qs(urlsplit(link).query).get("token")
        if found:
            return found[0]
    raise AssertionError(f"there is no token in {mail.links}")


# --- probes -----------------------------------------------------------------------------------------

Made = tuple[dict[str, Any], Any]  # parameters and body of a call that succeeds, for tests/isolation


def _sending(body: Any) -> Callable[[House, Client], Awaitable[Made]]:
    """An operation on the caller's own account, which needs this body."""

    async def probe(house: House, client: Client) -> Made:
        return {}, body

    return probe


async def _session(house: House, client: Client) -> Made:
    """Another session of the caller's."""
    me = (await client.get("/me")).json()
    elsewhere = await sign_in(visitor(house), me["email"])
    return {"session_id": elsewhere["session_id"]}, None


def _somebody(body: Any = None, **fields: Any) -> Callable[[House, Client], Awaitable[Made]]:
    """Somebody else's account."""

    async def probe(house: House, client: Client) -> Made:
        user = await account(house, f"{uuid4().hex}@example.com", **fields)
        return {"user_id": str(user.id)}, body

    return probe


PROBES = {
    "reauthenticate": _sending({"password": PASSWORD}),
    "change_me": _sending({"name": "Renamed"}),
    "change_my_password": _sending({"current": PASSWORD, "new": "Another-Harbour-42!"}),
    "change_my_email": _sending({"email": "elsewhere@example.com"}),
    "end_my_session": _session,
    "read_user": _somebody(),
    "suspend_user": _somebody({"reason": "probe"}),
    "restore_user": _somebody(state="suspended"),
    "change_platform_role": _somebody({"role": "moderator"}),
}
