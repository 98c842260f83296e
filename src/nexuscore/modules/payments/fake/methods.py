"""Ways to pay, who owns them, and how they are saved."""

from nexuscore.modules.payments.fake import shapes
from nexuscore.modules.payments.fake.account import Account, Object
from nexuscore.modules.payments.fake.cards import BY_FINGERPRINT, BY_NUMBER, CARDS, TEXTS, Card
from nexuscore.modules.payments.fake.forms import Form, Refused, flag, known


def chosen(account: Account, form: Form, customer: str | None = None) -> Object:
    """The method a form names: one that exists, a test card by its name, or one described by its number."""
    id, data = form.get("payment_method"), form.get("payment_method_data")
    if id in CARDS:
        return account.put(shapes.method(account, "card", CARDS[id]))
    if id:
        found = account.get("payment_method", id)
        if found["customer"] not in (None, customer):
            raise Refused("The payment method belongs to another customer.", param="payment_method")
        return found
    return described(account, data or {})


def described(account: Account, data: Form) -> Object:
    """A new method, by its description."""
    kind = data.get("type")
    if kind == "paynow":
        return account.put(shapes.method(account, "paynow", None))
    if kind != "card":
        raise Refused("Invalid payment method type.", param="payment_method_data[type]")
    details = data.get("card", {})
    card = CARDS.get(details.get("token", "").replace("tok_", "pm_card_")) or BY_NUMBER.get(
        details.get("number", "").replace(" ", "")
    )
    if card is None:
        raise Refused("Your card number is incorrect.", status=402, type="card_error", code="incorrect_number")
    return account.put(shapes.method(account, "card", card))


def card_of(method: Object) -> Card:
    """The test card behind a method."""
    return BY_FINGERPRINT[method["card"]["fingerprint"]]


def attach(account: Account, method: Object, customer: str) -> Object:
    """The method belongs to the customer from now on."""
    method["customer"] = customer
    account.tell("payment_method.attached", method)
    return method


def detach(account: Account, method: Object) -> Object:
    """POST /v1/payment_methods/{id}/detach."""
    if method["customer"] is None:
        raise Refused("The payment method you provided is not attached to a customer.", param="payment_method")
    method["customer"] = None
    account.tell("payment_method.detached", method)
    return method


def set_up(account: Account, form: Form, base: str) -> Object:
    """POST /v1/setup_intents."""
    known(form, "setup_intent_create")
    if form.get("customer"):
        account.get("customer", form["customer"])
    made = account.put(shapes.setup(account, form))
    account.tell("setup_intent.created", made)
    return confirm_setup(account, made, form, base) if flag(form, "confirm") else made


def confirm_setup(account: Account, setup: Object, form: Form, base: str) -> Object:
    """POST /v1/setup_intents/{id}/confirm, or with its creation."""
    method = chosen(account, form, setup["customer"])
    card = card_of(method)
    if card.code is not None and card.id != "pm_card_chargeCustomerFail":
        setup["last_setup_error"] = {"code": card.code, "message": TEXTS[card.code], "type": "card_error"}
        account.tell("setup_intent.setup_failed", setup)
        raise Refused(TEXTS[card.code], status=402, type="card_error", code=card.code, setup_intent=setup)
    setup["payment_method"] = method["id"]
    if card.secure:
        url = f"{base}/pay/{setup['id']}"
        action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": form.get("return_url"), "url": url}}
        setup.update(status="requires_action", next_action=action)
        account.tell("setup_intent.requires_action", setup)
        return setup
    return finish_setup(account, setup, True)


def finish_setup(account: Account, setup: Object, done: bool) -> Object:
    """The card is saved, or its owner did not agree."""
    setup["next_action"] = None
    if not done:
        setup.update(status="requires_payment_method", payment_method=None)
        account.tell("setup_intent.setup_failed", setup)
        return setup
    setup["status"] = "succeeded"
    method = account.get("payment_method", setup["payment_method"])
    if setup["customer"]:
        attach(account, method, setup["customer"])
    account.tell("setup_intent.succeeded", setup)
    return setup
