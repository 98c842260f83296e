"""What a payment, a refund and a dispute can become. The migration writes the same into the database, which refuses
every other step."""

PAYMENT = {
    "pending": ("requires_action", "processing", "succeeded", "failed", "canceled"),
    "requires_action": ("pending", "processing", "succeeded", "failed", "canceled"),
    "processing": ("requires_action", "succeeded", "failed", "canceled"),
    "failed": ("pending", "requires_action", "processing", "succeeded", "canceled"),
    "canceled": ("succeeded",),  # money that came after all is never turned away
    "succeeded": ("partially_refunded", "refunded", "disputed"),
    "partially_refunded": ("succeeded", "refunded", "disputed"),
    "refunded": ("succeeded", "partially_refunded", "disputed"),
    "disputed": ("succeeded", "partially_refunded", "refunded", "charged_back"),
    "charged_back": (),
}
REFUND = {"pending": ("succeeded", "failed", "canceled"), "succeeded": ("failed",), "failed": (), "canceled": ()}
DISPUTE = {
    "inquiry": ("open", "won", "lost", "closed"),
    "open": ("won", "lost", "closed"),
    "won": (),
    "lost": (),
    "closed": (),
}

LIVE = ("pending", "requires_action", "processing", "failed")
"""Money may still come of it: an invoice has one such payment at most."""

PAID = ("succeeded", "partially_refunded", "refunded", "disputed", "charged_back")
"""The money came."""

BY_HAND = ("hand", "stripe_invoice")
"""Providers nobody can ask: staff recorded it, or Stripe's own billing told us."""
