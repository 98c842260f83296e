"""A stand-in for Stripe that speaks its wire format, for tests and for trying things out. Never in production.

    fake = Stripe()
    answer = fake.answer("POST", "/v1/payment_intents", headers, b"amount=1000&currency=sgd")

It is plain functions over a state: who serves it over HTTP, and who carries its events to whom, is up to the caller.
`docs/payments.md` lists the cards and amounts that make it decline, ask for 3-D Secure, delay, repeat or dispute.
"""

from nexuscore.modules.payments.fake.account import Account, Delivery
from nexuscore.modules.payments.fake.server import Answer, Stripe

__all__ = ["Account", "Answer", "Delivery", "Stripe"]
