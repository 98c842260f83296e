"""Cursors: a place in a list as text nobody can make up, good for that list in that order with those filters alone."""

import base64
import binascii
from collections.abc import Sequence

from pydantic_core import from_json, to_json

from nexuscore.kernel.crypto import Keyring
from nexuscore.kernel.errors import Fault, ValidationError

LONGEST = 2000
_PURPOSE = "paging.cursor"


def write(keyring: Keyring, about: bytes, place: Sequence[str | None]) -> str:
    """The place as callers hand it back; `about` says whose list, order and filters it belongs to."""
    content = base64.urlsafe_b64encode(to_json(place)).rstrip(b"=")
    return f"{content.decode()}.{keyring.sign(_PURPOSE, content + about)}"


def read(keyring: Keyring, about: bytes, cursor: str) -> list[str | None]:
    """The place; `ValidationError` when the cursor is not one of ours, or of another list, order or filter."""
    content, _, signature = cursor.encode("ascii", "replace").partition(b".")
    if not keyring.verify(_PURPOSE, content + about, signature.decode()):
        raise malformed()
    try:
        place: list[str | None] = from_json(base64.urlsafe_b64decode(content + b"=" * (-len(content) % 4)))
    except (ValueError, binascii.Error):
        raise malformed() from None
    return place


def malformed() -> ValidationError:
    """What is said of a cursor that leads nowhere in this list."""
    return ValidationError.of([Fault("cursor", "malformed", "This is not a cursor of this list.")])
