"""Recovery codes: ten, shown once, each in place of a lost second factor, once."""

import re
from random import Random

import pytest
from hypothesis import given, settings as examples, strategies as st

from nexuscore.kernel.ids import uuid7
from nexuscore.kernel.testing import House
from nexuscore.modules.identity import recovery_codes
from nexuscore.modules.identity.events import RecoveryCodeUsed, SignedIn, SignInChallenged
from nexuscore.modules.identity.testing import (
    PASSWORD,
    challenge_for,
    mails_to,
    person,
    visitor,
    with_passkey,
    with_totp,
)

pytestmark = pytest.mark.anyio


async def test_a_recovery_code_stands_in_once(house: House) -> None:
    anna = await person(house, "anna@example.com")
    _, codes = await with_totp(anna.client)
    stranger = visitor(house)
    written = codes[0].upper().replace("-", " ").replace("0", "O").replace("1", "l")
    async with house.expect_events(SignInChallenged, RecoveryCodeUsed, SignedIn) as facts:
        challenge = await challenge_for(stranger, anna.email)
        met = await stranger.post("/auth/second-factor", {"challenge": challenge, "recovery_code": written})
    assert met.status_code == 200
    assert facts[1].data == RecoveryCodeUsed(user_id=anna.id, left=9)
    [mail] = await mails_to(house, anna.email, "identity.recovery_code_used")
    assert "9 recovery codes are left" in mail.text
    challenge = await challenge_for(stranger, anna.email)
    again = await stranger.post("/auth/second-factor", {"challenge": challenge, "recovery_code": codes[0]})
    assert again.json()["error_code"] == "second_factor_invalid"
    assert (await anna.client.get("/me/second-factors")).json()["recovery_codes_left"] == 9


async def test_new_recovery_codes_end_the_old_ones(house: House) -> None:
    anna, ben = await person(house, "anna@example.com"), await person(house, "ben@example.com")
    _, old = await with_totp(anna.client)
    _, of_ben = await with_totp(ben.client)
    new = (await anna.client.post("/me/recovery-codes")).json()["recovery_codes"]
    assert not set(new) & set(old)
    for code, status in ((old[1], 401), (of_ben[1], 401), (new[1], 200)):
        challenge = await challenge_for(visitor(house), anna.email)
        met = await visitor(house).post("/auth/second-factor", {"challenge": challenge, "recovery_code": code})
        assert met.status_code == status


async def test_when_the_codes_are_spent_they_are_not_offered(house: House) -> None:
    anna = await person(house, "anna@example.com")
    _, codes = await with_totp(anna.client)
    for code in codes:
        challenge = await challenge_for(visitor(house), anna.email)
        await visitor(house).post("/auth/second-factor", {"challenge": challenge, "recovery_code": code})
    answer = await visitor(house).post("/auth/sign-in", {"email": anna.email, "password": PASSWORD})
    assert answer.json()["factors"] == ["totp"]
    last = (await mails_to(house, anna.email, "identity.recovery_code_used"))[-1]
    assert "0 recovery codes are left" in last.text


@pytest.mark.parametrize(("locale", "word"), [("pl", "klucz dostępu „Schlüssel”"), ("he", "Schlüssel")])
async def test_the_mail_speaks_the_owners_language(house: House, locale: str, word: str) -> None:
    anna = await person(house, "anna@example.com", locale=locale)
    await with_passkey(anna.client, name="Schlüssel")
    [mail] = await mails_to(house, anna.email, "identity.second_factor_enabled")
    assert word in mail.text
    assert "passkey" not in mail.text


LETTERS = st.lists(st.sampled_from(recovery_codes._ALPHABET), min_size=16, max_size=16)
WRITTEN = {"0": "0oO", "1": "1iIlL"}


@examples(max_examples=200)
@given(LETTERS, st.randoms())
def test_a_code_is_the_same_however_it_is_written(letters: list[str], hand: Random) -> None:
    owner, code = uuid7(), "-".join("".join(letters[at : at + 4]) for at in range(0, 16, 4))
    breaks = ["", "-", " ", "\u2011"]
    written = "".join(hand.choice(WRITTEN.get(each, each + each.upper())) + hand.choice(breaks) for each in letters)
    assert recovery_codes._hash(owner, written) == recovery_codes._hash(owner, code)
    assert recovery_codes._hash(uuid7(), written) != recovery_codes._hash(owner, code)


def test_codes_are_four_by_four_of_eighty_bits() -> None:
    codes = {recovery_codes._code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(re.fullmatch(r"[0-9a-hj-km-np-tv-z]{4}(-[0-9a-hj-km-np-tv-z]{4}){3}", code) for code in codes)
