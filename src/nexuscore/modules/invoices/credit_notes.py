"""Credit notes: what is no longer charged of an invoice. They take their GST with them, to the cent.

The GST of the n-th note is what all notes so far should hold of the invoice's GST, less what the earlier ones do. So
the notes of a fully credited invoice sum to its GST exactly, however it was cut.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.money import Money
from nexuscore.modules import books
from nexuscore.modules.invoices import numbers, postings
from nexuscore.modules.invoices.drafts import lock
from nexuscore.modules.invoices.errors import InvoiceVoid, NotOpen, OverCredit
from nexuscore.modules.invoices.events import CreditNoteIssued
from nexuscore.modules.invoices.lines import by_code
from nexuscore.modules.invoices.settling import settle
from nexuscore.modules.invoices.tables import CreditNote, Invoice

_CREATE = insert(CreditNote).returning(CreditNote)
_ONE = select(CreditNote).where(CreditNote.id == bindparam("credit_note_id"))
_OF_INVOICE = select(CreditNote).where(CreditNote.invoice_id == bindparam("of_invoice")).order_by(CreditNote.id)


@dataclass(frozen=True, slots=True)
class Left:
    """What can still be credited under a GST code: all that was charged, and what notes took of it; GST included."""

    charged: int
    gst: int
    taken: int
    taken_gst: int

    @property
    def amount(self) -> int:
        """What is left."""
        return self.charged - self.taken

    def gst_of(self, amount: int) -> int:
        """The GST in the next `amount`."""
        upto = Money(self.gst, "SGD").times(Fraction(self.taken + amount, self.charged)).minor if self.charged else 0
        return upto - self.taken_gst


async def get(ctx: Ctx, credit_note_id: UUID) -> CreditNote:
    """One credit note of the context's organisation."""
    return await ctx.db.one(_ONE, credit_note_id=credit_note_id)


async def invoice_of(ctx: Ctx, credit_note_id: UUID) -> UUID:
    """The invoice a credit note is for, for those who serve all organisations."""
    async with ctx.across_orgs("a credit note is found by its id") as everywhere:
        return (await everywhere.db.one(_ONE, credit_note_id=credit_note_id)).invoice_id


async def of_invoice(ctx: Ctx, invoice_id: UUID) -> list[CreditNote]:
    """The credit notes of an invoice, oldest first."""
    return await ctx.db.all(_OF_INVOICE, of_invoice=invoice_id)


async def credit(
    ctx: Ctx,
    invoice_id: UUID,
    *,
    reason: str,
    amount: int | None = None,
    amounts: Mapping[str, int] | None = None,
) -> CreditNote:
    """Charge less for an invoice: an `amount` with its GST, `amounts` by GST code, or with neither all that is left.

    What was paid for it and is no longer charged is owed back: `credit_balance`, until a refund is recorded.
    """
    invoice = await lock(ctx, invoice_id)
    note = await write(ctx, invoice, reason=reason, amount=amount, amounts=amounts)
    await settle(ctx, invoice, note.id, credited=note.total)
    return note


async def write(
    ctx: Ctx,
    invoice: Invoice,
    *,
    reason: str,
    amount: int | None = None,
    amounts: Mapping[str, int] | None = None,
) -> CreditNote:
    """The note itself, in the books and announced; the invoice's sums are for the caller to settle."""
    if invoice.state == "void":
        raise InvoiceVoid
    if invoice.state == "draft":
        raise NotOpen(details={"state": invoice.state})
    left = what_is_left(invoice, await of_invoice(ctx, invoice.id))
    lines = _lines(invoice, left, _asked(left, invoice.currency, amount, amounts))
    today = books.today(ctx)
    note = await ctx.db.one(
        _CREATE,
        invoice_id=invoice.id,
        number=await numbers.take(ctx, "CN", today),
        currency=invoice.currency,
        lines=lines,
        gst_rate=invoice.gst_rate,
        reason=reason,
        issued_on=today,
        created_at=ctx.now,
        created_by=ctx.actor.id,
    )
    await books.post(ctx, postings.credited(ctx.app, invoice, note))
    ctx.emit(
        CreditNoteIssued(
            invoice_id=invoice.id,
            credit_note_id=note.id,
            number=note.number,
            invoice_number=invoice.number or "",
            currency=note.currency,
            subtotal=note.subtotal,
            gst_amount=note.gst_amount,
            total=note.total,
            reason=reason,
            source=invoice.source,
            source_id=invoice.source_id,
        )
    )
    return note


def what_is_left(invoice: Invoice, notes: Sequence[CreditNote]) -> dict[str, Left]:
    """What can still be credited, by GST code."""
    taken, taken_gst = dict[str, int](), dict[str, int]()
    for note in notes:
        for line in note.lines:
            taken[line["code"]] = taken.get(line["code"], 0) + line["net"] + line["gst"]
            taken_gst[line["code"]] = taken_gst.get(line["code"], 0) + line["gst"]
    found = {}
    for code, net in by_code(invoice.lines).items():
        gst = invoice.gst_amount if code == "SR" else 0
        found[code] = Left(net + gst, gst, taken.get(code, 0), taken_gst.get(code, 0))
    return found


def _asked(
    left: Mapping[str, Left], currency: str, amount: int | None, amounts: Mapping[str, int] | None
) -> dict[str, int]:
    """How much to credit under each code."""
    room = {code: each.amount for code, each in left.items()}
    whole = sum(room.values())
    if amounts is None:
        amount = whole if amount is None else amount
        if whole and 0 < amount <= whole:
            shares = Money(amount, currency).allocate(list(room.values()))
            amounts = {code: share.minor for code, share in zip(room, shares, strict=True)}
        else:
            amounts = {"": amount}
    if any(each < 0 for each in amounts.values()) or sum(amounts.values()) <= 0:
        if whole <= 0:
            raise OverCredit(details={"left": room, "currency": currency})
        raise ValidationError.of([Fault("amount", "not_positive", "The amount must be more than zero.")])
    if any(each > room.get(code, 0) for code, each in amounts.items()):
        raise OverCredit(details={"left": room, "currency": currency})
    return {code: each for code, each in amounts.items() if each}


def _lines(invoice: Invoice, left: Mapping[str, Left], asked: Mapping[str, int]) -> list[dict[str, Any]]:
    lines = []
    for code, amount in asked.items():
        gst = left[code].gst_of(amount)
        lines.append({"code": code, "net": amount - gst, "gst": gst})
    return lines
