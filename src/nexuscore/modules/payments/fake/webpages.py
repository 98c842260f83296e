"""The page a payer is sent to: their bank's, or PayNow's."""

from html import escape

from nexuscore.modules.payments.fake.account import Object

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<h1>{title}</h1>
<p>{text}</p>
{buttons}
</html>
"""
_BUTTON = '<form method="post" action="{id}/{choice}"><button>{label}</button></form>'


def page(intent: Object) -> str:
    """What the payer sees: two buttons while the payment waits for them, and how it stands when it does not."""
    paynow = (intent["next_action"] or {}).get("type") == "paynow_display_qr_code"
    title = "PayNow (pretended)" if paynow else "Your bank (pretended)"
    if intent["status"] != "requires_action":
        return _PAGE.format(title=title, text=f"The payment is {escape(intent['status'])}.", buttons="")
    what = f"{intent['amount']} minor units of {escape(intent['currency'])}" if "amount" in intent else "a card to keep"
    labels = {"done": "Pay", "failed": "Let it expire"} if paynow else {"done": "Approve", "failed": "Refuse"}
    buttons = "".join(_BUTTON.format(id=intent["id"], choice=each, label=labels[each]) for each in labels)
    return _PAGE.format(title=title, text=f"{escape(intent['id'])}: {what}.", buttons=buttons)
