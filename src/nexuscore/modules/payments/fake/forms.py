"""How Stripe is asked: forms with brackets, and errors when they make no sense."""

from typing import Any
from urllib.parse import parse_qsl

Form = dict[str, Any]


class Refused(Exception):
    """An error as Stripe answers it. `rest` are further fields of the error object."""

    def __init__(self, message: str, *, status: int = 400, type: str = "invalid_request_error", **rest: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": type, **rest}}


def read(text: str) -> Form:
    """`a[b]=1&c[0]=2` as {"a": {"b": "1"}, "c": ["2"]}; everything is text, as it was sent."""
    form: Form = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        _put(form, name.replace("]", "").split("["), value)
    return {name: _lists(value) for name, value in form.items()}


def _put(form: Form, path: list[str], value: str) -> None:
    for step in path[:-1]:
        found = form.setdefault(step, {})
        if not isinstance(found, dict):
            raise Refused(f"Invalid parameter: {path[0]}", param=path[0])
        form = found
    last = path[-1]
    form[last or str(len(form))] = value


def _lists(value: Any) -> Any:
    """A dictionary whose keys count from zero is a list."""
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(each) for key, each in value.items()}
    return list(inner.values()) if inner and all(key.isdigit() for key in inner) else inner


def required(form: Form, name: str) -> str:
    """A text that must be there."""
    value = form.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return value


def integer(form: Form, name: str, *, least: int = 1) -> int:
    """A whole number that must be there, as Stripe takes amounts."""
    text = required(form, name)
    if not text.isascii() or not text.lstrip("-").isdigit():
        raise Refused(f"Invalid integer: {text}", code="parameter_invalid_integer", param=name)
    if int(text) < least:
        raise Refused("This value must be greater than or equal to 1.", code="parameter_invalid_integer", param=name)
    return int(text)


def flag(form: Form, name: str) -> bool:
    """`true` or not."""
    return form.get(name) == "true"


KNOWN = {
    "payment_intent_create": (
        *("amount", "currency", "customer", "payment_method", "payment_method_data", "allowed_payment_method_types"),
        *("confirm", "off_session", "return_url", "description", "setup_future_usage", "automatic_payment_methods"),
        *("receipt_email", "statement_descriptor_suffix", "capture_method", "use_stripe_sdk"),
    ),
    "payment_intent_confirm": (
        *("payment_method", "payment_method_data", "off_session", "return_url", "amount_to_confirm", "use_stripe_sdk"),
    ),
    "payment_intent_cancel": ("cancellation_reason",),
    "refund_create": ("payment_intent", "charge", "amount", "reason"),
    "dispute_update": ("evidence", "submit"),
    "setup_intent_create": (
        *("customer", "usage", "allowed_payment_method_types", "payment_method", "confirm", "return_url"),
    ),
    "setup_intent_confirm": ("payment_method", "payment_method_data", "return_url"),
    "customer_create": ("name", "email", "description"),
}
"""What may be sent where, less than Stripe takes."""


def known(form: Form, operation: str) -> None:
    """Refuse what Stripe does not know either."""
    for name in form.keys() - {*KNOWN[operation], "expand", "metadata"}:
        raise Refused(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
