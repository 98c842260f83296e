"""Money on its way back: refunds, and what becomes of disputes."""

from nexuscore.kernel import clock
from nexuscore.modules.payments.fake import shapes
from nexuscore.modules.payments.fake.account import Account, Later, Object
from nexuscore.modules.payments.fake.forms import Form, Refused, flag, integer, known
from nexuscore.modules.payments.fake.intents import SOON, card_behind

WINNING, LOSING = "winning_evidence", "losing_evidence"


def create(account: Account, form: Form) -> Object:
    """POST /v1/refunds."""
    known(form, "refund_create")
    charge = _charge(account, form)
    left = charge["amount"] - charge["amount_refunded"]
    if left <= 0:
        raise Refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if charge["disputed"]:
        raise Refused(f"Charge {charge['id']} has been charged back.", code="charge_disputed")
    amount = integer(form, "amount") if "amount" in form else left
    if amount > left:
        raise Refused(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount")
    made = account.put(shapes.refund(account, charge, amount, form))
    _count(charge, amount)
    card = card_behind(account, charge)
    if card is not None and card.refund is not None:
        if card.refund == "succeeded":
            made.update(status="pending", pending_reason="processing")
        account.later.append(Later(f"refund_{card.refund}", made["id"], clock.seconds() + SOON))
    account.tell("refund.created", made)
    account.tell("charge.refunded", charge)
    return made


def end(account: Account, refund: Object, status: str) -> None:
    """What becomes of a refund that was on its way."""
    refund.pop("pending_reason", None)
    refund["status"] = status
    if status == "failed":
        refund.update(failure_reason="expired_or_canceled_card", failure_balance_transaction=account.new_id("txn"))
        _count(account.get("charge", refund["charge"]), -refund["amount"])
        account.tell("refund.failed", refund)
    account.tell("refund.updated", refund)


def answer_dispute(account: Account, dispute: Object, form: Form) -> Object:
    """POST /v1/disputes/{id}: as in Stripe's test mode, the evidence decides."""
    known(form, "dispute_update")
    _check_open(dispute)
    text = form.get("evidence", {}).get("uncategorized_text")
    dispute["evidence"]["uncategorized_text"] = text
    if flag(form, "submit"):
        dispute["evidence_details"].update(has_evidence=True, submission_count=1, submission_method="manual")
        if text in (WINNING, LOSING):
            return close(account, dispute, "won" if text == WINNING else "lost")
        dispute["status"] = "under_review"
    account.tell("charge.dispute.updated", dispute)
    return dispute


def close(account: Account, dispute: Object, status: str = "lost") -> Object:
    """POST /v1/disputes/{id}/close gives in; a bank may decide otherwise."""
    _check_open(dispute)
    dispute["status"] = status
    if status == "won":
        charge = account.get("charge", dispute["charge"])
        charge["disputed"] = False
        back = account.put(shapes.on_balance(account, dispute, dispute["amount"], 0, "adjustment"))
        dispute["balance_transactions"].append(back)
        account.tell("charge.dispute.funds_reinstated", dispute)
    account.tell("charge.dispute.closed", dispute)
    return dispute


def _check_open(dispute: Object) -> None:
    if dispute["status"] in ("won", "lost"):
        raise Refused("This dispute is already closed.", code="dispute_already_closed")


def _charge(account: Account, form: Form) -> Object:
    if "charge" in form:
        return account.get("charge", form["charge"])
    if "payment_intent" not in form:
        raise Refused("One of the following params should be provided: payment_intent or charge.")
    intent = account.get("payment_intent", form["payment_intent"])
    if intent["status"] != "succeeded":
        raise Refused("This PaymentIntent does not have a successful charge to refund.", code="charge_not_found")
    return account.get("charge", intent["latest_charge"])


def _count(charge: Object, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
