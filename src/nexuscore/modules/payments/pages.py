"""Payments in the console: what is to pay, paying it, what came of it, and the cards that renewals are taken from."""

from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field

from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.http import Can, Nav, PageQuery, Pages, Query, Schema, View, Went
from nexuscore.kernel.http.pages import More
from nexuscore.kernel.limits import PAYMENTS
from nexuscore.modules import books, invoices
from nexuscore.modules.payments import effects, intents, methods, paying, store
from nexuscore.modules.payments.errors import PaymentFailed
from nexuscore.modules.payments.paying import HOME, Choice
from nexuscore.modules.payments.permissions import PAY, READ
from nexuscore.modules.payments.provider import chosen
from nexuscore.modules.payments.routes import (
    CanManageMethod,
    CanPay,
    CanRead,
    CanReadPayment,
    PaymentQuery,
    key_of,
    opened,
    payer_of,
)
from nexuscore.modules.payments.schemas import NewMethod

METHODS = "/console/billing/methods"
pages = Pages("/billing/payments", tag="Payments")
methods_pages = Pages("/billing/methods", tag="Payments")
CanPayInvoice = Annotated[RowCtx[invoices.Invoice], Can(PAY, row=invoices.get)]


class NewCard(Schema):
    """One of the stand-in's cards, to keep."""

    card: str = Field(pattern=r"^\w+$", max_length=255)


class PayInvoice(More):
    """The way to pay, on the page of an invoice."""

    place: ClassVar[str] = "invoices.invoice"
    template: ClassVar[str] = "more_invoice.html"
    permission: ClassVar[str | None] = READ.name

    async def look(self, ctx: Ctx, thing: Any) -> dict[str, Any] | None:
        """What is due, and the payment that is under way; nothing once it is paid."""
        if thing.state not in effects.PAYABLE or thing.amount_due <= 0:
            return None
        live = await store.live_of(ctx, thing.id)
        return {"invoice": thing, "live": live if live is not None and live.state in paying.WAITS else None}


@pages.get(title="Payments", nav=Nav("Billing", icon="card", order=30))
async def payments_page(ctx: CanRead, query: Annotated[PaymentQuery, Query()]) -> View:
    """What is to pay, and every payment there was."""
    return View(
        "payments.html",
        to_pay=await store.to_pay(ctx),
        today=books.today(ctx),
        payments=await store.page(ctx, query, invoice_id=query.invoice_id, state=query.state),
        disputes=await store.disputes(ctx, PageQuery(limit=20)),
    )


@pages.get("/pay/{invoice_id}", title="Pay")
async def pay_page(ctx: CanPayInvoice) -> View:
    """What is due on an invoice, and how it can be paid."""
    return View("pay.html", **await paying.about(ctx, ctx.row))


@pages.post("/pay/{invoice_id}", once=True, limit=PAYMENTS)
async def pay_online_page(exchange: CanPay, invoice_id: UUID, choice: Choice) -> Went:
    """Pay it. What the bank asks for is on the payment's page."""
    payment = await paying.pay(exchange.app, opened(exchange), invoice_id, choice, key_of(exchange))
    if payment.state == "succeeded":
        return Went(f"{HOME}/{payment.id}", say="Paid. Thank you.")
    return Went(f"{HOME}/{payment.id}")


@pages.get("/{payment_id}", title="Payment")
async def payment_page(ctx: CanReadPayment) -> View:
    """One payment: where it stands, what the payer has to do, what became of it."""
    return View(
        "payment.html",
        payment=ctx.row,
        invoice=await invoices.get(ctx, ctx.row.invoice_id),
        action=paying.action_of(ctx.row),
        refunds=await store.refunds_of(ctx, ctx.row.id),
        disputes=await store.disputes_of(ctx, ctx.row.id),
    )


@pages.get("/{payment_id}/back", title="Back from the bank")
async def payment_back_page(exchange: CanPay, payment_id: UUID) -> Went:
    """Where a bank sends its payer: the provider is asked how it went, which changes nothing it did not say itself."""
    payment = await intents.refresh(exchange.app, opened(exchange), payment_id)
    if payment.state == "succeeded":
        return Went(f"{HOME}/{payment.id}", say="Paid. Thank you.")
    return Went(f"{HOME}/{payment.id}")


@pages.post("/{payment_id}/refresh", shows=payment_page)
async def refresh_payment_page(exchange: CanPay, payment_id: UUID) -> Went:
    """Ask the provider how it stands."""
    return await payment_back_page(exchange, payment_id)


@pages.post("/{payment_id}/cancel", shows=payment_page)
async def cancel_payment_page(exchange: CanPay, payment_id: UUID) -> Went:
    """Give it up, so that another may be begun."""
    payment = await intents.cancel(exchange.app, opened(exchange), payment_id)
    return Went(f"{HOME}/pay/{payment.invoice_id}", say="The payment is given up.", kind="warning")


# --- saved cards ------------------------------------------------------------------------------------


@methods_pages.get(title="Cards", nav=Nav("Billing", icon="lock", order=40))
async def methods_page(ctx: CanRead) -> View:
    """The cards that are kept for renewals."""
    return View("methods.html", methods=await methods.saved(ctx), cards=paying.cards(ctx.app))


@methods_pages.post(shows=methods_page, once=True)
async def keep_method_page(exchange: CanPay, new: NewCard) -> Went:
    """Keep one of the stand-in's cards. A bank that wants to see its holder is one page away."""
    app, payer, key = exchange.app, payer_of(exchange), key_of(exchange)
    setup = await methods.set_up(app, payer, key)
    wanted = NewMethod(setup_id=setup.id, payment_method=new.card)
    waits = f"{METHODS}/waiting/{setup.id}"
    try:
        method = await methods.finish(app, payer, wanted, key, back=f"{app.kernel.public_url}{waits}")
    except PaymentFailed as failed:
        if not isinstance(failed.details, dict) or not failed.details.get("action"):
            raise
        return Went(waits)
    async with opened(exchange)() as ctx:
        await methods.keep(ctx, chosen(app), method)
    return Went(METHODS, say="The card is kept.")


@methods_pages.get("/waiting/{setup_id}", title="Card")
async def waiting_method_page(exchange: CanPay, setup_id: str) -> View | Went:
    """A card whose bank wants to see its holder; kept as soon as the bank says yes."""
    app = exchange.app
    setup = await methods.setup_of(app, payer_of(exchange), setup_id)
    if setup.state == "succeeded" and setup.method is not None:
        async with opened(exchange)() as ctx:
            await methods.keep(ctx, chosen(app), setup.method)
        return Went(METHODS, say="The card is kept.")
    return View("waiting.html", setup=setup)


@methods_pages.post("/{method_id}/default", shows=methods_page)
async def make_method_default_page(ctx: CanManageMethod) -> Went:
    """Charge this card from now on."""
    await methods.make_default(ctx, ctx.row.id)
    return Went(METHODS, say="Renewals are taken from this card now.")


@methods_pages.post("/{method_id}/remove", shows=methods_page)
async def remove_method_page(ctx: CanManageMethod) -> Went:
    """Keep a card no longer."""
    await methods.remove(ctx, ctx.row.id)
    return Went(METHODS, say="The card is removed.", kind="warning")
