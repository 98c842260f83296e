"""The one row: who may change it, what is kept of it, and that nothing else can be made of it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from nexuscore.kernel import clock
from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules import fees
from nexuscore.modules.fees.events import PlatformFeeChanged
from nexuscore.modules.identity.testing import Person, person

pytestmark = pytest.mark.anyio
PATH = "/platform-fee"


async def change(who: Person, **fields: Any) -> Any:
    body = {"reason": "because", **fields}
    return await who.client.patch(PATH, body, headers={"idempotency-key": uuid4().hex})


async def test_it_begins_with_ten_per_cent(house: House, root: Person) -> None:
    fee = (await root.client.get(PATH)).json()
    assert (fee["id"], fee["fee_percentage"], fee["is_active"]) == (1, "10.00", True)
    assert (fee["percentage"], fee["decimal"]) == ("10.00", "0.1000")
    async with house.app.context() as ctx:
        assert await fees.percentage(ctx) == Decimal("10.00")
        assert await fees.decimal(ctx) == Decimal("0.10")


async def test_a_change_is_a_fact_and_history_says_who_and_why(house: House, root: Person) -> None:
    async with house.expect_events(PlatformFeeChanged) as seen:
        answer = await change(root, fee_percentage="12.50", reason="the board decided")
    assert (answer.status_code, answer.json()["fee_percentage"], answer.json()["version"]) == (200, "12.50", 2)
    fact = seen[0]
    assert (fact.actor_id, fact.org) == (root.id, None)
    assert fact.body["before"] == "10.00"
    assert (fact.body["after"], fact.body["reason"]) == ("12.50", "the board decided")
    latest, first = (await root.client.get(f"{PATH}/history")).json()["data"]
    assert (latest["changed_by"], latest["reason"], latest["effective_until"]) == (
        str(root.id),
        "the board decided",
        None,
    )
    assert first["fee_percentage"] == "10.00"
    assert first["effective_until"] == latest["effective_from"]


async def test_a_change_to_what_it_is_already_is_none(house: House, root: Person) -> None:
    async with house.expect_events():
        answer = await change(root, fee_percentage="10.00")
    assert (answer.status_code, answer.json()["version"]) == (200, 1)


async def test_moderators_look_and_others_do_not(house: House) -> None:
    moderator = await person(house, "mod@example.com", platform_role="moderator")
    anna = await person(house, "anna@example.com")
    assert (await moderator.client.get(PATH)).status_code == 200
    assert (await change(moderator, fee_percentage="1.00")).status_code == 403
    assert (await anna.client.get(PATH)).status_code == 403
    assert (await change(anna, fee_percentage="1.00")).status_code == 403


async def test_it_asks_for_the_password_again(house: House, fake_clock: FakeClock) -> None:
    root = await person(house, "root@example.com", platform_role="admin")
    fake_clock.advance(minutes=11)
    late = await change(root, fee_percentage="1.00")
    assert (late.status_code, late.json()["error_code"]) == (401, "reauthentication_required")
    again = await root.client.post("/auth/reauthenticate", {"password": root.password})
    assert again.status_code < 300, again.text
    assert (await change(root, fee_percentage="1.00")).status_code == 200


async def test_it_needs_a_key(root: Person) -> None:
    answer = await root.client.patch(PATH, {"fee_percentage": "1.00", "reason": "x"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "idempotency_key_required")


async def test_a_percentage_is_text_between_zero_and_a_hundred(root: Person) -> None:
    for wrong in ("100.01", "-1", "10.005", "1e1", "", "NaN", 10, 10.5):
        answer = await change(root, fee_percentage=wrong)
        assert (answer.status_code, answer.json()["details"][0]["field"]) == (422, "fee_percentage"), wrong


async def test_it_has_a_reason(root: Person) -> None:
    assert (await change(root, fee_percentage="1.00", reason=" ")).status_code == 422


async def test_of_two_who_changed_the_same_version_the_second_is_told(root: Person) -> None:
    assert (await change(root, fee_percentage="11.00", version=1)).status_code == 200
    late = await change(root, fee_percentage="12.00", version=1)
    assert (late.status_code, late.json()["error_code"]) == (409, "fee_moved")


async def test_switched_off_it_takes_nothing(house: House, root: Person) -> None:
    off = (await change(root, is_active=False)).json()
    assert (off["fee_percentage"], off["percentage"], off["decimal"]) == ("10.00", "0.00", "0.0000")
    figures = await house.client().get(f"{PATH}/figures", params={"base": 10_000, "currency": "SGD", "quantity": 5})
    assert figures.json()["total"] == {"minor": 50_000, "currency": "SGD"}
    assert (await change(root, is_active=True)).json()["percentage"] == "10.00"


async def test_anybody_sees_what_they_would_pay(house: House) -> None:
    answer = await house.client().get(f"{PATH}/figures", params={"base": 10_000, "currency": "SGD", "quantity": 5})
    figures = answer.json()
    assert {name: figures[name]["minor"] for name in ("subtotal", "fee", "total", "each")} == {
        "subtotal": 50_000,
        "fee": 5_000,
        "total": 55_000,
        "each": 11_000,
    }
    unknown = await house.client().get(f"{PATH}/figures", params={"base": 1, "currency": "XQX"})
    assert unknown.status_code == 422


async def test_the_percentage_of_a_moment_is_what_it_was_then(house: House, fake_clock: FakeClock) -> None:
    fake_clock.set(clock.now() + timedelta(days=400))
    fresh = await person(house, "root2@example.com", platform_role="admin")
    moments = [clock.now()]
    for percentage in ("20.00", "30.00"):
        fake_clock.advance(minutes=1)
        assert (await change(fresh, fee_percentage=percentage)).status_code == 200
        moments.append(clock.now())
    async with house.app.context() as ctx:
        found = [str(await fees.percentage_at(ctx, moment)) for moment in moments]
        assert found == ["10.00", "20.00", "30.00"]
        assert await fees.percentage_at(ctx, moments[0] - timedelta(days=9999)) == Decimal("10.00")


# --- the database itself ----------------------------------------------------------------------------


REFUSED = (
    "INSERT INTO core_platform_fee_config (id, reason) VALUES (2, 'x')",
    "INSERT INTO core_platform_fee_config (id, reason) VALUES (1, 'x')",
    "UPDATE core_platform_fee_config SET id = 2",
    "UPDATE core_platform_fee_config SET fee_percentage = 100.01",
    "UPDATE core_platform_fee_config SET fee_percentage = -0.01",
    "UPDATE core_platform_fee_config SET fee_percentage = 'NaN'",
    "DELETE FROM core_platform_fee_config",
    "TRUNCATE core_platform_fee_config",
    "UPDATE core_platform_fee_history SET fee_percentage = 1",
    "DELETE FROM core_platform_fee_history",
    "TRUNCATE core_platform_fee_history",
)


async def test_even_the_owner_of_the_database_is_refused(house: House) -> None:
    """With the triggers and checks left out of the migration, nine of the eleven went through."""
    connection = await asyncpg.connect(house.owner_dsn)
    try:
        for sql in REFUSED:
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute(f"BEGIN; {sql}")
            await connection.execute("ROLLBACK")
    finally:
        await connection.close()


async def test_the_app_cannot_write_history(house: House) -> None:
    async with house.app.context() as ctx:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with ctx.db.savepoint():
                await ctx.db.raw("INSERT INTO core_platform_fee_history VALUES (9, 1, true, '', 'forged', NULL, now())")


async def test_a_change_by_hand_is_in_the_history_too_and_time_goes_on(house: House) -> None:
    async with house.app.context() as ctx:
        for _ in range(2):
            await ctx.db.raw(
                "UPDATE core_platform_fee_config SET fee_percentage = fee_percentage + 1, reason = 'by hand',"
                " version = 77, updated_at = '2001-01-01'"
            )
        rows = await ctx.db.raw("SELECT * FROM core_platform_fee_history ORDER BY version")
    assert [(row.version, str(row.fee_percentage)) for row in rows] == [(1, "10.00"), (2, "11.00"), (3, "12.00")]
    assert rows[0].effective_from < rows[1].effective_from < rows[2].effective_from


async def test_whoever_changed_it_may_go_and_the_history_stays(house: House, root: Person) -> None:
    await change(root, fee_percentage="12.50")
    async with house.app.context() as ctx:
        await ctx.db.raw("DELETE FROM users WHERE id = $1", root.id)
        [row] = await ctx.db.raw("SELECT updated_by, version FROM core_platform_fee_config")
        history = await ctx.db.raw("SELECT changed_by FROM core_platform_fee_history ORDER BY version")
    assert (row.updated_by, row.version) == (None, 2)
    assert [each.changed_by for each in history] == [None, UUID(str(root.id))]
