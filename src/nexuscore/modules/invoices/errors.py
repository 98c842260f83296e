"""What can go wrong with an invoice and its money."""

from nexuscore.kernel.errors import BusinessLogicError, ConflictError, NotFoundError


class NotDraft(ConflictError):
    """Only a draft is changed or finalised; `details.state` says what it is."""

    code = "invoice_not_draft"
    message = "This invoice is no longer a draft. Issue a credit note to correct it."


class NotOpen(ConflictError):
    """Only what is owed can be paid, credited or given up; `details.state` says what it is."""

    code = "invoice_not_open"
    message = "This invoice is not open."


class AlreadyPaid(BusinessLogicError):
    """There is nothing left to pay."""

    code = "invoice_already_paid"
    message = "This invoice is already paid."


class InvoiceVoid(BusinessLogicError):
    """It counts for nothing, so no money belongs to it."""

    code = "invoice_void"
    message = "This invoice was cancelled. Money received for it must be returned."


class OverPayment(BusinessLogicError):
    """More than is owed; `details.amount_due` says how much is."""

    code = "over_payment"
    message = "This is more than what is left to pay."


class OverRefund(BusinessLogicError):
    """More than was paid; `details.refundable` says how much can go back."""

    code = "over_refund"
    message = "This is more than what was paid."


class OverCredit(BusinessLogicError):
    """More than was charged; `details.left` says what can still be credited."""

    code = "over_credit"
    message = "This is more than what is left to credit."


class WrongCurrency(BusinessLogicError):
    """The money is of another currency than the invoice."""

    code = "wrong_currency"
    message = "This invoice is in another currency."


class ReferenceReused(ConflictError):
    """The reference belongs to another payment."""

    code = "payment_reference_reused"
    message = "This payment reference was already used for another payment."


class MoneyReceived(BusinessLogicError):
    """What was paid for, even in part, is credited and refunded, not cancelled."""

    code = "invoice_has_payments"
    message = "Money was received for this invoice. Issue a credit note and a refund instead."


class NothingToInvoice(BusinessLogicError):
    """The lines add up to less than nothing."""

    code = "invoice_below_zero"
    message = "The lines of an invoice cannot add up to less than zero."


class GstInSgd(BusinessLogicError):
    """GST is charged in Singapore dollars."""

    code = "gst_needs_sgd"
    message = "GST is charged in Singapore dollars. Use SGD, or lines that are not taxed."


class NotIssued(ConflictError):
    """A draft has no number and no day, so there is nothing to print."""

    code = "invoice_not_issued"
    message = "This invoice is a draft. It can be downloaded once it is finalised."


class LinkExpired(NotFoundError):
    """The link was right once."""

    code = "invoice_link_expired"
    message = "This link has expired. Please sign in and open the invoice to get a new one."


class NotExportable(BusinessLogicError):
    """Peppol finds companies by their UEN and wants their addresses; `details.missing` names what is not there."""

    code = "peppol_incomplete"
    message = "For e-invoicing, both companies need a UEN and an address. Add them before the invoice is finalised."
