"""Passwords: changed, forgotten, judged."""

import bcrypt
import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules.identity import policy
from nexuscore.modules.identity.common_list import build
from nexuscore.modules.identity.events import PasswordChanged, PasswordResetRequested, SessionRevoked
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.testing import PASSWORD, account, mails_to, person, sign_in, token_in, visitor
from nexuscore.modules.mail.events import MailSent

pytestmark = pytest.mark.anyio
NEW = "Louder-Harbour-42?"


async def test_a_changed_password_ends_every_other_session(house: House) -> None:
    anna = await person(house, "anna@example.com")
    other = visitor(house)
    await sign_in(other, anna.email)
    async with house.expect_events(PasswordChanged, SessionRevoked):
        changed = await anna.client.post("/me/password", {"current": PASSWORD, "new": NEW})
    assert changed.status_code == 204
    assert (await other.get("/me")).status_code == 401
    assert (await anna.client.get("/me")).status_code == 200
    await sign_in(visitor(house), anna.email, NEW)
    [mail] = await mails_to(house, anna.email, "identity.password_changed")
    assert "Firefox on Linux" in mail.text


async def test_the_old_password_is_asked_for(house: House) -> None:
    anna = await person(house, "anna@example.com")
    answer = await anna.client.post("/me/password", {"current": "wrong", "new": NEW})
    assert (answer.status_code, answer.json()["error_code"]) == (401, "invalid_credentials")
    weak = await anna.client.post("/me/password", {"current": PASSWORD, "new": "short"})
    assert (weak.status_code, weak.json()["details"][0]["field"]) == (422, "new")


async def test_a_forgotten_password_is_chosen_anew(house: House) -> None:
    anna = await person(house, "anna@example.com")
    stranger = visitor(house)
    assert (await stranger.post("/auth/forgot-password", {"email": "ANNA@example.com"})).status_code == 202
    async with house.expect_events(PasswordResetRequested, MailSent):
        await house.drain()
    [mail] = await mails_to(house, anna.email)
    given = {"token": token_in(mail), "password": NEW}
    weak = await stranger.post("/auth/reset-password", {**given, "password": "anna"})
    assert weak.status_code == 422
    answer = await stranger.post("/auth/reset-password", given)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await anna.client.get("/me")).status_code == 401
    await sign_in(stranger, anna.email, NEW)
    assert (await stranger.post("/auth/reset-password", given)).status_code == 400


async def test_a_reset_link_works_for_an_hour(house: House, fake_clock: FakeClock) -> None:
    await account(house, "anna@example.com")
    stranger = visitor(house)
    await stranger.post("/auth/forgot-password", {"email": "anna@example.com"})
    [mail] = await mails_to(house, "anna@example.com")
    fake_clock.advance(minutes=60)
    answer = await stranger.post("/auth/reset-password", {"token": token_in(mail), "password": NEW})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "secret_invalid")


async def test_a_reset_proves_an_address_that_was_never_proved(house: House) -> None:
    """Whoever registered it first is out: their password was never more than a request."""
    stranger = visitor(house)
    await stranger.post("/auth/register", {"email": "anna@example.com", "password": PASSWORD, "name": "X"})
    await house.drain()
    await stranger.post("/auth/forgot-password", {"email": "anna@example.com"})
    verify, reset = await mails_to(house, "anna@example.com")
    assert (await stranger.post("/auth/reset-password", {"token": token_in(reset), "password": NEW})).status_code == 204
    assert (await stranger.post("/auth/verify-email", {"token": token_in(verify)})).status_code == 400
    await sign_in(stranger, "anna@example.com", NEW)


async def test_a_suspended_account_gets_no_link(house: House) -> None:
    await account(house, "anna@example.com", state="suspended")
    assert (await visitor(house).post("/auth/forgot-password", {"email": "anna@example.com"})).status_code == 202
    assert await mails_to(house, "anna@example.com") == []


async def test_an_old_bcrypt_hash_is_replaced_at_sign_in(house: House) -> None:
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    anna = await account(house, "anna@example.com", password_hash=old)
    answer = await visitor(house).post("/auth/sign-in", {"email": anna.email, "password": "wrong"})
    assert answer.status_code == 401
    await sign_in(visitor(house), "anna@example.com")
    async with house.app.context() as ctx:
        [row] = await ctx.db.raw("SELECT password_hash FROM users")
    assert row.password_hash.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    await sign_in(visitor(house), "anna@example.com")


async def test_a_password_longer_than_bcrypt_read_still_opens_an_old_account(house: House) -> None:
    long = "Long-1!" * 15
    old = bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode()
    await account(house, "anna@example.com", password_hash=old)
    await sign_in(visitor(house), "anna@example.com", long)
    shorter = await visitor(house).post("/auth/sign-in", {"email": "anna@example.com", "password": long[:72]})
    assert shorter.status_code == 401


async def test_a_password_is_one_however_the_keyboard_writes_it(house: House) -> None:
    composed, apart = "Zażółć-gęślą-1!", "Zaz\u0307ółc\u0301-ge\u0328s\u0301la\u0328-1!"
    anna = await person(house, "anna@example.com")
    assert (await anna.client.post("/me/password", {"current": PASSWORD, "new": composed})).status_code == 204
    await sign_in(visitor(house), anna.email, apart)


NIST = IdentitySettings(password_rule="nist")


def faults(
    password: str,
    about: list[str] | None = None,
    settings: IdentitySettings = IdentitySettings(),  # noqa: B008 - settings are frozen
    *,
    second_factor: bool = False,
) -> set[str]:
    found = policy.judge(password, settings, about or [], second_factor=second_factor)
    return {fault.code for fault in found}


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("Quiet-Harbour-41!", set()),
        ("Aa1!" * 32, set()),
        ("Aa1!" * 32 + "x", {"too_long"}),
        ("Quiet-Ha41!", {"too_short"}),
        ("quiet-harbour-41!", {"classes"}),
        ("QUIET-HARBOUR-41!", {"classes"}),
        ("Quiet-Harbour-xy!", {"classes"}),
        ("QuietHarbour4100", {"classes"}),
        ("Password123!", {"common"}),
        ("P@ssw0rd1234", {"common"}),
        ("!!!Dragon2024", {"common"}),
        ("Abcdefghijk1!", set()),
        ("Qwertyuiop1!", {"common"}),
    ],
)
def test_the_policy(password: str, expected: set[str]) -> None:
    assert faults(password) == expected


def test_a_password_does_not_name_its_owner() -> None:
    about = ["anna.kowalska@megacorp.sg", "Anna Kowalska", "Megacorp"]
    for password in ("Kowalska-Rules-41!", "MegaCorp#2026x", "Xy-4nn4-K0walska!"):
        assert faults(password, about) == {"personal"}
    assert faults("Example-Harbour-41!", ["anna@example.com"]) == set()


def test_one_setting_switches_to_nist() -> None:
    assert faults("quiet harbour eleven", settings=NIST) == set()
    assert faults("quiet harbour", settings=NIST) == {"too_short"}
    assert faults("quietbay", settings=NIST, second_factor=True) == set()
    assert faults("password", settings=NIST, second_factor=True) == {"common"}
    assert faults("quietbay", second_factor=True) == {"too_short", "classes"}


def test_the_list_of_common_passwords_is_the_one_its_recipe_makes() -> None:
    assert policy._COMMON.read_bytes() == build()
    assert len(policy.common_passwords()) > 10_000


async def test_the_meter_advises_in_the_readers_language(house: House) -> None:
    stranger = visitor(house)
    weak = (await stranger.post("/auth/password-meter", {"password": "password"})).json()
    assert (weak["score"], weak["label"], weak["percent"], weak["acceptable"]) == (0, "weak", 20, False)
    assert weak["warning"] == "This is a top-10 common password."
    polish = await stranger.post("/auth/password-meter", {"password": "password"}, headers={"accept-language": "pl"})
    assert polish.json()["warning"] == "To jedno z dziesięciu najpopularniejszych haseł."
    strong = (await stranger.post("/auth/password-meter", {"password": PASSWORD})).json()
    assert (strong["score"], strong["label"], strong["faults"]) == (4, "very_strong", [])
    own = {"password": "xq-wolkowyje-9z", "email": "wolkowyje@x.pl", "name": "Anna Xq"}
    alone = {"password": own["password"]}
    scores = [(await stranger.post("/auth/password-meter", each)).json()["score"] for each in (own, alone)]
    assert scores[0] < scores[1]


async def test_the_meter_takes_what_would_keep_it_busy_for_minutes(house: House) -> None:
    """With 22 kinds of signs that stand for letters, zxcvbn alone needs seconds; each more doubles it."""
    answer = await visitor(house).post("/auth/password-meter", {"password": "4@8({[<369&#!1/0$5+7%2|" * 5})
    assert (answer.status_code, answer.json()["score"]) == (200, 4)


async def test_the_meter_keeps_and_logs_nothing(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    word = "canary-Meter-93!"
    await visitor(house).post("/auth/password-meter", {"password": word})
    assert word not in await house.dump()
    assert word not in capsys.readouterr().out
