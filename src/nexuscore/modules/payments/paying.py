"""Paying an invoice in one go, as somebody before a page does: choose how, press once, follow the bank if it asks."""

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

import segno
from pydantic import Field, ValidatorFunctionWrapHandler, field_validator

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Schema
from nexuscore.modules import invoices
from nexuscore.modules.payments import effects, intents, methods, store
from nexuscore.modules.payments.errors import NoProvider
from nexuscore.modules.payments.fake.cards import CARDS, Card
from nexuscore.modules.payments.intents import Open
from nexuscore.modules.payments.provider import chosen, is_pretended
from nexuscore.modules.payments.schemas import Confirmation, NewIntent
from nexuscore.modules.payments.tables import Payment

HOME = "/console/billing/payments"
CARD, PAYNOW = "card", "paynow"
WAITS = ("requires_action", "processing")  # for its payer, or for the bank: nothing else is begun meanwhile


class Choice(Schema):
    """How to pay: a saved card by its id, PayNow, or (where the stand-in takes the money) one of its cards."""

    method: UUID | Literal["card", "paynow"]
    card: str | None = Field(None, pattern=r"^\w+$", max_length=255)
    keep_method: bool = False

    @field_validator("method", mode="wrap")
    @classmethod
    def _named(cls, value: Any, read: ValidatorFunctionWrapHandler) -> Any:
        try:
            return read(value)
        except ValueError:
            raise ValueError("Choose how to pay.") from None

    @property
    def saved(self) -> UUID | None:
        """The saved card, if it is one."""
        return self.method if isinstance(self.method, UUID) else None


@dataclass(frozen=True, slots=True)
class Action:
    """What the payer has to do elsewhere: go to `url`, or pay what `picture` shows."""

    url: str | None
    picture: str | None


async def about(ctx: Ctx, invoice: invoices.Invoice) -> dict[str, Any]:
    """What the page says of an invoice that is to be paid, and how it can be."""
    live = await store.live_of(ctx, invoice.id)
    return {
        "invoice": invoice,
        "due": invoice.amount_due if invoice.state in effects.PAYABLE else 0,
        "live": live,
        "waits": live is not None and live.state in WAITS,
        "saved": await methods.rows(ctx) if _taken_by(ctx.app) else [],
        "cards": cards(ctx.app),
        "provider": _taken_by(ctx.app),
        "paynow": invoice.currency == "SGD" and _taken_by(ctx.app) is not None,
    }


async def pay(app: App, opened: Open, invoice_id: UUID, choice: Choice, key: str) -> Payment:
    """Pay what is due. Sent twice with one key, it is one payment; a decline is `PaymentFailed`, and on record."""
    kind = PAYNOW if choice.method == PAYNOW else CARD
    new = NewIntent.model_validate({"invoice_id": invoice_id, "kind": kind, "keep_method": choice.keep_method})
    await _make_way(app, opened, new)
    payment, _ = await intents.start(app, opened, new, key)
    if kind == PAYNOW:
        return payment
    how = Confirmation(payment_method=choice.card if choice.method == CARD else None, method_id=choice.saved)
    back = f"{app.kernel.public_url}{HOME}/{payment.id}/back"
    return await intents.confirm(app, opened, payment.id, how, key, back=back)


def cards(app: App) -> list[Card]:
    """The cards of the stand-in, where it takes the money: a real card is never typed into a page of ours."""
    return list(CARDS.values()) if is_pretended(app) else []


def action_of(payment: Payment) -> Action | None:
    """Where the payer goes, or what they scan, while the payment waits for that."""
    if payment.state != "requires_action" or payment.action is None:
        return None
    url = str(payment.action.get("url") or "")
    code = payment.action.get("data")
    return Action(
        url=url if urlsplit(url).scheme in ("http", "https") else None,
        picture=None if code is None else segno.make(code, error="m").svg_data_uri(scale=4, border=4, light="#fff"),
    )


async def _make_way(app: App, opened: Open, new: NewIntent) -> None:
    """Give up what was begun another way and came to nothing: somebody changed their mind."""
    async with opened() as ctx:
        await invoices.get(ctx, new.invoice_id)
        live = await store.live_of(ctx, new.invoice_id)
    if live is None or live.state not in ("pending", "failed"):
        return
    if live.kind != new.kind or new.keep_method > live.keep_method:
        await intents.cancel(app, opened, live.id)


def _taken_by(app: App) -> str | None:
    try:
        return chosen(app)
    except NoProvider:
        return None
