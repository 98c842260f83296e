"""E-mail addresses as login names: one normal form per mailbox owner's spelling, and one key per mailbox for limits."""

import unicodedata
from functools import lru_cache

from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.faults import EMAIL

_LONGEST = 254
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})


def normalise_email(text: str) -> str:
    """The one form an address is stored, compared and mailed in; `ValidationError` when it is none.

    Case, compatibility forms (full-width letters, the Kelvin sign) and the two spellings of an
    international domain make no difference. Mail always goes to this form, never to what was typed.
    """
    normal = _normalise(text.strip())
    if normal is None:
        raise ValidationError.of([Fault("email", "email", EMAIL)])
    return normal


@lru_cache(maxsize=4096)
def _normalise(text: str) -> str | None:
    from email_validator import EmailNotValidError, validate_email  # heavy; the first address pays

    if len(text) > _LONGEST:
        return None
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    try:
        found = validate_email(
            folded, check_deliverability=False, allow_smtputf8=True, test_environment=True, strict=True
        )
    except EmailNotValidError:
        return None
    return f"{found.local_part}@{found.ascii_domain}".lower()


def mailbox(email: str) -> str:
    """What counts as one mailbox in limits: aliases by `+tag`, and the dots Gmail ignores, make no difference."""
    local, _, domain = email.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"
