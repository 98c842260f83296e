"""What pydantic finds wrong, in words for people: short, translatable, and without the value that was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic_core import ErrorDetails, core_schema

from nexuscore.kernel.errors import Fault

NOT_VALID = "This value is not valid."
EMAIL = "This must be an e-mail address."

TEXTS: Mapping[str, str] = {
    "missing": "This field is required.",
    "missing_argument": "This field is required.",
    "extra_forbidden": "There is no such field.",
    "none_required": "This must be left empty.",
    "string_type": "This must be text.",
    "string_too_short": "Use at least {min_length} characters.",
    "string_too_long": "Use at most {max_length} characters.",
    "string_pattern_mismatch": "This does not have the expected form.",
    "string_unicode": "This text has characters that cannot be read.",
    "string_not_ascii": "Use only letters without accents, digits and signs.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "int_from_float": "This must be a whole number.",
    "int_parsing_size": "This number is too large.",
    "float_type": "This must be a number.",
    "float_parsing": "This must be a number.",
    "finite_number": "This must be a number.",
    "decimal_type": "This must be a number.",
    "decimal_parsing": "This must be a number.",
    "decimal_max_digits": "Use at most {max_digits} digits.",
    "decimal_max_places": "Use at most {decimal_places} decimals.",
    "decimal_whole_digits": "Use at most {whole_digits} digits before the decimal point.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "greater_than": "This must be greater than {gt}.",
    "greater_than_equal": "This must be {ge} or more.",
    "less_than": "This must be less than {lt}.",
    "less_than_equal": "This must be {le} or less.",
    "multiple_of": "This must be a multiple of {multiple_of}.",
    "too_short": "Give at least {min_length} items.",
    "too_long": "Give at most {max_length} items.",
    "list_type": "This must be a list.",
    "tuple_type": "This must be a list.",
    "set_type": "This must be a list.",
    "frozen_set_type": "This must be a list.",
    "iterable_type": "This must be a list.",
    "dict_type": "This must be an object.",
    "mapping_type": "This must be an object.",
    "model_type": "This must be an object.",
    "model_attributes_type": "This must be an object.",
    "dataclass_type": "This must be an object.",
    "enum": "This must be one of {expected}.",
    "literal_error": "This must be one of {expected}.",
    "union_tag_invalid": "This must be one of {expected_tags}.",
    "union_tag_not_found": "The field {discriminator} is required.",
    "uuid_type": "This must be an identifier (UUID).",
    "uuid_parsing": "This must be an identifier (UUID).",
    "uuid_version": "This must be an identifier (UUID).",
    "date_type": "This must be a date such as 2026-01-31.",
    "date_parsing": "This must be a date such as 2026-01-31.",
    "date_from_datetime_parsing": "This must be a date such as 2026-01-31.",
    "date_from_datetime_inexact": "This must be a date such as 2026-01-31.",
    "date_past": "This must be in the past.",
    "date_future": "This must be in the future.",
    "time_type": "This must be a time such as 14:30.",
    "time_parsing": "This must be a time such as 14:30.",
    "datetime_type": "This must be a moment such as 2026-01-31T14:30:00Z.",
    "datetime_parsing": "This must be a moment such as 2026-01-31T14:30:00Z.",
    "datetime_from_date_parsing": "This must be a moment such as 2026-01-31T14:30:00Z.",
    "datetime_past": "This must be in the past.",
    "datetime_future": "This must be in the future.",
    "timezone_aware": "This moment needs a time zone.",
    "timezone_naive": "This moment must not have a time zone.",
    "time_delta_type": "This must be a duration such as PT15M.",
    "time_delta_parsing": "This must be a duration such as PT15M.",
    "bytes_type": "This must be text.",
    "bytes_too_short": "Use at least {min_length} characters.",
    "bytes_too_long": "Use at most {max_length} characters.",
    "url_type": "This must be a web address.",
    "url_parsing": "This must be a web address.",
    "url_syntax_violation": "This must be a web address.",
    "url_scheme": "This address must start with {expected_schemes}.",
    "url_too_long": "Use at most {max_length} characters.",
    "json_type": "This is not valid JSON.",
    "json_invalid": "This is not valid JSON.",
}


_EMAIL = "value is not a valid email address"
_BUILT_IN = frozenset(get_args(core_schema.ErrorType))


def fault_of(field: str, error: ErrorDetails) -> Fault:
    """One of pydantic's errors as a fault of `field`. A validator of ours keeps its own text, which is a msgid."""
    kind = error["type"]
    params: dict[str, Any] = dict(error.get("ctx", {}))
    if kind in TEXTS:
        return Fault(field, kind, TEXTS[kind], params)
    if error["msg"].startswith(_EMAIL):
        return Fault(field, "email", EMAIL)
    if kind in ("value_error", "assertion_error"):
        return Fault(field, "not_valid", str(params.get("error") or NOT_VALID))
    return Fault(field, kind, NOT_VALID if kind in _BUILT_IN else error["msg"])
