"""The objects as they go over the wire: every field Stripe documents as always there, and no other."""

from typing import Any

from nexuscore.modules.payments.fake.account import Account, Object
from nexuscore.modules.payments.fake.cards import Card

EVIDENCE = (
    *("access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure"),
    *("cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name"),
    *("customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation"),
    *("duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure"),
    *("refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier"),
    *("shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file"),
    "uncategorized_text",
)
_NOBODY = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}


def customer(account: Account, form: dict[str, Any]) -> Object:
    """Somebody who pays."""
    return {
        "id": account.new_id("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": account.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": form.get("description"),
        "discount": None,
        "email": form.get("email"),
        "invoice_prefix": account.new_id("I")[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": form.get("metadata", {}),
        "name": form.get("name"),
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def method(account: Account, kind: str, card: Card | None, customer: str | None = None) -> Object:
    """A way to pay: a card, or PayNow."""
    made: Object = {
        "id": account.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": dict(_NOBODY),
        "created": account.now(),
        "customer": customer,
        "livemode": False,
        "metadata": {},
        "type": kind,
    }
    made[kind] = {} if card is None else _card(card)
    return made


def _card(card: Card) -> Object:
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "SG",
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": card.fingerprint,
        "funding": "credit",
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def intent(account: Account, form: dict[str, Any], amount: int, types: list[str]) -> Object:
    """A payment intent, before anybody says how it is paid."""
    id = account.new_id("pi")
    return {
        "id": id,
        "object": "payment_intent",
        "allowed_payment_method_types": types,
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "client_secret": account.new_id(f"{id}_secret"),
        "confirmation_method": "automatic",
        "created": account.now(),
        "currency": form["currency"].lower(),
        "customer": form.get("customer"),
        "description": form.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": form.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {each: {} for each in types},
        "payment_method_types": types,
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": form.get("setup_future_usage"),
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


def fee_of(amount: int, kind: str = "card") -> int:
    """What is kept of a charge: 3.4 % and 0.50 of a card's, 1.3 % of PayNow's, half up."""
    return (amount * 34 + 500) // 1000 + 50 if kind == "card" else (amount * 13 + 500) // 1000


def on_balance(account: Account, source: Object, amount: int, fee: int, kind: str) -> Object:
    """An entry on our balance: what came or went, and what is kept of it."""
    detail = {"application": None, "description": "Stripe processing fees", "type": "stripe_fee"}
    return {
        "id": account.new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": account.now(),
        "balance_type": "payments",
        "created": account.now(),
        "currency": source["currency"],
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [{"amount": fee, "currency": source["currency"], **detail}] if fee else [],
        "net": amount - fee,
        "reporting_category": "charge" if kind == "charge" else "dispute",
        "source": source["id"],
        "status": "available",
        "type": kind,
    }


def charge(account: Account, intent: Object, method: Object, failure: tuple[str, str] | None) -> Object:
    """An attempt to take the money."""
    paid = failure is None
    kind = method["type"]
    return {
        "id": account.new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if paid else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": dict(_NOBODY),
        "calculated_statement_descriptor": "NEXUSCORE",
        "captured": paid,
        "created": account.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None if failure is None else failure[0],
        "failure_message": None if failure is None else failure[1],
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": None,
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {kind: dict(method[kind]), "type": kind},
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "succeeded" if paid else "failed",
        "transfer_data": None,
        "transfer_group": None,
    }


def refund(account: Account, charge: Object, amount: int, form: dict[str, Any]) -> Object:
    """Money on its way back."""
    return {
        "id": account.new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": account.new_id("txn"),
        "charge": charge["id"],
        "created": account.now(),
        "currency": charge["currency"],
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": form.get("metadata", {}),
        "payment_intent": charge["payment_intent"],
        "reason": form.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def dispute(account: Account, charge: Object, reason: str) -> Object:
    """The payer's bank wants the money back."""
    return {
        "id": account.new_id("du"),
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": account.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": account.now() + 9 * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "needs_response",
    }


def setup(account: Account, form: dict[str, Any]) -> Object:
    """A card about to be saved."""
    id = account.new_id("seti")
    return {
        "id": id,
        "object": "setup_intent",
        "allowed_payment_method_types": ["card"],
        "application": None,
        "automatic_payment_methods": None,
        "cancellation_reason": None,
        "client_secret": account.new_id(f"{id}_secret"),
        "created": account.now(),
        "customer": form.get("customer"),
        "description": None,
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": form.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": None,
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": form.get("usage", "off_session"),
    }
