"""What the form parts ask while they are drawn: was this form sent, what did a field hold, what was wrong with it."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

from nexuscore.kernel.http.forms import Sent

FORM = "_form"


def is_sent(sent: Sent, form: str) -> bool:
    """Whether what was sent is this form; one without a name may be any."""
    return sent.value(FORM) in (form, None)


def fault_of(sent: Sent, now_in: Any, name: str) -> str:
    """What was wrong with a field of the form that is being drawn."""
    now_in.seen.append(name)
    return sent.faults.get(name, "") if is_sent(sent, now_in.form) else ""


def value_of(sent: Sent, now_in: Any, name: str, value: Any) -> Any:
    """What a field shows: what was typed into it, or else what is."""
    held = sent.value(name) if is_sent(sent, now_in.form) else None
    if held is not None:
        return held
    return "" if value is None else value


def attributes(
    id: str,
    hint: str,
    wrong: str,
    required: bool,
    autofocus: bool,
    autocomplete: str,
    placeholder: str,
    more: Mapping[str, Any],
) -> Markup:
    """The attributes every kind of field has."""
    described = [f"{id}-hint"] * bool(hint) + [f"{id}-fault"] * bool(wrong)
    given: dict[str, Any] = {
        "aria-describedby": " ".join(described) or None,
        "aria-invalid": "true" if wrong else None,
        "required": required,
        "autofocus": autofocus,
        "autocomplete": autocomplete or None,
        "placeholder": placeholder or None,
        **{name: value for name, value in more.items() if name != "rows"},
    }
    parts = [
        f" {name}" if value is True else f' {name}="{escape(value)}"'
        for name, value in given.items()
        if value is not None and value is not False
    ]
    return Markup("".join(parts))  # noqa: S704 - every value was escaped
