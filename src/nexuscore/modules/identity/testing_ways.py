"""Probes of magic links, phone codes, API keys, invite codes and providers, for tests/isolation."""

from typing import Any
from uuid import uuid4

from sqlalchemy import insert

from nexuscore.kernel import clock
from nexuscore.kernel.crypto import new_token
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity import texts
from nexuscore.modules.identity.oauth_tables import LinkedAccount
from nexuscore.modules.identity.way_tables import InviteCode

Made = tuple[dict[str, Any], Any]
_CODE = insert(InviteCode).returning(InviteCode.id)
_LINKED = insert(LinkedAccount).returning(LinkedAccount.id)
UNLOCK_CODE = "open-sesame-2026"
WAYS = {
    "NEXUS_IDENTITY_UNLOCK_CODE": UNLOCK_CODE,
    "NEXUS_IDENTITY_PROVIDERS": '[{"name": "github", "client_id": "probe"}]',
    "NEXUS_IDENTITY_PHONE_CODES_PER_HOUR": "1000",
    "NEXUS_IDENTITY_UNLOCKS_PER_QUARTER_HOUR": "1000",
}
"""Settings these probes need."""


async def _new_key(house: House, client: Client) -> Made:
    """A key to make."""
    return {}, {"name": "Probe", "scopes": ["account"]}


async def _key(house: House, client: Client) -> Made:
    """A key of the caller's."""
    made = await client.post("/api-keys", {"name": "Probe", "scopes": ["account"]})
    return {"key_id": made.json()["id"]}, None


async def _number(house: House, client: Client) -> Made:
    """A number nobody has, and nobody has asked a code for."""
    me = (await client.get("/me")).json()["id"]
    return {}, {"phone": f"+65 91{int(me[-8:], 16) % 1_000_000:06d}"}


async def _phone_code(house: House, client: Client) -> Made:
    """The code that was sent to a number of the caller's."""
    _, given = await _number(house, client)
    asked = await client.post("/me/phone", given)
    await house.drain()
    async with house.app.context() as ctx:
        text = (await texts.kept(ctx))[-1][2]
    return {}, {"attempt": asked.json()["attempt"], "code": text.split(" ", 1)[0]}


async def _code(house: House, client: Client) -> Made:
    """An invite code."""
    token = new_token()
    async with house.app.context() as ctx:
        await ctx.db.one(_CODE, hash=token.hash, role="user", uses_left=50)
    return {}, {"code": token.value}


async def _stored_code(house: House, client: Client) -> Made:
    """An invite code to take back."""
    async with house.app.context() as ctx:
        row = await ctx.db.one(_CODE, hash=new_token().hash, role="user", uses_left=1)
    return {"code_id": str(row.id)}, None


async def _new_code(house: House, client: Client) -> Made:
    """An invite code to make."""
    return {}, {"role": "user"}


async def _unlock(house: House, client: Client) -> Made:
    """The unlock code of the settings."""
    return {}, {"code": UNLOCK_CODE}


async def _linked(house: House, client: Client) -> Made:
    """A provider the caller's account is linked with."""
    me = (await client.get("/me")).json()["id"]
    async with house.app.context() as ctx:
        row = await ctx.db.one(
            _LINKED, user_id=me, provider="acme", issuer="https://acme.example", subject=uuid4().hex,
            email=None, last_used_at=clock.now(),
        )  # fmt: skip
    return {"linked_id": str(row.id)}, None


async def _flow(house: House, client: Client) -> Made:
    """A provider to link with the caller's account."""
    return {}, {"provider": "github"}


async def _provider(house: House, client: Client) -> Made:
    """The same, in the address of a page."""
    return {"provider": "github"}, None


async def _new_key_form(house: House, client: Client) -> Made:
    """A key as the page asks for it."""
    return {}, {"name": "probe", "scopes": ["account"]}


WAY_PROBES = {
    "create_api_key": _new_key,
    "revoke_api_key": _key,
    "ask_to_add_phone": _number,
    "add_phone": _phone_code,
    "redeem_invite_code": _code,
    "unlock_me": _unlock,
    "create_invite_code": _new_code,
    "revoke_invite_code": _stored_code,
    "unlink_provider": _linked,
    "start_linking": _flow,
    "link_provider_page": _provider,
    "unlink_page": _linked,
    "create_api_key_page": _new_key_form,
    "revoke_api_key_page": _key,
}
