"""Addresses as login names: one form for each, however it is spelled."""

import pytest
from hypothesis import given, settings as examples, strategies as st

from nexuscore.kernel.errors import ValidationError
from nexuscore.modules.identity.emails import mailbox, normalise_email


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        (" Anna@Example.COM ", "anna@example.com"),
        ("\uff41\uff4e\uff4e\uff41@example.com", "anna@example.com"),
        ("an\u212aa@example.com", "anka@example.com"),
        ("BÜRO@Bücher.example", "büro@xn--bcher-kva.example"),
        ("x@XN--BCHER-KVA.example", "x@xn--bcher-kva.example"),
        ("a@\u2102.com", "a@c.com"),
        ("u\u0308@example.com", "ü@example.com"),
    ],
)
def test_spellings_of_one_address(typed: str, normal: str) -> None:
    assert normalise_email(typed) == normal


def test_look_alikes_are_other_addresses() -> None:
    """Mail goes to what is stored, so a letter that only looks the same opens nothing."""
    alike = {"mike@example.org", "m\u0131ke@example.org", "mike@ex\u0430mple.org", "\u043cike@example.org"}
    assert len({normalise_email(each) for each in alike}) == 4


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "anna",
        "anna@",
        "@example.com",
        "a@b@example.com",
        "a b@example.com",
        '"a b"@example.com',
        "a..b@example.com",
        "a@localhost",
        "a@[127.0.0.1]",
        "a@example.com\r\nBcc: b@example.com",
        "a\u200bb@example.com",
        "a\u202eb@example.com",
        "a\x00@example.com",
        "a" * 65 + "@example.com",
        "a@" + "b" * 250 + ".com",
    ],
)
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(ValidationError):
        normalise_email(typed)


@examples(max_examples=300)
@given(st.text(min_size=1, max_size=20), st.sampled_from(["example.com", "BÜCHER.example", "Gmail.com", "ﬁ.example"]))
def test_the_normal_form_is_its_own(local: str, domain: str) -> None:
    try:
        normal = normalise_email(f"{local}@{domain}")
    except ValidationError:
        return
    assert normalise_email(normal) == normal
    assert normalise_email(f"{local.upper()}@{domain.lower()}".lower()) == normalise_email(f"{local.upper()}@{domain}")
    assert mailbox(mailbox(normal)) == mailbox(normal)


def test_aliases_share_a_mailbox() -> None:
    assert mailbox("anna+shop@example.com") == mailbox("anna@example.com") == "anna@example.com"
    assert mailbox("a.n.na+x@googlemail.com") == "anna@gmail.com"
    assert mailbox("a.nna@example.com") != mailbox("anna@example.com")
    assert mailbox("+x@example.com") == "+x@example.com"
