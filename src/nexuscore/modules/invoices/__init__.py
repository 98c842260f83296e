"""Invoices: what organisations owe the platform, with GST as Singapore asks for it.

    invoice = await invoices.issue(ctx, [NewLine(description="Professional, November", unit_price=9900)])
    await invoices.record_payment(ctx, invoice.id, 10791, "SGD", reference="pi_3Q…", method="card")

`ctx` is in the scope of the organisation that owes (`ctx.in_org`). Amounts are minor units. Every movement of money is
in the books already when a verb returns: whoever calls does not post it again. `docs/invoices.md` tells the story.
"""

from nexuscore.modules.invoices.credit_notes import credit
from nexuscore.modules.invoices.customers import customer, find_customers
from nexuscore.modules.invoices.drafts import change, draft, get, lock, of_source, organisation_of
from nexuscore.modules.invoices.errors import (
    AlreadyPaid,
    GstInSgd,
    InvoiceVoid,
    MoneyReceived,
    NotDraft,
    NotOpen,
    OverCredit,
    OverPayment,
    OverRefund,
    ReferenceReused,
    WrongCurrency,
)
from nexuscore.modules.invoices.history import Happened, history
from nexuscore.modules.invoices.lines import NewLine, NewLines, gst_of
from nexuscore.modules.invoices.papers import Words, letterhead, own, print_alike, printed_in
from nexuscore.modules.invoices.payments import Recorded, of_invoice, record_payment, record_refund, record_reversal
from nexuscore.modules.invoices.postings import METHODS
from nexuscore.modules.invoices.schemas import NewPayment
from nexuscore.modules.invoices.slots import MoneyByHand, Receipts
from nexuscore.modules.invoices.states import finalise, issue, mark_uncollectible, void
from nexuscore.modules.invoices.tables import CreditNote, Invoice, Payment
from nexuscore.modules.invoices.tax import Treatment, treatment
from nexuscore.modules.invoices.typed import number_of, plain_amount

__all__ = [
    "METHODS",
    "AlreadyPaid",
    "CreditNote",
    "GstInSgd",
    "Happened",
    "Invoice",
    "InvoiceVoid",
    "MoneyByHand",
    "MoneyReceived",
    "NewLine",
    "NewLines",
    "NewPayment",
    "NotDraft",
    "NotOpen",
    "OverCredit",
    "OverPayment",
    "OverRefund",
    "Payment",
    "Receipts",
    "Recorded",
    "ReferenceReused",
    "Treatment",
    "Words",
    "WrongCurrency",
    "change",
    "credit",
    "customer",
    "draft",
    "finalise",
    "find_customers",
    "get",
    "gst_of",
    "history",
    "issue",
    "letterhead",
    "lock",
    "mark_uncollectible",
    "number_of",
    "of_invoice",
    "of_source",
    "organisation_of",
    "own",
    "plain_amount",
    "print_alike",
    "printed_in",
    "record_payment",
    "record_refund",
    "record_reversal",
    "treatment",
    "void",
]
