"""Two processes on one database: what one ends, the other lets nobody use for five seconds more."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from nexuscore.kernel.app import App
from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.authenticator import SignedInPeople
from nexuscore.modules.identity.testing import PASSWORD, Person, mails_to, person, token_in, visitor

pytestmark = pytest.mark.anyio


@pytest.fixture
async def neighbour(committed_house: House) -> AsyncIterator[House]:
    """A second app with the same settings on the same database."""
    first = committed_house.app
    app = App(first.modules, first.settings)
    app.authenticator = SignedInPeople()
    await app.start(committed_house.dsn)
    try:
        yield House(app, committed_house.dsn, committed_house.owner_dsn)
    finally:
        await app.stop()


async def sign_out(house: House, anna: Person, admin: Person) -> None:
    await anna.client.post("/auth/sign-out")


async def end_session(house: House, anna: Person, admin: Person) -> None:
    answer = await visitor(house).post("/auth/sign-in", {"email": anna.email, "password": PASSWORD})
    other = visitor(house, authorization=f"Bearer {answer.json()['access_token']}")
    assert (await other.delete(f"/me/sessions/{anna.tokens['session_id']}")).status_code == 204


async def suspend(house: House, anna: Person, admin: Person) -> None:
    assert (await admin.client.post(f"/users/{anna.id}/suspend", {"reason": "x"})).status_code == 200


async def reset_password(house: House, anna: Person, admin: Person) -> None:
    await visitor(house).post("/auth/forgot-password", {"email": anna.email})
    [mail] = await mails_to(house, anna.email, "identity.reset")
    given = {"token": token_in(mail), "password": "Louder-Harbour-42?"}
    assert (await visitor(house).post("/auth/reset-password", given)).status_code == 204


async def close(house: House, anna: Person, admin: Person) -> None:
    assert (await anna.client.delete("/me")).status_code == 204


async def reuse_refresh_token(house: House, anna: Person, admin: Person) -> None:
    for _ in range(2):
        await visitor(house).post("/auth/refresh", {"refresh_token": anna.tokens["refresh_token"]})


@pytest.mark.parametrize("end", [sign_out, end_session, suspend, reset_password, close, reuse_refresh_token])
async def test_what_is_ended_here_is_over_there_within_five_seconds(
    committed_house: House,
    neighbour: House,
    fake_clock: FakeClock,
    end: Callable[[House, Person, Person], Awaitable[None]],
) -> None:
    admin = await person(committed_house, "root@example.com", platform_role="admin")
    anna = await person(committed_house, "anna@example.com")
    there = visitor(neighbour, authorization=f"Bearer {anna.tokens['access_token']}")
    assert (await there.get("/me")).status_code == 200
    await end(committed_house, anna, admin)
    assert (await anna.client.get("/me")).status_code == 401
    assert (await there.get("/me")).status_code == 200, "the memory is what this test is about"
    fake_clock.advance(seconds=3)
    assert (await there.get("/me")).status_code == 401


async def test_a_lost_role_is_lost_there_too(committed_house: House, neighbour: House, fake_clock: FakeClock) -> None:
    admin = await person(committed_house, "root@example.com", platform_role="admin")
    anna = await person(committed_house, "anna@example.com", platform_role="moderator")
    there: Client = visitor(neighbour, authorization=f"Bearer {anna.tokens['access_token']}")
    assert (await there.get("/users")).status_code == 200
    await admin.client.put(f"/users/{anna.id}/platform-role", {"role": "user"})
    fake_clock.advance(seconds=3)
    assert (await there.get("/users")).status_code == 403
