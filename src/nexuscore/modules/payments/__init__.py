"""Payments: money for invoices, through Stripe or by hand, with one effect however often we hear of it.

    payment = await payments.charge(ctx, invoice.id, key=f"renewal:{period}")      # a saved card, in your transaction

The answer comes as `events.PaymentSucceeded` or `events.PaymentFailed`. Without a saved card it is `NoSavedMethod`.
A module brings a provider of its own with `Provider`. `docs/payments.md` tells the whole story.
"""

from nexuscore.modules.payments.charges import charge
from nexuscore.modules.payments.errors import NoSavedMethod, ProviderRefused, ProviderUnavailable
from nexuscore.modules.payments.methods import default as default_method
from nexuscore.modules.payments.provider import (
    Dispute,
    Failure,
    Intent,
    Method,
    Order,
    Provider,
    Refund,
    Setup,
)
from nexuscore.modules.payments.tables import Payment, SavedMethod

__all__ = [
    "Dispute",
    "Failure",
    "Intent",
    "Method",
    "NoSavedMethod",
    "Order",
    "Payment",
    "Provider",
    "ProviderRefused",
    "ProviderUnavailable",
    "Refund",
    "SavedMethod",
    "Setup",
    "charge",
    "default_method",
]
