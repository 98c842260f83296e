"""UEN, GST numbers and telephone numbers, held against python-stdnum's reading of the same rules."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings, strategies as st
from pydantic import TypeAdapter, ValidationError
from stdnum.sg import uen as reference

from nexuscore.kernel import clock
from nexuscore.modules.orgs.singapore import GstNumber, Phone, Uen, check_letter, is_gst_number, is_uen, phone_number

YEAR = datetime.now(UTC).year
DIGITS = "0123456789"
BUSINESS = st.text(DIGITS, min_size=8, max_size=8)
COMPANY = st.tuples(st.integers(1800, YEAR), st.text(DIGITS, min_size=5, max_size=5)).map(lambda p: f"{p[0]}{p[1]}")
OTHER = st.tuples(
    st.sampled_from(["R72", "S16", "T01", f"T{YEAR % 100:02}"]),
    st.sampled_from(reference.OTHER_UEN_ENTITY_TYPES),
    st.text(DIGITS, min_size=4, max_size=4),
).map("".join)


@given(st.one_of(BUSINESS, COMPANY, OTHER))
def test_a_number_with_its_letter_is_a_uen_to_us_and_to_the_reference(number: str) -> None:
    whole = number + check_letter(number)
    assert is_uen(whole)
    assert reference.is_valid(whole)


@given(st.one_of(BUSINESS, COMPANY, OTHER), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def test_any_other_letter_is_refused(number: str, letter: str) -> None:
    assert is_uen(number + letter) == (letter == check_letter(number))


@given(COMPANY, st.integers(0, 8), st.sampled_from(DIGITS))
def test_one_wrong_digit_is_noticed(number: str, place: int, digit: str) -> None:
    wrong = number[:place] + digit + number[place + 1 :]
    if wrong != number:
        assert not is_uen(wrong + check_letter(number))


@given(st.text("0123456789RSTQLCFAB", min_size=7, max_size=12))
@example("T12AB123A")
@example("T12AB1234C1")
@settings(max_examples=300)
def test_nothing_is_accepted_that_the_reference_refuses(text: str) -> None:
    """But for kinds it does not know: variable capital companies (VC) came after its list."""
    if is_uen(text) and not reference.is_valid(text):
        assert text[0] in "RST"
        assert text[3:5] not in reference.OTHER_UEN_ENTITY_TYPES


@pytest.mark.parametrize("uen", ["00192200M", "197401143C", "S16FC0121D", "T01FC6132D"])
def test_published_numbers(uen: str) -> None:
    assert is_uen(uen)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "197401143",
        "\u0661\u0669\u0667\u0664\u0660\u0661\u0661\u0664\u0663C",
        "197401143c",
        "Q08LL0001A",
        "T08LI0001A",
        " 197401143C",
        "197401143C\n",
    ],
)
def test_what_is_not_a_uen(text: str) -> None:
    assert not is_uen(text)


@pytest.mark.parametrize("number", ["202612345", "T26LL0001"])
def test_a_company_is_not_older_than_its_year(number: str) -> None:
    uen = number + check_letter(number)
    with clock.fake(datetime(2025, 12, 31, tzinfo=UTC)):
        assert not is_uen(uen)
    with clock.fake(datetime(2026, 1, 1, tzinfo=UTC)):
        assert is_uen(uen)
    ancient = "179912345"
    assert not is_uen(ancient + check_letter(ancient))


def test_a_gst_number_is_of_the_old_kind_or_the_uen() -> None:
    assert is_gst_number("M90312345X")
    assert is_gst_number("197401143C")
    assert not is_gst_number("197401143D")
    assert not is_gst_number("M9031234X")
    assert not is_gst_number("")


@pytest.mark.parametrize("text", ["91234567", "+65 9123 4567", "65-6123-4567", " 8123 4567 "])
def test_a_telephone_number_is_kept_in_one_form(text: str) -> None:
    number = phone_number(text)
    assert number is not None
    assert number.startswith("+65")
    assert len(number) == 11
    assert phone_number(number) == number


@pytest.mark.parametrize("text", ["", "71234567", "9123456", "912345678", "+1 91234567", "9123x4567", "\u06691234567"])
def test_what_is_not_a_singapore_number(text: str) -> None:
    assert phone_number(text) is None


def test_fields_say_what_is_wrong_with_a_code_of_their_own() -> None:
    assert TypeAdapter(Uen).validate_python(" 197401143c ") == "197401143C"
    for kind, code in ((Uen, "invalid_uen"), (GstNumber, "invalid_gst_registration"), (Phone, "invalid_phone")):
        with pytest.raises(ValidationError) as raised:
            TypeAdapter(kind).validate_python("nonsense")
        assert raised.value.errors()[0]["type"] == code
