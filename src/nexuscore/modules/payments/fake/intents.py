"""Payment intents as Stripe runs them: created, confirmed, declined, authenticated, paid, cancelled."""

from nexuscore.kernel import clock
from nexuscore.modules.payments.fake import shapes
from nexuscore.modules.payments.fake.account import Account, Later, Object
from nexuscore.modules.payments.fake.cards import AMOUNTS, FAILS_LATER, PLAIN, TEXTS, Card, Magic
from nexuscore.modules.payments.fake.forms import Form, Refused, flag, integer, known, required
from nexuscore.modules.payments.fake.methods import attach, card_of, chosen

DISPUTE_FEE = 1500
SOON = 3.0  # seconds until what happens by itself happens
_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


def create(account: Account, form: Form, base: str) -> Object:
    """POST /v1/payment_intents."""
    known(form, "payment_intent_create")
    amount = integer(form, "amount")
    required(form, "currency")
    if form.get("customer"):
        account.get("customer", form["customer"])
    types = form.get("allowed_payment_method_types") or ["card", "paynow"]
    made = account.put(shapes.intent(account, form, amount, types))
    magic = _magic(made)
    account.tell("payment_intent.created", made, copies=magic.copies, delay=2 * SOON if magic.backwards else 0.0)
    _choose(account, made, form)
    return confirm(account, made, form, base) if flag(form, "confirm") else made


def confirm_by(account: Account, intent: Object, form: Form, base: str) -> Object:
    """POST /v1/payment_intents/{id}/confirm."""
    known(form, "payment_intent_confirm")
    if form.get("amount_to_confirm", str(intent["amount"])) != str(intent["amount"]):
        raise Refused("The amount to confirm is not the amount of this PaymentIntent.", param="amount_to_confirm")
    if intent["status"] in _OPEN[:2]:
        _choose(account, intent, form)
    return confirm(account, intent, form, base)


def confirm(account: Account, intent: Object, form: Form, base: str) -> Object:
    """Try to take the money; a decline is a 402 that holds the intent."""
    if intent["status"] != "requires_confirmation":
        raise _unexpected(intent, "confirm")
    intent["last_payment_error"] = None
    method = account.get("payment_method", intent["payment_method"])
    if method["type"] not in intent["payment_method_types"]:
        raise Refused("The payment method type is not allowed by this PaymentIntent.", param="payment_method")
    if method["type"] == "paynow":
        return _wait_for(account, intent, _qr_code(intent, base))
    return _take(account, intent, method, form, base)


def _take(account: Account, intent: Object, method: Object, form: Form, base: str) -> Object:
    """What the card, or the total, makes of it."""
    card, magic, off_session = card_of(method), _magic(intent), flag(form, "off_session")
    code, decline = magic.code or card.code, magic.decline or card.decline
    if card.id == FAILS_LATER and not off_session:
        code = decline = None
    if off_session and card.always:
        code = decline = "authentication_required"
    if code is not None:
        raise _declined(account, intent, method, code, decline)
    if not off_session and (card.secure or magic.secure):
        return _wait_for(account, intent, _redirect(intent, base, form.get("return_url")))
    if magic.processing:
        intent.update(status="processing", processing={"type": "card", "card": {"customer_notification": None}})
        account.later.append(Later("settle_intent", intent["id"], clock.seconds() + SOON))
        account.tell("payment_intent.processing", intent)
        return intent
    return succeed(account, intent)


def _choose(account: Account, intent: Object, form: Form) -> None:
    if form.get("payment_method") or form.get("payment_method_data"):
        method = chosen(account, form, intent["customer"])
        intent.update(payment_method=method["id"], status="requires_confirmation")


def cancel(account: Account, intent: Object, form: Form) -> Object:
    """POST /v1/payment_intents/{id}/cancel."""
    known(form, "payment_intent_cancel")
    if intent["status"] not in _OPEN:
        raise _unexpected(intent, "cancel")
    reason = form.get("cancellation_reason")
    intent.update(status="canceled", canceled_at=account.now(), cancellation_reason=reason, next_action=None)
    account.tell("payment_intent.canceled", intent, copies=_magic(intent).copies)
    return intent


def finish(account: Account, intent: Object, paid: bool) -> Object:
    """What the payer does on the bank's page, or with the QR code: it goes through, or it does not."""
    if intent["status"] != "requires_action":
        raise _unexpected(intent, "finish")
    if paid:
        return succeed(account, intent)
    method = account.get("payment_method", intent["payment_method"])
    code = (
        "payment_intent_authentication_failure"
        if method["type"] == "card"
        else "payment_intent_payment_attempt_expired"
    )
    _fail(account, intent, method, code, None, "The provided PaymentMethod has failed authentication.")
    return intent


def succeed(account: Account, intent: Object) -> Object:
    """The money is taken."""
    method = account.get("payment_method", intent["payment_method"])
    charge = account.put(shapes.charge(account, intent, method, None))
    intent.update(
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=charge["id"],
        next_action=None,
        processing=None,
        last_payment_error=None,
    )
    magic = _magic(intent)
    if magic.late_fee:
        account.later.append(Later("price_charge", charge["id"], clock.seconds() + SOON))
    else:
        price(account, charge)
    if intent["setup_future_usage"] and intent["customer"]:
        attach(account, method, intent["customer"])
    first, then = ("charge.succeeded", charge), ("payment_intent.succeeded", intent)
    for type, thing in (then, first) if magic.backwards else (first, then):
        account.tell(type, thing, copies=magic.copies)
    reason = magic.dispute or (card_of(method).dispute if method["type"] == "card" else None)
    if reason is not None:
        _open_dispute(account, charge, reason)
    return intent


def price(account: Account, charge: Object) -> None:
    """Enter a charge on our balance, less what is kept of it."""
    fee = shapes.fee_of(charge["amount"], charge["payment_method_details"]["type"])
    entry = account.put(shapes.on_balance(account, charge, charge["amount"], fee, "charge"))
    charge["balance_transaction"] = entry["id"]


def price_late(account: Account, charge: Object) -> None:
    """The same for a charge whose price was not known when it was made."""
    price(account, charge)
    account.tell("charge.updated", charge)


def _open_dispute(account: Account, charge: Object, reason: str) -> None:
    made = account.put(shapes.dispute(account, charge, reason))
    withdrawn = account.put(shapes.on_balance(account, made, -made["amount"], DISPUTE_FEE, "adjustment"))
    made["balance_transactions"].append(withdrawn)
    charge["disputed"] = True
    account.tell("charge.dispute.created", made)
    account.tell("charge.dispute.funds_withdrawn", made)


def _wait_for(account: Account, intent: Object, action: Object) -> Object:
    intent.update(status="requires_action", next_action=action)
    account.tell("payment_intent.requires_action", intent, copies=_magic(intent).copies)
    return intent


def _redirect(intent: Object, base: str, return_url: str | None) -> Object:
    url = f"{base}/pay/{intent['id']}"
    return {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}


def _qr_code(intent: Object, base: str) -> Object:
    page = f"{base}/pay/{intent['id']}"
    data = f"00020101021226520009SG.PAYNOW0102NX{intent['id']}5303702540{intent['amount']}5802SG6304FAKE"
    code = {
        "data": data,
        "hosted_instructions_url": page,
        "image_url_png": f"{page}/png",
        "image_url_svg": f"{page}/svg",
    }
    return {"type": "paynow_display_qr_code", "paynow_display_qr_code": code}


def _declined(account: Account, intent: Object, method: Object, code: str, decline: str | None) -> Refused:
    message = TEXTS.get(decline or code) or TEXTS[code]
    charge = _fail(account, intent, method, code, decline, message)
    return Refused(
        message,
        status=402,
        type="card_error",
        code=code,
        doc_url=f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
        charge=charge["id"],
        payment_intent=intent,
        payment_method=method,
        **({"decline_code": decline} if decline else {}),
    )


def _fail(account: Account, intent: Object, method: Object, code: str, decline: str | None, message: str) -> Object:
    charge = account.put(shapes.charge(account, intent, method, (code, message)))
    error = {
        "charge": charge["id"],
        "code": code,
        "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
        "message": message,
        "payment_method": method,
        "type": "card_error" if method["type"] == "card" else "invalid_request_error",
    }
    if decline:
        error["decline_code"] = decline
    intent.update(
        status="requires_payment_method",
        latest_charge=charge["id"],
        payment_method=None,
        next_action=None,
        processing=None,
        last_payment_error=error,
    )
    magic = _magic(intent)
    account.tell("payment_intent.payment_failed", intent, copies=magic.copies)
    account.tell("charge.failed", charge, copies=magic.copies)
    return charge


def _magic(intent: Object) -> Magic:
    return AMOUNTS.get(intent["amount"], PLAIN)


def _unexpected(intent: Object, what: str) -> Refused:
    return Refused(
        f"You cannot {what} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )


def card_behind(account: Account, charge: Object) -> Card | None:
    """The card a charge was made with."""
    method = account.get("payment_method", charge["payment_method"])
    return card_of(method) if method["type"] == "card" else None
