"""The cards that can be used, and the totals that mean something: what Stripe's test mode has, and a few of our own."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Card:
    """A test card. With `code` it is declined; `secure` asks for 3-D Secure, each time anew if `always`."""

    id: str
    number: str
    brand: str = "visa"
    code: str | None = None
    decline: str | None = None
    secure: bool = False
    always: bool = False
    dispute: str | None = None
    refund: str | None = None  # what becomes of its refunds later: "failed", or "succeeded" after they waited

    @property
    def fingerprint(self) -> str:
        """What is the same for every method made of this card."""
        return sha256(self.number.encode()).hexdigest()[:16]


CARDS = {
    card.id: card
    for card in (
        Card("pm_card_visa", "4242424242424242"),
        Card("pm_card_mastercard", "5555555555554444", "mastercard"),
        Card("pm_card_amex", "378282246310005", "amex"),
        Card("pm_card_sg", "4000007020000003"),
        Card("pm_card_visa_chargeDeclined", "4000000000000002", code="card_declined", decline="generic_decline"),
        Card(
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "4000000000009995",
            code="card_declined",
            decline="insufficient_funds",
        ),
        Card("pm_card_chargeDeclinedExpiredCard", "4000000000000069", code="expired_card"),
        Card("pm_card_chargeDeclinedIncorrectCvc", "4000000000000127", code="incorrect_cvc"),
        Card("pm_card_chargeDeclinedProcessingError", "4000000000000119", code="processing_error"),
        # Saved and charged later, this one is declined: what a renewal meets
        Card("pm_card_chargeCustomerFail", "4000000000000341", code="card_declined", decline="generic_decline"),
        Card("pm_card_threeDSecure2Required", "4000000000003220", secure=True),
        Card("pm_card_authenticationRequired", "4000002760003184", secure=True, always=True),
        Card("pm_card_createDispute", "4000000000000259", dispute="fraudulent"),
        Card("pm_card_createDisputeProductNotReceived", "4000000000002685", dispute="product_not_received"),
        Card("pm_card_refundFail", "4000000000005126", refund="failed"),
        Card("pm_card_pendingRefund", "4000000000007726", refund="succeeded"),
    )
}
BY_NUMBER = {card.number: card for card in CARDS.values()}
BY_FINGERPRINT = {card.fingerprint: card for card in CARDS.values()}
FAILS_LATER = "pm_card_chargeCustomerFail"

TEXTS = {
    "card_declined": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


@dataclass(frozen=True, slots=True)
class Magic:
    """What a total of exactly so much does, whatever card pays it."""

    code: str | None = None
    decline: str | None = None
    secure: bool = False
    processing: bool = False
    copies: int = 1
    backwards: bool = False
    dispute: str | None = None
    late_fee: bool = False


AMOUNTS = {
    100_001: Magic(code="card_declined", decline="generic_decline"),
    100_002: Magic(code="card_declined", decline="insufficient_funds"),
    100_003: Magic(secure=True),
    100_004: Magic(processing=True),  # the webhook comes seconds later
    100_005: Magic(copies=3),  # every webhook comes three times
    100_006: Magic(backwards=True),  # the last webhook comes first
    100_007: Magic(dispute="fraudulent"),
    100_008: Magic(late_fee=True),  # what is kept of it is known seconds later
}
PLAIN = Magic()
