"""Identifiers are ordered by time and of the standard library's type."""

import re
import uuid

from nexuscore.kernel import ids


def test_uuid7_is_a_standard_uuid_of_version_7() -> None:
    made = ids.uuid7()
    assert type(made) is uuid.UUID
    assert made.version == 7


def test_ids_made_later_sort_later() -> None:
    made = [ids.uuid7() for _ in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == 1000


def test_a_request_id_is_32_hexadecimal_characters() -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", ids.new_request_id())
