"""What must not be written down: secrets by the name of their key, personal data and credentials by their look."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from uuid import UUID

import pydantic

HIDDEN = "[redacted]"

_DEEPEST = 12
_LONGEST = 8_000
_MOST_ITEMS = 200

_HIDDEN_WORDS = """
    apikey authorization bearer cookie cookies credential credentials csrf cvc cvv dsn email emails iban jwt mobile otp
    passcode passphrase passwd password passwords phone phones pin pwd recipient recipients secret secrets signature ssn
    telephone token tokens totp xsrf
"""
_HIDDEN_ENDINGS = """
    access_key api_key auth_key billing_address birth_date card_number code_hash database_url encryption_key first_name
    full_name last_name master_key private_key recovery_code recovery_codes session_id signing_key verification_code
"""
_COUNTS = "budget count cost len length limit max min size tokens total used"
_SECRETS, _ENDINGS, _COUNTED = frozenset(_HIDDEN_WORDS.split()), tuple(_HIDDEN_ENDINGS.split()), _COUNTS.split()
_KEY_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_ASSIGNED_WORDS = ("passw", "pwd", "secret", "token", "key", "authorization", "cookie", "otp", "signature")
_API_KEY_PREFIXES = ("sk_", "sk-", "rk_", "whsec_", "ghp_", "gho_", "glpat-", "xox", "akia")

_CREDENTIALS_IN_URL = re.compile(r"://[^/\s@]{0,256}@(?:[^/\s@]{0,256}@)*")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_JWT = re.compile(r"eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?")
_API_KEY = re.compile(r"\b(?:sk|rk|whsec|ghp|gho|glpat|xox[abp])[-_][\w-]{12,}|\bAKIA[0-9A-Z]{16}\b")
_ASSIGNED = re.compile(
    r"""(?i)((?:passw(?:or)?d|pwd|secret|token|api[_-]?key|authorization|cookie|otp|signature)["']?\s*[:=]\s*["']?)"""
    r"""(?!\[)[^\s"'&,;}\]]+"""
)
_EMAIL = re.compile(r"[\w.+%-]{0,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_PHONE = re.compile(
    r"""(?x)
    (?<![\w.-])\d{4}(?:[\s-]\d{4}){3}(?![\w-])                    # 4111 1111 1111 1111
    | \+\d[\d\s().-]{6,20}\d                                      # +65 9123 4567
    | (?<![\w.-])\(\d{2,4}\)\s?\d{3,4}[\s.-]?\d{3,4}(?![\w-])     # (415) 555-2671
    | (?<![\w.-])\d{3,4}(?:[\s.-]\d{3,4}){2}(?![\w.-])            # 415-555-2671
    | (?<![\w.-])(?:\d{1,3}[\s-])?\d{9,19}(?![\w.-])              # 919876543210, and card numbers
    | (?<![\w.-])[3689]\d{3}[\s-]\d{4}(?![\w-])                   # 9123 4567
    """
)
_DIGITS = re.compile(r"\d{3}[\s().-]{0,2}\d{3}|\d{4}[\s-]\d{4}|\+\d")
_LOOKS = (
    ("://", _CREDENTIALS_IN_URL, f"://{HIDDEN}@"),
    ("@", _EMAIL, "[email]"),
    ("eyj", _JWT, HIDDEN),
    ("bearer ", _BEARER, rf"\1 {HIDDEN}"),
    ("basic ", _BEARER, rf"\1 {HIDDEN}"),
    *((word, _ASSIGNED, rf"\1{HIDDEN}") for word in _ASSIGNED_WORDS),
    *((prefix, _API_KEY, HIDDEN) for prefix in _API_KEY_PREFIXES),
)


def redact(value: object) -> object:
    """A plain copy of a value, made of what JSON knows, with secrets and personal data masked at any depth."""
    return _copy(value, 0)


def redact_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """`redact` for the fields of a log line."""
    return {name: _field(name, value, 0) for name, value in fields.items()}


def mask(text: str) -> str:
    """A text without e-mail addresses, telephone numbers, tokens, and credentials in URLs; cut when very long."""
    if len(text) < 6:
        return text
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    lower = text.lower()
    for mark, pattern, replacement in _LOOKS:  # `in` is a tenth of a search, and nearly always answers
        if mark in lower:
            text = pattern.sub(replacement, text)
    if _DIGITS.search(text):
        text = _PHONE.sub("[phone]", text)
    return text


@lru_cache(maxsize=4096)
def _kind(key: str) -> str:
    """Whether a key, however its words are joined, names a "secret", a "count" of such things, or neither ("")."""
    words = [word.lower() for word in _KEY_PARTS.findall(key)]
    secret = not _SECRETS.isdisjoint(words) or "_".join(words).endswith(_ENDINGS)
    if not secret:
        return ""
    return "count" if words[-1] in _COUNTED else "secret"


def _field(name: object, value: object, depth: int) -> object:
    kind = _kind(name) if type(name) is str else ""
    if not kind or value is None or isinstance(value, bool):
        return _copy(value, depth)
    if kind == "count" and isinstance(value, (int, float)):
        return value
    return HIDDEN


def _copy(value: object, depth: int) -> object:
    kind = type(value)
    if kind is str:
        return mask(value)  # type: ignore[arg-type]  # mypy does not narrow by `type(...) is`
    if value is None or kind is int or kind is bool or kind is float:
        return value
    if isinstance(value, (UUID, datetime, date, time)):
        return value
    if depth >= _DEEPEST:
        return "…"
    return _copy_rest(value, depth + 1)


def _copy_rest(value: object, depth: int) -> object:
    if isinstance(value, Enum):
        return _copy(value.value, depth)
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, (Decimal, timedelta, PurePath)):
        return mask(str(value))
    if isinstance(value, (pydantic.SecretStr, pydantic.SecretBytes)):
        return HIDDEN
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"[{len(value)} bytes]"
    if isinstance(value, pydantic.BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {mask(str(name)): _field(name, each, depth) for name, each in list(value.items())[:_MOST_ITEMS]}
    if isinstance(value, (list, tuple, AbstractSet)):
        return [_copy(each, depth) for each in list(value)[:_MOST_ITEMS]]
    return mask(_text(value))


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a log line must not fail because an object cannot describe itself
        return f"[{type(value).__name__}]"
