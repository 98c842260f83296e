"""What pydantic finds wrong becomes a short text, without the value."""

from datetime import date
from typing import Annotated, Literal, get_args
from uuid import UUID

import pydantic
import pytest
from annotated_types import Gt, MaxLen, MinLen
from pydantic_core import PydanticCustomError, core_schema

from nexuscore.kernel.errors import Fault
from nexuscore.kernel.faults import EMAIL, NOT_VALID, TEXTS, fault_of
from nexuscore.kernel.i18n import fill, placeholders


def odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("Choose an odd number.")
    return value


def prime(value: int) -> int:
    if value == 9:
        raise PydanticCustomError("not_prime", "{n} is not prime.", {"n": value})
    return value


class Note(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    id: UUID
    title: Annotated[str, MinLen(2), MaxLen(5)]
    size: Annotated[int, Gt(3), pydantic.AfterValidator(odd), pydantic.AfterValidator(prime)] = 5
    state: Literal["open", "done"] = "open"
    due: date | None = None
    mail: pydantic.EmailStr | None = None
    link: pydantic.HttpUrl | None = None


def fault(**change: object) -> Fault:
    note = {"id": "019ab1e2-c3d4-7f00-a1b2-c3d4e5f60718", "title": "Plan", **change}
    with pytest.raises(pydantic.ValidationError) as caught:
        Note.model_validate({name: value for name, value in note.items() if value is not ...})
    (error,) = caught.value.errors()
    return fault_of(str(error["loc"][0]), error)


@pytest.mark.parametrize(
    ("change", "field", "code", "text"),
    [
        ({"title": ...}, "title", "missing", "This field is required."),
        ({"title": "a"}, "title", "string_too_short", "Use at least 2 characters."),
        ({"title": "s3cret-value"}, "title", "string_too_long", "Use at most 5 characters."),
        ({"title": 5}, "title", "string_type", "This must be text."),
        ({"id": "s3cret-value"}, "id", "uuid_parsing", "This must be an identifier (UUID)."),
        ({"size": 1}, "size", "greater_than", "This must be greater than 3."),
        ({"size": "s3cret-value"}, "size", "int_parsing", "This must be a whole number."),
        ({"size": 4}, "size", "not_valid", "Choose an odd number."),
        ({"size": 9}, "size", "not_prime", "9 is not prime."),
        ({"state": "s3cret-value"}, "state", "literal_error", "This must be one of 'open' or 'done'."),
        ({"due": "s3cret-value"}, "due", "date_from_datetime_parsing", "This must be a date such as 2026-01-31."),
        ({"mail": "s3cret-value"}, "mail", "email", EMAIL),
        ({"link": "ftp://s3cret-value/"}, "link", "url_scheme", "This address must start with 'http' or 'https'."),
        ({"tilte": "s3cret-value"}, "tilte", "extra_forbidden", "There is no such field."),
    ],
)
def test_a_fault_says_what_is_wrong(change: dict[str, object], field: str, code: str, text: str) -> None:
    found = fault(**change)
    assert (found.field, found.code) == (field, code)
    assert found.public("en")["message"] == text
    assert "s3cret-value" not in repr(found)


def test_every_text_belongs_to_a_kind_pydantic_has() -> None:
    assert TEXTS.keys() <= set(get_args(core_schema.ErrorType))


def test_an_error_we_have_no_words_for_is_still_translatable() -> None:
    error = {"type": "callable_type", "loc": ("f",), "msg": "Input should be callable", "input": "s3cret-value"}
    assert fault_of("f", error) == Fault("f", "callable_type", NOT_VALID)  # type: ignore[arg-type]  # a literal dict


def test_names_in_braces_are_those_pydantic_gives() -> None:
    """A name pydantic does not fill would reach the reader as it stands."""
    given = {"min_length": 1, "max_length": 1, "gt": 1, "ge": 1, "lt": 1, "le": 1, "multiple_of": 1, "max_digits": 1,
             "decimal_places": 1, "whole_digits": 1, "expected": 1, "expected_tags": 1, "expected_schemes": 1,
             "discriminator": 1}  # fmt: skip
    for text in TEXTS.values():
        assert not placeholders(fill(text, given))
