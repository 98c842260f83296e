"""For the tests of modules that need people who really sign in.

@pytest.fixture
def house(house: House) -> House:
    return with_identity(house)

anna = await person(house, "anna@example.com")
assert (await anna.client.get("/me")).json()["email"] == "anna@example.com"

`PROBES` are what tests/isolation needs to call every operation of this module.
"""

import base64
import hashlib
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx2
import pyotp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import insert

from nexuscore.kernel import clock
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity import testing_ways
from nexuscore.modules.identity.authenticator import SignedInPeople
from nexuscore.modules.identity.hashing import make_hash
from nexuscore.modules.identity.tables import User
from nexuscore.modules.mail.testing import Sent, outbox

PASSWORD = "Quiet-Harbour-41!"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"

WAYS = testing_ways.WAYS
QUICK = {
    "NEXUS_IDENTITY_ARGON2_MEMORY_KIB": "8",
    "NEXUS_IDENTITY_ARGON2_PASSES": "1",
    **{
        f"NEXUS_IDENTITY_{name}": "1000"
        for name in (
            "SIGN_IN_PER_MINUTE",
            "SIGN_IN_FAILURES_PER_DAY",
            "MAILS_PER_HOUR",
            "SECOND_FACTOR_TRIES_PER_DAY",
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


# --- second factors ---------------------------------------------------------------------------------

LOCALHOST = "http://localhost:8000"  # where passkeys live while NEXUS_PUBLIC_URL is not set


@dataclass(slots=True)
class Authenticator:
    """A security key in memory, and the browser it is plugged into: ES256, no attestation.

    `verifies` says whether it asks for a PIN; `counter` None stands for a passkey that is synced and does not count.
    """

    origin: str = LOCALHOST
    verifies: bool = True
    counter: int | None = 0
    id: bytes = field(default_factory=lambda: os.urandom(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    user_handle: bytes = b""

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.create` answers to these options."""
        from webauthn.helpers import encode_cbor  # heavy; few tests need it

        self.user_handle = _bytes(options["user"]["id"])
        public = self.key.public_key().public_numbers()
        place = {-2: public.x.to_bytes(32, "big"), -3: public.y.to_bytes(32, "big")}
        made = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + encode_cbor({1: 2, 3: -7, -1: 1, **place})
        data = self._data(options["rp"]["id"], 0x40) + made
        return self._credential(
            clientDataJSON=self._client_data("webauthn.create", options),
            attestationObject=encode_cbor({"fmt": "none", "attStmt": {}, "authData": data}),
            transports=["internal", "hybrid"],
        )

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.get` answers to these options."""
        data, client_data = self._data(options["rpId"]), self._client_data("webauthn.get", options)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        return self._credential(
            clientDataJSON=client_data, authenticatorData=data, signature=signature, userHandle=self.user_handle
        )

    def _data(self, domain: str, flags: int = 0) -> bytes:
        if self.counter is not None:
            self.counter += 1
        flags |= 0x01 | (0x04 if self.verifies else 0)
        return hashlib.sha256(domain.encode()).digest() + bytes([flags]) + (self.counter or 0).to_bytes(4, "big")

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _credential(self, **response: Any) -> dict[str, Any]:
        written = {key: _text(each) if isinstance(each, bytes) else each for key, each in response.items()}
        return {"id": _text(self.id), "rawId": _text(self.id), "type": "public-key", "response": written}


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def code_of(secret: str) -> str:
    """What an authenticator app shows now."""
    return pyotp.TOTP(secret).at(clock.now())


async def with_totp(client: Client) -> tuple[str, list[str]]:
    """Set up an authenticator app for whoever `client` signs in: its secret, and the recovery codes."""
    secret = (await client.post("/me/totp")).json()["secret"]
    confirmed = await client.post("/me/totp/confirm", {"code": code_of(secret)})
    assert confirmed.status_code == 200, confirmed.text
    return secret, confirmed.json()["recovery_codes"]


async def with_passkey(client: Client, key: Authenticator | None = None, name: str = "Key") -> Authenticator:
    """Register a passkey for whoever `client` signs in."""
    key = key or Authenticator()
    asked = (await client.post("/me/passkeys/options")).json()["public_key"]
    added = await client.post("/me/passkeys", {"credential": key.create(asked), "name": name})
    assert added.status_code == 201, added.text
    return key


async def challenge_for(client: Client, email: str, password: str = PASSWORD, **fields: Any) -> str:
    """The challenge a right password is answered with, once there is a second factor."""
    answer = await client.post("/auth/sign-in", {"email": email, "password": password, **fields})
    assert answer.json()["status"] == "second_factor_needed", answer.text
    return str(answer.json()["challenge"])


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


async def _totp(house: House, client: Client) -> Made:
    """A code of the caller's authenticator app, which is not on yet."""
    return {}, {"code": code_of((await client.post("/me/totp")).json()["secret"])}


async def _totp_on(house: House, client: Client) -> Made:
    """An authenticator app of the caller's."""
    await with_totp(client)
    return {}, None


async def _new_passkey(house: House, client: Client) -> Made:
    """What the caller's browser made."""
    options = (await client.post("/me/passkeys/options")).json()["public_key"]
    return {}, {"credential": Authenticator().create(options)}


def _passkey(body: Any = None) -> Callable[[House, Client], Awaitable[Made]]:
    """A passkey of the caller's."""

    async def probe(house: House, client: Client) -> Made:
        await with_passkey(client)
        return {"passkey_id": (await client.get("/me/passkeys")).json()["data"][0]["id"]}, body

    return probe


async def _shown_passkey(house: House, client: Client) -> Made:
    """What a passkey of the caller's signed to prove that they are there."""
    key = await with_passkey(client)
    return {}, {"passkey": key.get((await client.post("/auth/reauthenticate/options")).json()["public_key"])}


async def _any_passkey(house: House, client: Client) -> Made:
    """Nothing to send, but a passkey to ask for."""
    await with_passkey(client)
    return {}, None


PROBES = {
    **testing_ways.WAY_PROBES,
    "reauthenticate_by_factor": _shown_passkey,
    "ask_again_for_passkey": _any_passkey,
    "confirm_totp": _totp,
    "remove_totp": _totp_on,
    "make_recovery_codes": _totp_on,
    "add_passkey": _new_passkey,
    "rename_passkey": _passkey({"name": "Renamed"}),
    "remove_passkey": _passkey(),
    "reauthenticate": _sending({"password": PASSWORD}),
    "change_me": _sending({"name": "Renamed"}),
    "change_my_password": _sending({"current": PASSWORD, "new": "Another-Harbour-42!"}),
    "change_my_email": _sending({"email": "elsewhere@example.com"}),
    "end_my_session": _session,
    "read_user": _somebody(),
    "suspend_user": _somebody({"reason": "probe"}),
    "restore_user": _somebody(state="suspended"),
    "change_platform_role": _somebody({"role": "moderator"}),
    "change_account_page": _sending({"name": "Renamed"}),
    "change_email_page": _sending({"email": "elsewhere@example.com"}),
    "change_password_page": _sending({"current": PASSWORD, "new": "Another-Harbour-42!"}),
    "confirm_totp_page": _totp,
    "remove_totp_page": _totp_on,
    "make_recovery_codes_page": _totp_on,
    "add_passkey_page": _new_passkey,
    "remove_passkey_page": _passkey(),
    "end_session_page": _session,
    "person_page": _somebody(),
    "suspend_person_page": _somebody({"reason": "probe"}),
    "restore_person_page": _somebody(state="suspended"),
    "change_platform_role_page": _somebody({"role": "moderator"}),
    "prove_by_factor_page": _shown_passkey,
    "prove_by_password_page": _sending({"password": PASSWORD}),
}
