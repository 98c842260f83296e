"""Secrets and personal data never reach a log line, at any depth, in any disguise we know of."""

import dataclasses
import enum
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pydantic
import pytest
from hypothesis import given, strategies as st
from pydantic_core import to_json

from nexuscore.kernel.redaction import HIDDEN, mask, redact

SECRET = "s3cret-Value-987"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

SECRET_KEYS = [
    "password", "Password", "new_password", "passwordConfirm", "PASSWD", "secret", "client_secret", "clientSecret",
    "SECRET_KEY", "token", "access_token", "accessToken", "refresh-token", "token_hash", "authorization",
    "Authorization", "cookie", "Set-Cookie", "api_key", "apiKey", "apikey", "X-Api-Key", "otp", "otpCode", "totp",
    "code_hash", "recovery_codes", "dsn", "database_url", "private_key", "credentials", "signature", "csrf",
    "session_id", "pin", "cvv", "card_number", "iban", "email", "email_address", "phone", "phoneNumber", "first_name",
]  # fmt: skip
HARMLESS_KEYS = [
    "code", "error_code", "status_code", "status", "route", "option", "laptop", "spinner", "pinned", "key", "keyboard",
    "monkey", "author", "authentic", "auth_method", "count", "cookbook", "desired", "phonetic", "notes", "org", "kind",
]  # fmt: skip


@dataclasses.dataclass
class Login:
    user: str
    password: str


class Account(pydantic.BaseModel):
    user: str
    api_key: str
    key: pydantic.SecretStr


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_key_that_names_a_secret_hides_its_value(key: str) -> None:
    assert redact({key: SECRET}) == {key: HIDDEN}
    assert redact({key: {"inside": [SECRET]}}) == {key: HIDDEN}
    assert redact({key: 123456}) == {key: HIDDEN}


@pytest.mark.parametrize("key", HARMLESS_KEYS)
def test_a_harmless_key_keeps_its_value(key: str) -> None:
    assert redact({key: "value"}) == {key: "value"}


@pytest.mark.parametrize("key", ["prompt_tokens", "completion_tokens", "token_count", "tokens_used", "maxTokens"])
def test_counts_of_tokens_are_no_secret_unless_they_are_not_numbers(key: str) -> None:
    assert redact({key: 512}) == {key: 512}
    assert redact({key: SECRET}) == {key: HIDDEN}


@given(
    st.recursive(
        st.just({"password": SECRET}),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3),
            st.tuples(inner),
            st.dictionaries(st.sampled_from(["a", "b", "notes"]), inner, min_size=1),
        ),
        max_leaves=5,
    )
)
def test_a_secret_is_hidden_at_any_depth(value: object) -> None:
    assert SECRET not in repr(redact(value))


def test_models_dataclasses_and_secrets_are_looked_into() -> None:
    assert redact(Login("alice", SECRET)) == {"user": "alice", "password": HIDDEN}
    account = Account(user="alice", api_key=SECRET, key=pydantic.SecretStr(SECRET))
    assert redact([account]) == [{"user": "alice", "api_key": HIDDEN, "key": HIDDEN}]
    assert redact({"what": pydantic.SecretStr(SECRET)}) == {"what": HIDDEN}
    assert redact({"body": SECRET.encode()}) == {"body": f"[{len(SECRET)} bytes]"}
    assert redact({"failed": ValueError(f"password={SECRET}")}) == {"failed": f"password={HIDDEN}"}


def test_plain_values_stay() -> None:
    at, id, path = datetime(2026, 1, 31, tzinfo=UTC), uuid.uuid4(), Path("data/files")
    plain = {"at": at, "id": id, "n": 1, "x": 1.5, "on": True, "none": None}
    assert redact(plain) == plain
    assert redact({"path": path, "price": Decimal("1.50")}) == {"path": "data/files", "price": "1.50"}
    assert redact({"colour": Colour.RED, "set": {1}}) == {"colour": "red", "set": [1]}
    assert redact({"password": None, "otp": False}) == {"password": None, "otp": False}, "whether there is one"


def test_the_original_is_left_alone() -> None:
    value = {"a": [{"password": SECRET}]}
    redact(value)
    assert value == {"a": [{"password": SECRET}]}


def test_circles_and_objects_that_fail_end() -> None:
    circle: dict[str, object] = {}
    circle["self"] = circle

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError(SECRET)

    assert b"\xe2\x80\xa6" in to_json(redact(circle))
    assert redact(Broken()) == "[Broken]"


@pytest.mark.parametrize(
    "text",
    [
        "alice@example.com", "mail to <alice.b+c@mail.example.co.uk> failed", "אליס@example.com",
        "+6591234567", "call +65 9123 4567 now", "+48 600-100-200", "(415) 555-2671", "415-555-2671", "9123 4567",
        "919876543210", "card 4111111111111111", "4111 1111 1111 1111",
        f"Bearer {SECRET}", f"authorization: bearer {SECRET}", "Basic YWxpY2U6aHVudGVyMg==", JWT, f"token was {JWT}.",
        f"postgres://nexus:{SECRET}@db:5432/nexus", f"redis://:{SECRET}@cache", "https://al:p@ss@example.com/x",
        f"/reset?token={SECRET}&next=/", f"password: {SECRET}", f'{{"password": "{SECRET}"}}', f"api_key={SECRET}",
        "sk_live_51H8abcdefghijk", "ghp_abcdefghijklmnop1234", "AKIAIOSFODNN7EXAMPLE",
    ],
)  # fmt: skip
def test_what_looks_personal_or_secret_is_masked(text: str) -> None:
    masked = mask(text)
    for part in (
        "alice", "אליס", "9123", "600-100", "2671", "9876543210", "1111", SECRET, "YWxpY2U6", "eyJ", "p@ss", "live_51",
        "abcdefgh", "FODNN7",
    ):  # fmt: skip
        assert part not in masked, masked


@pytest.mark.parametrize(
    "text",
    [
        "/api/v1/notes/019ab1e2-c3d4-7f00-a1b2-c3d4e5f60718", "2026-11-20T18:46:31.215Z", "2026-11-20 18:46:31",
        "192.168.100.200:54321", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0", "12.5 ms",
        "notes.send_digest", "a token was refused", "task_12345678", "https://example.com/a/b?page=2", "1,234.50 SGD",
        "psycopg.errors", "basic plan", "2001:db8::ff00:42:8329", "order 12345678", "v18.6.3", "@nexus/client",
        "019ab1e2c3d47f00a1b2c3d4e5f60718", "T08LL0001A", "",
    ],
)  # fmt: skip
def test_harmless_text_stays(text: str) -> None:
    assert mask(text) == text


@given(st.uuids())
def test_identifiers_stay(id: uuid.UUID) -> None:
    assert mask(str(id)) == str(id)
    assert mask(f"/notes/{id}/tags") == f"/notes/{id}/tags"


@given(st.emails(), st.text(alphabet="abc XYZ,:;", max_size=10))
def test_an_address_is_masked_wherever_it_stands(address: str, around: str) -> None:
    local = address.rpartition("@")[0]
    masked = mask(f"{around} {address} {around}")
    assert f"{local}@" not in masked


@given(st.text())
def test_masking_never_raises_and_is_done_once(text: str) -> None:
    assert mask(mask(text)) == mask(text)


def test_long_hostile_text_is_cut_and_takes_no_time() -> None:
    for piece in ("a", "a.", "1", "1-", "a@", "://", "password=", "+1 ", "eyJa."):
        assert len(mask(piece * 200_000)) < 100_000
