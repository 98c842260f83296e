"""The states are those the documentation draws: every other step is refused by the database, whoever asks."""

import re
from pathlib import Path

import asyncpg
import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.plans.tables import STATES
from nexuscore.modules.plans.testing import subscribed

pytestmark = pytest.mark.anyio
PAGE = Path(__file__).parents[5] / "docs" / "plans.md"
REST = {
    "canceled": "canceled_at = now(), stopped_at = NULL, next_try_at = NULL",
    "paused": "stopped_at = now(), next_try_at = NULL, canceled_at = NULL",
    "unpaid": "stopped_at = now(), next_try_at = NULL, canceled_at = NULL",
    "past_due": "next_try_at = now(), stopped_at = NULL, canceled_at = NULL",
    "active": "next_try_at = NULL, stopped_at = NULL, canceled_at = NULL",
    "trialing": "trial_end = now(), next_try_at = NULL, stopped_at = NULL, canceled_at = NULL",
}
WAYS = {
    "trialing": [],
    "active": ["active"],
    "past_due": ["active", "past_due"],
    "unpaid": ["active", "past_due", "unpaid"],
    "paused": ["active", "paused"],
    "canceled": ["canceled"],
}


def drawn() -> set[tuple[str, str]]:
    return set(re.findall(r"^ *(\w+) --> (\w+)", PAGE.read_text(), re.MULTILINE))


async def test_every_step_that_is_not_drawn_is_refused(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    """Without the trigger, steps that are not drawn went through: canceled to paused, unpaid to trialing, and more."""
    subscription = await subscribed(house, acme.org.id, trial=True)
    taken: set[tuple[str, str]] = set()
    async with acme.acting() as ctx:

        async def become(state: str) -> None:
            await ctx.db.raw(
                f"UPDATE subscriptions SET state = '{state}', {REST[state]} WHERE id = $1", subscription.id
            )

        for before in STATES:
            for after in STATES:
                if before == after:
                    continue
                await ctx.db.connection.execute("SAVEPOINT here")
                for step in WAYS[before]:
                    await become(step)
                try:
                    await become(after)
                    taken.add((before, after))
                except asyncpg.CheckViolationError:
                    pass
                await ctx.db.connection.execute("ROLLBACK TO here")
    assert taken == drawn()


async def test_what_is_over_stays_and_nothing_is_deleted(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    subscription = await subscribed(house, acme.org.id, trial=True)
    async with acme.acting() as ctx:
        await ctx.db.raw("UPDATE subscriptions SET state = 'canceled', canceled_at = now()")
        for sql, error in (
            ("UPDATE subscriptions SET price = 1 WHERE id = $1", asyncpg.CheckViolationError),
            ("DELETE FROM subscriptions WHERE id = $1", asyncpg.InsufficientPrivilegeError),
        ):
            with pytest.raises(error):
                async with ctx.db.savepoint():
                    await ctx.db.raw(sql, subscription.id)
