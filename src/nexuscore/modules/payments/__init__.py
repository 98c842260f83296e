"""Payments: money for invoices, through Stripe or by hand, with one effect however often we hear of it."""
