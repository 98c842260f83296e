"""Many at once, on connections of their own: one subscription, one renewal, one change."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from nexuscore.kernel import clock
from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.testing import House
from nexuscore.modules import invoices
from nexuscore.modules.invoices.testing import customer
from nexuscore.modules.plans import changes, renewals, store, subscriptions
from nexuscore.modules.plans.schemas import NewSubscription
from nexuscore.modules.plans.testing import subscribed, tick

pytestmark = pytest.mark.anyio


async def test_of_twenty_who_subscribe_at_once_one_does_and_renewals_are_one(committed_house: House) -> None:
    """Without lock and partial index thirteen were live; without row lock and index a renewal was ten invoices."""
    house = committed_house
    acme = await customer(house)
    told: Counter[str] = Counter()

    async def begin() -> None:
        try:
            async with acme.acting() as ctx:
                await subscriptions.start(ctx, NewSubscription(plan="starter-month", trial=True))
            told["subscribed"] += 1
        except NexusError as error:
            told[error.code] += 1

    await asyncio.gather(*(begin() for _ in range(20)))
    assert told == {"subscribed": 1, "already_subscribed": 19}
    async with acme.acting() as ctx:
        live = await store.live(ctx)
        assert live is not None
    with clock.fake(live.current_period_end + timedelta(minutes=1)):

        async def renew() -> None:
            async with acme.acting() as ctx:
                await renewals.advance(ctx, live.id)

        await asyncio.gather(*(renew() for _ in range(10)), tick(house))
        async with acme.acting() as ctx:
            assert len(await invoices.of_source(ctx, "subscription", live.id)) == 1


async def test_a_preview_bought_ten_times_at_once_is_bought_once(committed_house: House) -> None:
    house = committed_house
    acme = await customer(house)
    subscription = await subscribed(house, acme.org.id)
    async with acme.acting() as ctx:
        shown = await changes.preview(ctx, subscription.id, "enterprise-month")
    told: Counter[str] = Counter()

    async def buy() -> None:
        try:
            async with acme.acting() as ctx:
                await changes.buy(ctx, subscription.id, shown["id"])
            told["bought"] += 1
        except NexusError as error:
            told[error.code] += 1

    await asyncio.gather(*(buy() for _ in range(10)))
    assert told == {"bought": 1, "preview_outdated": 9}
    async with acme.acting() as ctx:
        assert len(await invoices.of_source(ctx, "subscription", subscription.id)) == 2
