"""Stripe's objects, read: what of them we know, in our words."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nexuscore.kernel.money import Money
from nexuscore.modules.payments.provider import (
    Dispute,
    DisputeState,
    Failure,
    Intent,
    Method,
    Progress,
    Refund,
    RefundState,
    Setup,
)

Things = Mapping[str, Any]
_PROGRESS: dict[str, Progress] = {
    "requires_payment_method": "pending",
    "requires_confirmation": "pending",
    "requires_action": "requires_action",
    "processing": "processing",
    "requires_capture": "processing",
    "succeeded": "succeeded",
    "canceled": "canceled",
}
_REFUNDS: dict[str, RefundState] = {"requires_action": "pending", "succeeded": "succeeded"}
_REFUNDS |= {"pending": "pending", "failed": "failed", "canceled": "canceled"}
_DISPUTES: dict[str, DisputeState] = {
    "warning_needs_response": "inquiry",
    "warning_under_review": "inquiry",
    "warning_closed": "closed",
    "prevented": "closed",
    "won": "won",
    "lost": "lost",
}


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _money(thing: Things, name: str = "amount") -> Money:
    return Money(thing[name], thing["currency"].upper())


def intent(thing: Things) -> Intent:
    """A payment."""
    error = thing.get("last_payment_error")
    state = _PROGRESS[thing["status"]]
    if state == "pending" and error:
        state = "failed"
    return Intent(
        id=thing["id"],
        state=state,
        amount=_money(thing),
        received=_money(thing, "amount_received"),
        created=_time(thing["created"]),
        client_secret=thing.get("client_secret"),
        action=_action(thing.get("next_action")),
        failure=failure(error) if error and state == "failed" else None,
        method=_method(thing.get("payment_method")),
        metadata=dict(thing.get("metadata") or {}),
        fee=_fee([(thing.get("latest_charge") or {}).get("balance_transaction")]) if state == "succeeded" else None,
    )


def _fee(entries: Sequence[Any]) -> Money | None:
    """What Stripe kept, by the entries on its balance; None while it has made none."""
    made = [each for each in entries if isinstance(each, Mapping)]
    return Money(sum(each["fee"] for each in made), made[0]["currency"].upper()) if made else None


def _action(action: Things | None) -> dict[str, Any] | None:
    """What the payer has to do: go to an address, or pay what a code says."""
    if action is None:
        return None
    if code := action.get("paynow_display_qr_code"):
        return {
            "type": "paynow_qr",
            "data": code["data"],
            "image_url": code["image_url_png"],
            "url": code["hosted_instructions_url"],
        }
    if redirect := action.get("redirect_to_url"):
        return {"type": "redirect", "url": redirect["url"]}
    return {"type": str(action["type"])}


def failure(error: Things) -> Failure:
    """Why it was refused."""
    return Failure(
        str(error.get("code") or error.get("type") or "unknown"),
        error.get("decline_code"),
        str(error.get("message") or ""),
    )


def _method(method: Any) -> Method | None:
    if method is None:
        return None
    if isinstance(method, str):
        return Method(method, "unknown")
    card = method.get("card") or {}
    return Method(
        method["id"], method["type"], card.get("brand"), card.get("last4"), card.get("exp_month"), card.get("exp_year")
    )


def refund(thing: Things) -> Refund:
    """Money on its way back."""
    return Refund(
        id=thing["id"],
        intent=thing.get("payment_intent"),
        amount=_money(thing),
        state=_REFUNDS[thing["status"]],
        created=_time(thing["created"]),
        failure=thing.get("failure_reason"),
        metadata=dict(thing.get("metadata") or {}),
    )


def dispute(thing: Things) -> Dispute:
    """A payment somebody wants back."""
    due = (thing.get("evidence_details") or {}).get("due_by")
    return Dispute(
        id=thing["id"],
        intent=thing.get("payment_intent"),
        amount=_money(thing),
        state=_DISPUTES.get(thing["status"], "open"),
        reason=thing["reason"],
        created=_time(thing["created"]),
        due_by=_time(due) if due else None,
        fee=_fee(thing.get("balance_transactions") or ()),
    )


def setup(thing: Things) -> Setup:
    """A card that is being saved."""
    error = thing.get("last_setup_error")
    state = _PROGRESS[thing["status"]]
    return Setup(
        id=thing["id"],
        state="failed" if state == "pending" and error else state,
        customer=thing.get("customer"),
        client_secret=thing.get("client_secret"),
        action=_action(thing.get("next_action")),
        failure=failure(error) if error and state == "pending" else None,
        method=_method(thing.get("payment_method")) if isinstance(thing.get("payment_method"), Mapping) else None,
    )
