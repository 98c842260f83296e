"""A subscription from its trial to its end, while the clock walks."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.testing import House
from nexuscore.modules import invoices, plans
from nexuscore.modules.books import Check
from nexuscore.modules.identity.testing import mails_to, person
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.payments.testing import save_card, tell
from nexuscore.modules.plans import changes, renewals, store, subscriptions
from nexuscore.modules.plans.events import (
    PaymentRetried,
    SubscriptionActivated,
    SubscriptionCanceled,
    SubscriptionPastDue,
    SubscriptionRenewed,
    SubscriptionStarted,
    SubscriptionUnpaid,
    TrialEnding,
)
from nexuscore.modules.plans.schemas import NewSubscription
from nexuscore.modules.plans.tables import Subscription
from nexuscore.modules.plans.testing import days, settle, subscribed, tick

pytestmark = pytest.mark.anyio


async def now(who: Customer, subscription: Subscription) -> Subscription:
    async with who.acting() as ctx:
        return await store.get(ctx, subscription.id)


async def invoiced(who: Customer, subscription: Subscription) -> list[invoices.Invoice]:
    async with who.acting() as ctx:
        return await invoices.of_source(ctx, "subscription", subscription.id)


async def refused(attempt: Any) -> str:
    with pytest.raises(NexusError) as error:
        await attempt
    return error.value.code


# --- trial ------------------------------------------------------------------------------------------


async def test_a_trial_costs_nothing_gives_notice_and_then_is_invoiced(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    async with house.expect_events(SubscriptionStarted):
        subscription = await subscribed(house, acme.org.id, "professional-month", trial=True)
    begun = fake_clock.now()
    assert (subscription.state, subscription.trial_end) == ("trialing", begun + timedelta(days=14))
    await days(house, fake_clock, 10)
    assert await house.facts(TrialEnding) == []
    await days(house, fake_clock, 2)
    assert len(await house.facts(TrialEnding)) == 1
    [mail] = await mails_to(house, acme.owner.email, "plans.trial")
    assert "99.00" in mail.text
    assert await invoiced(acme, subscription) == []
    await days(house, fake_clock, 2)
    renewed = await now(acme, subscription)
    assert (renewed.state, renewed.current_period_end) == ("active", begun.replace(month=1, year=2027, day=4))
    [invoice] = await invoiced(acme, subscription)
    assert (invoice.state, invoice.subtotal, invoice.gst_amount, invoice.total) == ("open", 9900, 891, 10791)
    assert "2026-12-04 to 2027-01-04" in invoice.lines[0]["description"]


async def test_one_trial_per_organisation(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    first = await subscribed(house, acme.org.id, trial=True)
    async with acme.acting() as ctx:
        await subscriptions.cancel(ctx, first.id, at_period_end=False)
        assert await refused(subscriptions.start(ctx, NewSubscription(plan="starter-month", trial=True))) == "SUB_002"
        second = await subscriptions.start(ctx, NewSubscription(plan="starter-month"))
    assert (second.state, second.trial_end) == ("unpaid", None)


async def test_a_trial_begun_late_ends_with_the_organisations(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    begun = fake_clock.now()
    fake_clock.advance(days=10)
    subscription = await subscribed(house, acme.org.id, trial=True)
    assert subscription.trial_end == begun + timedelta(days=14)


async def test_a_trial_that_is_cancelled_ends_without_an_invoice(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    subscription = await subscribed(house, acme.org.id, trial=True)
    async with acme.acting() as ctx:
        await subscriptions.cancel(ctx, subscription.id, at_period_end=True)
    await days(house, fake_clock, 15)
    assert (await now(acme, subscription)).state == "canceled"
    assert await invoiced(acme, subscription) == []
    assert await mails_to(house, acme.owner.email, "plans.trial") == []


async def test_without_a_trial_nothing_holds_before_the_first_payment(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    async with acme.acting() as ctx:
        subscription = await subscriptions.start(ctx, NewSubscription(plan="enterprise-month", trial=False))
        assert subscription.state == "unpaid"
        assert (await plans.entitlement(ctx)).by == "none"
    fake_clock.advance(days=3)
    assert await settle(house, acme.org.id) == 1
    paid = await now(acme, subscription)
    assert (paid.state, paid.current_period_start) == ("active", fake_clock.now())
    assert paid.current_period_end == subscription.current_period_end + timedelta(days=3)
    async with acme.acting() as ctx:
        assert (await plans.entitlement(ctx)).plan == "enterprise-month"


# --- a year -----------------------------------------------------------------------------------------


async def test_a_year_of_months_from_the_31st(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    fake_clock.set(fake_clock.now().replace(year=2027, month=1, day=31))
    subscription = await subscribed(house, acme.org.id, "starter-month")
    ends = [subscription.current_period_end]
    for _ in range(60):
        fake_clock.advance(days=6)
        await tick(house)
        await settle(house, acme.org.id)
        current = (await now(acme, subscription)).current_period_end
        ends += [current] if current != ends[-1] else []
    assert [(end.month, end.day) for end in ends] == [
        *((2, 28), (3, 31), (4, 30), (5, 31), (6, 30), (7, 31)),
        *((8, 31), (9, 30), (10, 31), (11, 30), (12, 31), (1, 31)),
    ]
    made = await invoiced(acme, subscription)
    assert [invoice.subtotal for invoice in made] == [4900] * 12
    assert {invoice.state for invoice in made} == {"paid"}
    facts = await house.facts(SubscriptionRenewed)
    assert len(facts) == 11
    async with house.app.context(across=True) as ctx:
        assert [found for check in house.app.fillers(Check) for found in await check.run(ctx)] == []


async def test_a_server_that_was_away_catches_up_period_by_period(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    subscription = await subscribed(house, acme.org.id)
    fake_clock.advance(days=70)
    await tick(house)
    await tick(house)
    caught = await now(acme, subscription)
    assert caught.current_period_start <= fake_clock.now() < caught.current_period_end
    assert len(await invoiced(acme, subscription)) == 3


# --- dunning ----------------------------------------------------------------------------------------


async def test_what_is_not_paid_is_asked_for_on_days_1_3_5_7_and_then_given_up(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    subscription = await subscribed(house, acme.org.id, "professional-month")
    await days(house, fake_clock, 31)  # renewed after 30 days, invoiced, due in 30
    told: list[int] = []
    for _ in range(45):
        before = len(await mails_to(house, acme.owner.email, "plans.late"))
        await days(house, fake_clock, 1, overdue=True)
        current = await now(acme, subscription)
        if len(await mails_to(house, acme.owner.email, "plans.late")) > before:
            told.append((fake_clock.now() - (current.past_due_since or fake_clock.now())).days)
        if current.state == "unpaid":
            break
    assert told == [0, 1, 3, 5, 7]
    assert len(await house.facts(SubscriptionPastDue)) == len(await house.facts(SubscriptionUnpaid)) == 1
    assert len(await mails_to(house, acme.owner.email, "plans.unpaid")) == 1
    async with acme.acting() as ctx:
        assert await plans.limit(ctx, "members") == 1
        assert await refused(plans.require_feature(ctx, "api_access")) == "feature_not_in_plan"
    stopped = await now(acme, subscription)
    fake_clock.advance(days=59)
    await tick(house)
    assert (await now(acme, subscription)).current_period_end == stopped.current_period_end
    left = stopped.current_period_end - (stopped.stopped_at or fake_clock.now())
    assert (
        await settle(house, acme.org.id)
        == len([i for i in await invoiced(acme, subscription) if i.state == "paid"]) - 1
    )
    paid = await now(acme, subscription)
    assert (paid.state, paid.current_period_end) == ("active", fake_clock.now() + left)
    async with acme.acting() as ctx:
        assert await plans.limit(ctx, "members") == 20


async def test_paid_between_two_tries_it_goes_on(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    subscription = await subscribed(house, acme.org.id)
    await days(house, fake_clock, 31)
    await days(house, fake_clock, 32, overdue=True)
    assert (await now(acme, subscription)).state == "past_due"
    await settle(house, acme.org.id)
    paid = await now(acme, subscription)
    assert (paid.state, paid.next_try_at, paid.past_due_since, paid.tries) == ("active", None, None, 0)
    assert [fact.body["before"] for fact in await house.facts(SubscriptionActivated)] == ["unpaid", "past_due"]


async def test_a_card_that_is_refused_is_tried_on_days_1_3_5_7_and_then_given_up(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    await save_card(acme, "pm_card_chargeCustomerFail")
    subscription = await subscribed(house, acme.org.id, "professional-month", trial=True)
    await days(house, fake_clock, 14)
    await tell(house)
    assert (await now(acme, subscription)).state == "past_due"
    since = fake_clock.now()
    for _ in range(8):
        await days(house, fake_clock, 1)
        await tell(house)
    tried = [((fact.time - since).days, fact.body["charged"]) for fact in await house.facts(PaymentRetried)]
    assert tried == [(1, True), (3, True), (5, True), (7, True)]
    assert [(fact.time - since).days for fact in await house.facts(SubscriptionUnpaid)] == [7]
    assert len(await mails_to(house, acme.owner.email, "plans.late")) == 4  # at first, on days 1, 3 and 5
    assert len(await mails_to(house, acme.owner.email, "plans.unpaid")) == 1
    fake_clock.advance(days=58)
    await tick(house)
    assert (await now(acme, subscription)).state == "unpaid"
    fake_clock.advance(days=1)
    await tick(house)
    over = await now(acme, subscription)
    assert (over.state, over.stopped_at) == ("canceled", None)
    assert [(fact.body["before"], fact.body["reason"]) for fact in await house.facts(SubscriptionCanceled)] == [
        ("unpaid", "not paid for 60 days")
    ]
    assert [invoice.state for invoice in await invoiced(acme, subscription)] == ["open"], "the days it was served"


async def test_a_card_that_works_pays_every_renewal(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    await save_card(acme)
    subscription = await subscribed(house, acme.org.id, "professional-month", trial=True)
    await days(house, fake_clock, 46)
    await tell(house)
    assert (await now(acme, subscription)).state == "active"
    assert [invoice.state for invoice in await invoiced(acme, subscription)] == ["paid", "paid"]
    assert await house.facts(SubscriptionPastDue) == []


# --- changes ----------------------------------------------------------------------------------------


async def preview(who: Customer, subscription: Subscription, plan: str) -> dict[str, Any]:
    async with who.acting() as ctx:
        return await changes.preview(ctx, subscription.id, plan)


async def buy(who: Customer, subscription: Subscription, shown: dict[str, Any]) -> Subscription:
    async with who.acting() as ctx:
        return await changes.buy(ctx, subscription.id, shown["id"])


async def test_an_upgrade_costs_what_the_preview_showed(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    subscription = await subscribed(house, acme.org.id, "starter-month")
    fake_clock.advance(days=15)
    shown = await preview(acme, subscription, "professional-month")
    assert (shown["credit"], shown["charge"], shown["due"], shown["gst"], shown["total"]) == (
        2450,
        4950,
        2500,
        225,
        2725,
    )
    fake_clock.advance(minutes=29)
    upgraded = await buy(acme, subscription, shown)
    assert (upgraded.price, upgraded.current_period_end) == (9900, subscription.current_period_end)
    invoice = (await invoiced(acme, subscription))[-1]
    assert (invoice.subtotal, invoice.total) == (2500, 2725)
    assert [line["amount"] for line in invoice.lines] == [4950, -2450]
    async with acme.acting() as ctx:
        assert await plans.limit(ctx, "members") == 20
    await settle(house, acme.org.id)
    await days(house, fake_clock, 16)
    assert (await invoiced(acme, subscription))[-1].subtotal == 9900


async def test_a_preview_is_bought_once_in_time_and_while_nothing_changed(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    subscription = await subscribed(house, acme.org.id, "starter-month")
    late = await preview(acme, subscription, "professional-month")
    fake_clock.advance(minutes=31)
    assert await refused(buy(acme, subscription, late)) == "preview_outdated"
    first, second = [await preview(acme, subscription, "professional-month") for _ in range(2)]
    await buy(acme, subscription, first)
    await settle(house, acme.org.id)
    assert await refused(buy(acme, subscription, first)) == "preview_outdated"
    assert await refused(buy(acme, subscription, second)) == "preview_outdated"
    assert len(await invoiced(acme, subscription)) == 2


async def test_a_downgrade_waits_for_the_period_and_can_be_taken_back(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    subscription = await subscribed(house, acme.org.id, "enterprise-month")
    shown = await preview(acme, subscription, "starter-month")
    assert (shown["at_once"], shown["due"], shown["effective_at"]) == (False, 0, subscription.current_period_end)
    await buy(acme, subscription, shown)
    async with acme.acting() as ctx:
        assert await plans.limit(ctx, "members") is None
    back = await preview(acme, subscription, "enterprise-month")
    assert (await buy(acme, subscription, back)).next_plan_id is None
    await buy(acme, subscription, await preview(acme, subscription, "starter-month"))
    await days(house, fake_clock, 31)
    assert (await now(acme, subscription)).price == 4900
    assert [invoice.subtotal for invoice in await invoiced(acme, subscription)] == [24900, 4900]


async def test_to_a_year_a_new_period_begins(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    subscription = await subscribed(house, acme.org.id, "starter-month")
    fake_clock.advance(days=15)
    yearly = await buy(acme, subscription, await preview(acme, subscription, "starter-year"))
    assert (yearly.unit, yearly.current_period_start) == ("year", fake_clock.now())
    assert yearly.current_period_end == fake_clock.now().replace(year=2027)
    assert (await invoiced(acme, subscription))[-1].subtotal == 46800 - 2450


async def test_in_a_trial_a_change_is_free(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    subscription = await subscribed(house, acme.org.id, "starter-month", trial=True)
    changed = await buy(acme, subscription, await preview(acme, subscription, "enterprise-year"))
    assert (changed.state, changed.trial_end, changed.price) == ("trialing", subscription.trial_end, 238800)
    await days(house, fake_clock, 15)
    renewed = await now(acme, subscription)
    assert renewed.current_period_end == (subscription.trial_end or fake_clock.now()).replace(year=2027)
    assert [invoice.subtotal for invoice in await invoiced(acme, subscription)] == [238800]


async def test_who_owes_pays_first(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    subscription = await subscribed(house, acme.org.id)
    await days(house, fake_clock, 31)
    assert await refused(preview(acme, subscription, "enterprise-month")) == "pay_first"
    async with acme.acting() as ctx:
        assert await refused(subscriptions.pause(ctx, subscription.id)) == "pay_first"
    await settle(house, acme.org.id)
    assert await refused(preview(acme, subscription, "starter-month")) == "nothing_to_change"


# --- pause, cancel ----------------------------------------------------------------------------------


async def test_a_pause_keeps_what_was_left(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    subscription = await subscribed(house, acme.org.id)
    fake_clock.advance(days=10)
    async with acme.acting() as ctx:
        await subscriptions.pause(ctx, subscription.id)
        assert await plans.limit(ctx, "members") == 1
    await days(house, fake_clock, 60)
    async with acme.acting() as ctx:
        resumed = await subscriptions.resume(ctx, subscription.id)
    assert resumed.current_period_end == subscription.current_period_end + timedelta(days=60)
    assert len(await invoiced(acme, subscription)) == 1
    await days(house, fake_clock, 21)
    assert len(await invoiced(acme, subscription)) == 2


async def test_cancelled_at_the_end_it_runs_until_then_and_can_be_taken_back(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    subscription = await subscribed(house, acme.org.id)
    async with acme.acting() as ctx:
        await subscriptions.cancel(ctx, subscription.id, at_period_end=True)
        await subscriptions.reactivate(ctx, subscription.id)
        assert await refused(subscriptions.reactivate(ctx, subscription.id)) == "not_cancelling"
        await subscriptions.cancel(ctx, subscription.id, at_period_end=True)
    await days(house, fake_clock, 29)
    assert (await now(acme, subscription)).state == "active"
    await days(house, fake_clock, 2)
    assert (await now(acme, subscription)).state == "canceled"
    assert len(await invoiced(acme, subscription)) == 1
    async with acme.acting() as ctx:
        assert await refused(subscriptions.reactivate(ctx, subscription.id)) == "wrong_state"


async def test_cancelled_before_the_first_payment_nothing_is_owed(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    async with acme.acting() as ctx:
        subscription = await subscriptions.start(ctx, NewSubscription(plan="starter-month", trial=False))
        await subscriptions.cancel(ctx, subscription.id, at_period_end=True)
    assert [invoice.state for invoice in await invoiced(acme, subscription)] == ["void"]
    await house.drain()
    assert (await now(acme, subscription)).state == "canceled"
    assert len(await house.facts(SubscriptionCanceled)) == 1


async def test_never_paid_at_all_it_ends_by_itself_and_nothing_is_owed(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    async with acme.acting() as ctx:
        subscription = await subscriptions.start(ctx, NewSubscription(plan="starter-month", trial=False))
    fake_clock.advance(days=60)
    await tick(house)
    assert (await now(acme, subscription)).state == "canceled"
    assert [invoice.state for invoice in await invoiced(acme, subscription)] == ["void"]


async def test_a_deleted_organisation_is_not_renewed(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    subscription = await subscribed(house, acme.org.id)
    assert (await acme.owner.client.delete(acme.org.path())).status_code == 204
    await days(house, fake_clock, 31)
    assert (await now(acme, subscription)).state == "canceled"
    assert [fact.body["reason"] for fact in await house.facts(SubscriptionCanceled)] == ["the organisation was deleted"]
    assert len(await invoiced(acme, subscription)) == 1


# --- the renewal is one -----------------------------------------------------------------------------


async def test_renewed_twice_it_is_one_invoice(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    subscription = await subscribed(house, acme.org.id)
    fake_clock.advance(days=31)
    for _ in range(3):
        async with acme.acting() as ctx:
            await renewals.advance(ctx, subscription.id)
    assert len(await invoiced(acme, subscription)) == 2


# --- entitlements -----------------------------------------------------------------------------------


async def test_members_are_limited_by_the_plan(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    anna = acme.owner.client
    await subscribed(house, acme.org.id, "starter-month")
    for n in range(4):
        await acme.org.joined(await person(house, f"m{n}@example.com"))
    full = await anna.post(acme.org.path("/invitations"), {"email": "x@example.com"})
    assert (full.status_code, full.json()["error_code"]) == (400, "limit_reached")
    assert full.json()["details"] == {"what": "members", "limit": 5, "used": 5}
    shown = await anna.post(f"/subscriptions/{await live(anna)}/previews", {"plan": "professional-month"})
    assert shown.json()["over"] == []
    bought = await anna.post(
        f"/subscriptions/{await live(anna)}/change",
        {"preview_id": shown.json()["id"]},
        headers={"idempotency-key": uuid4().hex},
    )
    assert (bought.status_code, bought.json()["plan"]) == (200, "professional-month")
    assert (await anna.post(acme.org.path("/invitations"), {"email": "x@example.com"})).status_code == 201


async def live(client: Any) -> UUID:
    return UUID((await client.get("/subscriptions")).json()["data"][0]["id"])


async def test_in_its_trial_an_organisation_needs_no_subscription(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    told = (await acme.owner.client.get("/subscriptions/entitlements")).json()
    assert (told["by"], told["plan"], told["limits"]["members"]) == ("trial", "professional-month", 20)
    fake_clock.advance(days=15)
    async with acme.acting() as ctx:
        assert (await plans.entitlement(ctx)).by == "none"
        assert await refused(plans.require_room(ctx, "leads_per_month", 0)) == "limit_reached"
        await plans.require_room(ctx, "something_no_plan_names", 10**9)
