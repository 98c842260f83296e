"""Identifiers: UUIDv7 for rows, their hex form for requests."""

from __future__ import annotations

import uuid

import uuid_utils
from uuid_utils import compat


def uuid7() -> uuid.UUID:
    """A new time-ordered identifier, as the standard library's type."""
    return compat.uuid7()


def uuid_in(text: str) -> uuid.UUID | None:
    """The identifier somebody wrote; None when it is none."""
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return None


def new_request_id() -> str:
    """A new request id: 32 hexadecimal characters, ordered by time, also usable as a W3C trace id."""
    return uuid_utils.uuid7().hex
