"""What admins and moderators do with other people's accounts, and what nobody else may."""

import pytest

from nexuscore.kernel.access import PermissionDenied
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.events import (
    AccountRestored,
    AccountSuspended,
    PlatformRoleChanged,
    SessionRevoked,
    SignInFailed,
)
from nexuscore.modules.identity.testing import PASSWORD, mails_to, person, sign_in, token_in, visitor

pytestmark = pytest.mark.anyio


async def test_a_suspended_person_is_out_until_restored(house: House) -> None:
    admin = await person(house, "root@example.com", platform_role="admin")
    bob = await person(house, "bob@example.com")
    await visitor(house).post("/auth/forgot-password", {"email": bob.email})
    [link] = await mails_to(house, bob.email)
    async with house.expect_events(SessionRevoked, AccountSuspended):
        answer = await admin.client.post(f"/users/{bob.id}/suspend", {"reason": "spam"})
    assert (answer.json()["state"], answer.json()["state_reason"]) == ("suspended", "spam")
    assert (await bob.client.get("/me")).status_code == 401
    refreshed = await visitor(house).post("/auth/refresh", {"refresh_token": bob.tokens["refresh_token"]})
    assert refreshed.status_code == 401
    reset = {"token": token_in(link), "password": "Louder-Harbour-42?"}
    assert (await visitor(house).post("/auth/reset-password", reset)).status_code == 400
    async with house.expect_events(SignInFailed) as facts:
        told = await visitor(house).post("/auth/sign-in", {"email": bob.email, "password": PASSWORD})
    assert (told.status_code, told.json()["error_code"]) == (403, "account_suspended")
    assert facts[0].body["reason"] == "account_suspended"
    untold = await visitor(house).post("/auth/sign-in", {"email": bob.email, "password": "wrong"})
    assert (untold.status_code, untold.json()["error_code"]) == (401, "invalid_credentials")
    async with house.expect_events(AccountRestored):
        assert (await admin.client.post(f"/users/{bob.id}/restore")).json()["state"] == "active"
    assert (await admin.client.post(f"/users/{bob.id}/restore")).json()["error_code"] == "account_state"
    await sign_in(visitor(house), bob.email)


async def test_who_may_do_what(house: House) -> None:
    roles = ("admin", "moderator", "user", "guest")
    people = {role: await person(house, f"{role}@example.com", platform_role=role) for role in roles}
    victim = await person(house, "victim@example.com")
    allowed: dict[str, list[int]] = {}
    for role, one in people.items():
        allowed[role] = [
            (await one.client.get("/users")).status_code,
            (await one.client.get(f"/users/{victim.id}")).status_code,
            (await one.client.post(f"/users/{victim.id}/suspend", {"reason": "x"})).status_code,
            (await one.client.put(f"/users/{victim.id}/platform-role", {"role": "moderator"})).status_code,
        ]
    assert allowed == {
        "admin": [200, 200, 200, 200],
        "moderator": [200, 200, 403, 403],
        "user": [403, 403, 403, 403],
        "guest": [403, 403, 403, 403],
    }
    assert len(await house.facts(PermissionDenied)) == 10


async def test_people_are_listed_by_state(house: House) -> None:
    admin = await person(house, "root@example.com", platform_role="admin")
    await person(house, "bob@example.com")
    listed = (await admin.client.get("/users?state=active&total=true")).json()
    assert [each["email"] for each in listed["data"]] == ["bob@example.com", "root@example.com"]
    assert (await admin.client.get("/users?state=suspended")).json()["data"] == []
    assert "password" not in (await admin.client.get("/users")).text


async def test_a_role_counts_at_once(house: House) -> None:
    admin = await person(house, "root@example.com", platform_role="admin")
    bob = await person(house, "bob@example.com")
    assert (await bob.client.get("/users")).status_code == 403
    for role, status in (("moderator", 200), ("user", 403)):
        async with house.expect_events(PlatformRoleChanged):
            await admin.client.put(f"/users/{bob.id}/platform-role", {"role": role})
        assert (await bob.client.get("/users?limit=1")).status_code == status


async def test_the_last_admin_stays(house: House) -> None:
    admin = await person(house, "root@example.com", platform_role="admin")
    demoted = await admin.client.put(f"/users/{admin.id}/platform-role", {"role": "user"})
    suspended = await admin.client.post(f"/users/{admin.id}/suspend", {"reason": "tired"})
    assert demoted.json()["error_code"] == suspended.json()["error_code"] == "last_admin"
    await person(house, "second@example.com", platform_role="admin")
    assert (await admin.client.put(f"/users/{admin.id}/platform-role", {"role": "user"})).status_code == 200
