"""For the tests of modules that need an organisation with a plan, and time that passes.

subscription = await subscribed(acme, "starter-month")             # paid for, from now on
await days(house, fake_clock, 31)                                  # a month later: renewed, invoiced

`PROBES` are what tests/isolation needs to call every operation of this module.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import Client, House
from nexuscore.modules import invoices
from nexuscore.modules.plans import jobs, store, subscriptions
from nexuscore.modules.plans.schemas import NewSubscription
from nexuscore.modules.plans.tables import Subscription

OVERDUE = "nexuscore.modules.invoices.jobs.announce_overdue"


async def tick(house: House) -> None:
    """Let every schedule run that is about subscriptions, and the jobs that follow."""
    for schedule in (jobs.notice_trials, jobs.renew, jobs.chase, jobs.end_stale):
        async with house.app.context() as ctx:
            await schedule(ctx)
        await house.drain()


async def days(house: House, clock: FakeClock, number: int, *, overdue: bool = False) -> None:
    """Let days pass, one by one; with `overdue`, invoices become overdue too."""
    for _ in range(number):
        clock.advance(days=1)
        if overdue:
            async with house.app.context() as ctx:
                await house.app.schedules[OVERDUE](ctx)
            await house.drain()
        await tick(house)


async def subscribed(house: House, org: UUID, plan: str = "starter-month", *, trial: bool = False) -> Subscription:
    """A subscription that is paid for, or on trial."""
    async with house.app.context(org=org) as ctx:
        made = await subscriptions.start(ctx, NewSubscription(plan=plan, trial=trial))
    await settle(house, org)
    async with house.app.context(org=org) as ctx:
        return await store.get(ctx, made.id)


async def settle(house: House, org: UUID) -> int:
    """Pay whatever the organisation owes for its subscription, by bank transfer; how many invoices that were."""
    async with house.app.context(org=org) as ctx:
        live = await store.live(ctx)
        due = [] if live is None else await store.owed(ctx, live)
        for invoice in due:
            await invoices.record_payment(
                ctx, invoice.id, invoice.amount_due, invoice.currency, reference=uuid4().hex, method="bank_transfer"
            )
    await house.drain()
    return len(due)


# --- probes -----------------------------------------------------------------------------------------

Made = tuple[dict[str, Any], Any]


async def _org_of(client: Client) -> UUID:
    return UUID((await client.get("/organisations")).json()["data"][0]["id"])


def _running(body: Any = None, *, then: str | None = None) -> Callable[[House, Client], Awaitable[Made]]:
    """An operation on a subscription that runs, brought to where the operation makes sense."""

    async def probe(house: House, client: Client) -> Made:
        org = await _org_of(client)
        async with house.app.context(org=org) as ctx:
            live = await store.live(ctx)
        found = live or await subscribed(house, org)
        path = {"subscription_id": str(found.id)}
        if then is not None:
            async with house.app.context(org=org) as ctx:
                await (subscriptions.pause(ctx, found.id) if then == "pause" else _cancelling(ctx, found.id))
        return path, body

    return probe


async def _cancelling(ctx: Any, subscription_id: UUID) -> Any:
    return await subscriptions.cancel(ctx, subscription_id, at_period_end=True)


async def _previewed(house: House, client: Client) -> Made:
    path, _ = await _running()(house, client)
    made = await client.post(f"/subscriptions/{path['subscription_id']}/previews", {"plan": "enterprise-month"})
    assert made.status_code == 201, made.text
    return path, {"preview_id": made.json()["id"]}


async def _change(house: House, client: Client) -> Made:
    path, body = await _previewed(house, client)
    return {**path, **body}, None


async def _chosen(house: House, client: Client) -> Made:
    return {"plan": "starter-month"}, None


async def _subscribe(house: House, client: Client) -> Made:
    return {}, {"plan": "starter-month"}


async def _new_plan(house: House, client: Client) -> Made:
    sku = f"probe-{uuid4().hex[:8]}-month"
    return {}, {"sku": sku, "name": "Probe", "billing_period": "month", "amount": 100}


async def _plan(house: House, client: Client) -> Made:
    plans = (await client.get("/plans")).json()
    return {"plan_id": plans[0]["id"]}, {"description": "probed"}


async def _plan_form(house: House, client: Client) -> Made:
    sku = f"probe-{uuid4().hex[:8]}-month"
    return {}, {"sku": sku, "name": "Probe", "billing_period": "month", "price": "1.00"}


PROBES = {
    "create_plan": _new_plan,
    "change_plan": _plan,
    "subscribe": _subscribe,
    "read_subscription": _running(),
    "preview_change": _running({"plan": "enterprise-month"}),
    "change_subscription": _previewed,
    "cancel_subscription": _running({"at_period_end": True}),
    "reactivate_subscription": _running(then="cancel"),
    "pause_subscription": _running(),
    "resume_subscription": _running(then="pause"),
    "create_plan_page": _plan_form,
    "one_plan_page": _plan,
    "change_plan_page": _plan,
    "choose_plan_page": _chosen,
    "subscribe_page": _subscribe,
    "preview_change_page": _running({"plan": "enterprise-month"}),
    "change_of_plan_page": _change,
    "buy_change_page": _change,
    "cancel_plan_page": _running({"at_period_end": True}),
    "reactivate_plan_page": _running(then="cancel"),
    "pause_plan_page": _running(),
    "resume_plan_page": _running(then="pause"),
}
