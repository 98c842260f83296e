"""For the tests of modules that take money. In tests the stand-in for Stripe is called in the process itself.

acme = await customer(house)                                  # of invoices.testing
invoice = await owed(acme, 10_000)                            # 109.00 with GST
payment = await pay(acme, invoice.id)                         # by card, confirmed
await tell(house)                                             # the webhooks that were on their way

`PROBES` are what tests/isolation needs to call every operation of this module.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx2

from nexuscore.kernel import clock
from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.testing import Client, House
from nexuscore.modules import invoices
from nexuscore.modules.books.testing import balances
from nexuscore.modules.invoices import NewLine
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.payments import byhand, findings, intents, methods, reconcile, refunds, store
from nexuscore.modules.payments.fake import Answer, Stripe
from nexuscore.modules.payments.fake.account import signature
from nexuscore.modules.payments.fake.mounted import secret, stand_in
from nexuscore.modules.payments.fake.serving import serving
from nexuscore.modules.payments.provider import chosen
from nexuscore.modules.payments.reconcile import Reconcile
from nexuscore.modules.payments.schemas import NewMethod, NewRecord, NewRefund
from nexuscore.modules.payments.tables import Reconciliation

__all__ = [
    "PROBES",
    "Answer",
    "Stripe",
    "before_fees",
    "begin",
    "bodies",
    "compare",
    "confirm",
    "decide",
    "invoice_now",
    "kept_card",
    "owed",
    "pay",
    "post",
    "save_card",
    "send",
    "send_back",
    "serving",
    "stripe_of",
    "tell",
]


def stripe_of(house: House) -> Stripe:
    """The stand-in of this test."""
    return stand_in(house.app)


async def owed(who: Customer, unit_price: int = 10_000, **terms: Any) -> invoices.Invoice:
    """An open invoice."""
    async with who.acting() as ctx:
        return await invoices.issue(ctx, [NewLine(description="A month", unit_price=unit_price)], **terms)


async def invoice_now(who: Customer, invoice_id: UUID | str) -> invoices.Invoice:
    """The invoice as it is now."""
    async with who.acting() as ctx:
        return await invoices.get(ctx, UUID(str(invoice_id)))


async def send(client: Client, path: str, body: Any = None, *, key: str | None = None) -> httpx2.Response:
    """A request that moves money, with a key of its own."""
    return await client.post(path, body, headers={"idempotency-key": key or uuid4().hex})


async def begin(who: Customer, invoice_id: UUID, **more: Any) -> dict[str, Any]:
    """Begin to pay."""
    answer = await send(who.owner.client, "/payments/intents", {"invoice_id": str(invoice_id), **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def confirm(who: Customer, payment_id: str, card: str = "pm_card_visa", **more: Any) -> httpx2.Response:
    """Take the money from a card."""
    return await send(who.owner.client, f"/payments/{payment_id}/confirm", {"payment_method": card}, **more)


async def pay(who: Customer, invoice_id: UUID, card: str = "pm_card_visa", **more: Any) -> dict[str, Any]:
    """Pay by card, all the way."""
    begun = await begin(who, invoice_id, **more)
    answer = await confirm(who, begun["id"], card)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def save_card(who: Customer, card: str = "pm_card_visa") -> dict[str, Any]:
    """Keep a card for renewals."""
    setup = (await send(who.owner.client, "/payments/methods/setup")).json()
    answer = await send(who.owner.client, "/payments/methods", {"setup_id": setup["setup_id"], "payment_method": card})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def kept_card(app: App, org_id: UUID, card: str = "pm_card_visa") -> None:
    """Keep a card for an organisation, with no browser in between."""

    def opened() -> AbstractAsyncContextManager[Ctx]:
        return app.context(org=org_id)

    async def payer() -> str:
        return await intents.payer(app, opened, chosen(app))

    setup = await methods.set_up(app, payer, uuid4().hex)
    method = await methods.finish(app, payer, NewMethod(setup_id=setup.id, payment_method=card), uuid4().hex)
    async with opened() as ctx:
        await methods.keep(ctx, chosen(app), method)


async def send_back(ctx: Ctx, invoice_id: UUID) -> None:
    """Refund the payment of an invoice, as staff do."""
    (row,) = await ctx.db.raw("SELECT id FROM payments WHERE invoice_id = $1 AND paid_at IS NOT NULL", invoice_id)
    await refunds.request(ctx, await store.get(ctx, row.id), NewRefund(reason="Sent back"))


def bodies(house: House) -> list[bytes]:
    """The webhooks on their way, taken off the queue."""
    stripe = stripe_of(house)
    stripe.pass_time()
    for each in stripe.account.deliveries:
        each.at = 0.0
    return stripe.account.due()


async def post(house: House, body: bytes) -> httpx2.Response:
    """One webhook, signed as Stripe signs."""
    headers = {"content-type": "application/json", "stripe-signature": signature(secret(house.app), body)}
    return await house.client().request("POST", "/hooks/stripe", content=body, headers=headers)


async def tell(house: House, *, copies: int = 1, shuffled: Random | None = None) -> int:
    """Deliver the webhooks that are on their way, and let the jobs run; how many there were."""
    waiting: Sequence[bytes] = bodies(house) * copies
    if shuffled is not None:
        waiting = shuffled.sample(waiting, len(waiting))
    for body in waiting:
        answer = await post(house, body)
        assert answer.status_code == 200, answer.text
    await house.drain()
    return len(waiting)


async def decide(house: House, evidence: str) -> None:
    """End the one dispute at the provider: `winning_evidence` or `losing_evidence`, as in Stripe's test mode."""
    stripe = stripe_of(house)
    (dispute,) = stripe.account.all("dispute")
    body = f"submit=true&evidence[uncategorized_text]={evidence}".encode()
    answer = stripe.answer("POST", f"/v1/disputes/{dispute['id']}", {"authorization": "Bearer sk_test_1"}, body)
    assert answer.status == 200


async def before_fees(house: House) -> dict[str, int]:
    """The balances as if the provider kept nothing for itself: its fees counted back to it."""
    found = await balances(house)
    if "processor" in found:
        found["processor"] += found.pop("processor_fees", 0)
    return found


async def compare(house: House, *, hours: int = 24) -> Reconciliation:
    """Hold everything against the stand-in, as the daily job does."""
    now = clock.now()
    sheet = await reconcile.fetch(
        house.app, Reconcile(since=now - timedelta(hours=hours), until=now + timedelta(hours=1))
    )
    async with house.app.context() as ctx:
        return await reconcile.compare(ctx, sheet)


# --- probes: what tests/isolation needs to call every operation -----------------------------------

Made = tuple[dict[str, Any], Any]


async def _customer(house: House, client: Client) -> UUID:
    """The organisation of whoever asks; for staff, who are in none, one that is there for this."""
    listed = (await client.get("/organisations")).json()["data"]
    if listed:
        return UUID(listed[0]["id"])
    made = await client.post("/organisations", {"name": f"Probed {uuid4().hex[:6]}"})
    return UUID(made.json()["id"])


async def _invoice(house: House, client: Client) -> str:
    async with house.app.context(org=await _customer(house, client)) as ctx:
        made = await invoices.issue(ctx, [NewLine(description="Probe", unit_price=10_000)])
    return str(made.id)


async def _new(house: House, client: Client) -> Made:
    return {}, {"invoice_id": await _invoice(house, client)}


async def _record(house: House, client: Client) -> Made:
    invoice = await _invoice(house, client)
    return {}, {"invoice_id": invoice, "amount": 100, "kind": "cash", "reference": uuid4().hex}


async def _by_hand(house: House, client: Client) -> str:
    """A payment in cash, as staff record it."""
    org, invoice = await _customer(house, client), await _invoice(house, client)
    async with house.app.context(org=org) as ctx:
        new = NewRecord(invoice_id=UUID(invoice), amount=100, kind="cash", reference=uuid4().hex)
        return str((await byhand.record(ctx, new)).id)


def _payment(body: Any = None) -> Callable[[House, Client], Awaitable[Made]]:
    """An operation on a payment that is under way."""

    async def probe(house: House, client: Client) -> Made:
        made = await send(client, "/payments/intents", {"invoice_id": await _invoice(house, client)})
        return {"payment_id": made.json()["id"]}, body

    return probe


async def _refund(house: House, client: Client) -> Made:
    return {"payment_id": await _by_hand(house, client)}, {"amount": 50, "reason": "Probe"}


async def _returned(house: House, client: Client) -> Made:
    return {"payment_id": await _by_hand(house, client)}, {"reason": "Probe"}


async def _setup(house: House, client: Client) -> Made:
    setup = (await send(client, "/payments/methods/setup")).json()
    return {}, {"setup_id": setup["setup_id"], "payment_method": "pm_card_visa"}


async def _method(house: House, client: Client) -> Made:
    _, body = await _setup(house, client)
    return {"method_id": (await send(client, "/payments/methods", body)).json()["id"]}, None


async def _finding(house: House, client: Client) -> Made:
    id = uuid4().hex
    async with house.app.context() as ctx:
        await findings.report(ctx, "missing_here", "payment", id)
    listed = (await client.get("/payments/findings")).json()["data"]
    return {"finding_id": next(each["id"] for each in listed if each["thing_id"] == id)}, {"note": "Seen"}


async def _period(house: House, client: Client) -> Made:
    today = clock.now().date().isoformat()
    return {}, {"since": today, "until": today}


async def _to_pay(house: House, client: Client) -> Made:
    return {"invoice_id": await _invoice(house, client)}, {"method": "card", "card": "pm_card_visa"}


async def _keep(house: House, client: Client) -> Made:
    return {}, {"card": "pm_card_visa"}


async def _waiting(house: House, client: Client) -> Made:
    return {"setup_id": (await _setup(house, client))[1]["setup_id"]}, None


async def _refund_form(house: House, client: Client) -> Made:
    return {"payment_id": await _by_hand(house, client)}, {"amount": "0.50", "reason": "Probe"}


PROBES = {
    "create_payment": _new,
    "confirm_payment": _payment({"payment_method": "pm_card_visa"}),
    "refresh_payment": _payment(),
    "cancel_payment": _payment(),
    "read_payment": _payment(),
    "list_refunds": _payment(),
    "save_payment_method": _setup,
    "make_payment_method_default": _method,
    "remove_payment_method": _method,
    "record_payment": _record,
    "take_back_payment": _returned,
    "refund_payment": _refund,
    "settle_payment_finding": _finding,
    "begin_reconciliation": _period,
    "pay_page": _to_pay,
    "pay_online_page": _to_pay,
    "payment_page": _payment(),
    "payment_back_page": _payment(),
    "refresh_payment_page": _payment(),
    "cancel_payment_page": _payment(),
    "keep_method_page": _keep,
    "waiting_method_page": _waiting,
    "make_method_default_page": _method,
    "remove_method_page": _method,
    "refund_page": _refund_form,
    "send_refund_page": _refund_form,
    "compare_page": _period,
    "finding_page": _finding,
    "settle_finding_page": _finding,
}
