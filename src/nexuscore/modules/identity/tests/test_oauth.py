"""Providers: whom they vouch for gets in, in the browser that began, once; and nobody else does."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from joserfc.jwk import ECKey
from pydantic import SecretStr

from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.events import ProviderLinked, SignedIn, UserRegistered
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.testing import QUICK, account, person, visitor, with_identity
from nexuscore.modules.identity.tests.vouchers import CLIENT, SECRET, Voucher, query_of, serving

pytestmark = pytest.mark.anyio
ANNA = "anna@example.com"


@pytest.fixture
def settings() -> dict[str, str]:
    return QUICK


@pytest.fixture
async def voucher(anyio_backend: str) -> AsyncIterator[Voucher]:
    async with serving(Voucher()) as found:
        yield found


def offering(house: House, voucher: Voucher) -> House:
    """The house with this provider under two names: as an issuer of its own, and as GitHub."""
    client = {"client_id": CLIENT, "client_secret": SECRET}
    listed = [
        {"name": "acme", "issuer": voucher.issuer, **client},
        {"name": "github", "issuer": voucher.issuer, "api": voucher.issuer, **client},
    ]
    object.__setattr__(house.app.settings[IdentitySettings], "providers", SecretStr(json.dumps(listed)))
    return with_identity(house)


@pytest.fixture
def house(house: House, voucher: Voucher) -> House:
    return offering(house, voucher)


async def begin(client: Client, name: str = "acme", **given: Any) -> str:
    answer = await client.post(f"/auth/oauth/{name}/start", {"session": "token", **given})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"])


async def agree(url: str) -> dict[str, str]:
    """Go to the provider, agree, and be sent back: what is in the address then."""
    async with httpx2.AsyncClient(follow_redirects=False, trust_env=False) as browser:
        answer = await browser.get(url)
    return query_of(answer.headers["location"])


async def come_back(client: Client, given: dict[str, str], name: str = "acme") -> httpx2.Response:
    return await client.get(f"/auth/oauth/{name}/callback?{urlencode(given)}")


async def sign_in(client: Client, name: str = "acme") -> httpx2.Response:
    return await come_back(client, await agree(await begin(client, name)), name)


async def test_somebody_new_gets_an_account_and_the_next_time_the_same(house: House) -> None:
    first = await sign_in(visitor(house))
    assert first.status_code == 200, first.text
    again = await sign_in(visitor(house))
    assert first.json()["user_id"] == again.json()["user_id"]
    assert len(await house.facts(UserRegistered)) == 1
    assert [fact.body["factors"] for fact in await house.facts(SignedIn)] == [["oauth"], ["oauth"]]


async def test_github_is_known_by_number_and_its_verified_primary_address(house: House, voucher: Voucher) -> None:
    voucher.emails = [
        {"email": "old@example.com", "primary": False, "verified": True},
        {"email": ANNA, "primary": True, "verified": True},
    ]
    user = await account(house, ANNA)
    client = visitor(house)
    answer = await sign_in(client, "github")
    assert answer.json()["user_id"] == str(user.id)
    voucher.lies = {"login": "somebody-else"}
    assert (await sign_in(visitor(house), "github")).json()["user_id"] == str(user.id), "hole 6: a name is nobody"


@pytest.mark.parametrize("where", ["header", "form"])
async def test_the_secret_goes_where_the_issuer_takes_it(house: House, voucher: Voucher, where: str) -> None:
    voucher.secret_in = where
    assert (await sign_in(visitor(house))).status_code == 200


async def test_an_issuer_that_keeps_the_address_out_of_the_token_is_asked_for_it(
    house: House, voucher: Voucher
) -> None:
    user = await account(house, ANNA)
    voucher.told_apart = {}
    assert (await sign_in(visitor(house))).json()["user_id"] == str(user.id)


async def test_an_address_of_another_subject_links_nothing(house: House, voucher: Voucher) -> None:
    """Seen red with the two subjects not compared."""
    await account(house, ANNA)
    voucher.told_apart = {"sub": "somebody-else"}
    answer = await sign_in(visitor(house))
    assert (answer.status_code, answer.json()["error_code"]) == (401, "oauth_failed")
    assert await house.facts(ProviderLinked) == []


async def test_the_request_carries_pkce_state_nonce_and_our_own_address(house: House, voucher: Voucher) -> None:
    client = visitor(house, host="evil.example")
    asked = query_of(await begin(client))
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert asked["nonce"]
    assert asked["redirect_uri"] == "http://127.0.0.1:8000/api/v1/auth/oauth/acme/callback", "hole 23"


async def test_a_proved_address_is_linked_when_both_sides_proved_it(house: House) -> None:
    user = await account(house, ANNA)
    assert (await sign_in(visitor(house))).json()["user_id"] == str(user.id)
    assert len(await house.facts(ProviderLinked)) == 1


@pytest.mark.parametrize("case", ["ours is not proved", "theirs is not proved", "ours is suspended"])
async def test_an_address_that_one_side_did_not_prove_links_nothing(house: House, voucher: Voucher, case: str) -> None:
    """Hole 10. Seen red with the check of `email_verified_at` left out."""
    if case == "ours is not proved":
        user = await account(house, ANNA, state="unverified", email_verified_at=None)
    else:
        user = await account(house, ANNA, state="suspended" if "suspended" in case else "active")
    voucher.email_verified = case != "theirs is not proved"
    answer = await sign_in(visitor(house))
    if case == "theirs is not proved":
        assert answer.status_code == 200
        assert answer.json()["user_id"] != str(user.id)
    else:
        assert (answer.status_code, answer.json()["error_code"]) == (409, "oauth_not_linked")
    assert await house.facts(SignedIn) == [] or answer.json()["user_id"] != str(user.id)


async def test_a_flow_ends_only_in_the_browser_that_began_it(house: House) -> None:
    """Hole 22. Seen red with the browser's name not compared."""
    victim, attacker = visitor(house), visitor(house)
    given = await agree(await begin(attacker))
    stolen = await come_back(victim, given)
    assert (stolen.status_code, stolen.json()["error_code"]) == (401, "oauth_failed")
    assert await house.facts(SignedIn) == []


async def test_a_state_and_a_code_work_once(house: House) -> None:
    """Hole 13."""
    client = visitor(house)
    given = await agree(await begin(client))
    assert (await come_back(client, given)).status_code == 200
    assert (await come_back(client, given)).json()["error_code"] == "secret_invalid"


async def test_fifty_come_back_at_once_and_one_gets_in(committed_house: House, voucher: Voucher) -> None:
    house = offering(committed_house, voucher)
    client = visitor(house)
    given = await agree(await begin(client))
    answers = await asyncio.gather(*(come_back(client, given) for _ in range(50)))
    assert Counter(a.status_code for a in answers) == {200: 1, 400: 49}
    assert len(await house.facts(SignedIn)) == 1


LIES: list[dict[str, Any]] = [
    {"iss": "https://evil.example"},
    {"aud": "somebody-else"},
    {"aud": [CLIENT, "somebody-else"]},
    {"aud": [CLIENT, "somebody-else"], "azp": "somebody-else"},
    {"exp": 1_000_000_000},
    {"nonce": "another"},
    {"nonce": None},
    {"sub": ""},
    {"sub": None},
    {"sub": 7},
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: "-".join(f"{k}={v}" for k, v in lie.items()))
async def test_a_token_that_is_not_for_us_now_is_refused(house: House, voucher: Voucher, lie: dict[str, Any]) -> None:
    """Holes 11 and 12."""
    voucher.lies = lie
    answer = await sign_in(visitor(house))
    assert (answer.status_code, answer.json()["error_code"]) == (401, "oauth_failed")
    assert await house.facts(UserRegistered) == []


async def test_a_token_somebody_else_signed_is_refused(house: House, voucher: Voucher) -> None:
    voucher.signs_with = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256"})
    assert (await sign_in(visitor(house))).json()["error_code"] == "oauth_failed"


async def test_a_new_key_of_the_issuer_is_fetched(house: House, voucher: Voucher) -> None:
    assert (await sign_in(visitor(house))).status_code == 200
    voucher.key = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"})
    assert (await sign_in(visitor(house))).status_code == 200


@pytest.mark.parametrize("name", ["acme", "github"])
@pytest.mark.parametrize(
    ("status", "error"),
    [(400, {"error": "invalid_grant"}), (200, {"error": "bad_verification_code"}), (200, {}), (500, {"id": 42})],
)
async def test_a_providers_error_is_nobody(
    house: House, voucher: Voucher, name: str, status: int, error: dict[str, Any]
) -> None:
    """Hole 12. Seen red with the status of the answer not looked at."""
    voucher.status, voucher.error = status, error
    answer = await sign_in(visitor(house), name)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "oauth_failed")
    assert await house.facts(UserRegistered) == []


async def test_a_code_without_its_verifier_buys_nothing(house: House, voucher: Voucher) -> None:
    """Hole 16: what is sent is the verifier of this flow, and the provider holds us to it."""
    client = visitor(house)
    given = await agree(await begin(client))
    voucher.codes[given["code"]]["code_challenge"] = "x" * 43
    assert (await come_back(client, given)).json()["error_code"] == "oauth_failed"


async def test_an_issuer_that_names_another_is_refused(house: House, voucher: Voucher) -> None:
    voucher.lies = {"issuer": "https://evil.example"}
    answer = await visitor(house).post("/auth/oauth/acme/start", {})
    assert (answer.status_code, answer.json()["error_code"]) == (401, "oauth_failed")


async def test_with_a_cookie_the_browser_is_sent_to_our_pages_and_nowhere_else(house: House) -> None:
    client = visitor(house)
    given = await agree(await begin(client, session="cookie", return_to="/console/notes"))
    answer = await come_back(client, given)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/notes")
    assert (await client.get("/me")).json()["email"] == ANNA
    for bad in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        other = visitor(house)
        back = await come_back(other, await agree(await begin(other, session="cookie", return_to=bad)))
        assert back.headers["location"] == "/console"


async def test_a_person_who_refused_is_back_at_our_sign_in_page(house: House) -> None:
    """Hole 20: the page learns one code, whatever happened."""
    answer = await come_back(visitor(house), {"error": "access_denied", "state": "x"})
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("/sign-in?error=oauth_failed")


async def test_linking_and_unlinking_keeps_a_way_in(house: House, voucher: Voucher) -> None:
    anna = await person(house, ANNA)
    voucher.email = "private@example.org"
    url = (await anna.client.post("/me/oauth/start", {"provider": "acme"})).json()["url"]
    assert (await come_back(anna.client, await agree(url))).status_code == 303
    (linked,) = (await anna.client.get("/me/oauth")).json()["data"]
    assert (linked["provider"], linked["email"]) == ("acme", "private@example.org")
    async with house.app.context() as ctx:
        await ctx.db.raw("UPDATE users SET password_hash = NULL, email_verified_at = NULL WHERE id = $1", anna.id)
    kept = await anna.client.delete(f"/me/oauth/{linked['id']}")
    assert (kept.status_code, kept.json()["error_code"]) == (409, "last_way_in")
    async with house.app.context() as ctx:
        await ctx.db.raw("UPDATE users SET email_verified_at = now() WHERE id = $1", anna.id)
    assert (await anna.client.delete(f"/me/oauth/{linked['id']}")).status_code == 204


async def test_what_is_linked_with_one_account_is_not_taken_by_another(house: House) -> None:
    assert (await sign_in(visitor(house))).status_code == 200
    bert = await person(house, "bert@example.com")
    url = (await bert.client.post("/me/oauth/start", {"provider": "acme"})).json()["url"]
    taken = await come_back(bert.client, await agree(url))
    assert (taken.status_code, taken.json()["error_code"]) == (409, "oauth_linked_elsewhere")


async def test_unknown_providers_are_not_there_and_silent_ones_are_502(house: House, voucher: Voucher) -> None:
    assert (await visitor(house).post("/auth/oauth/nope/start", {})).status_code == 404
    listed = (await visitor(house).get("/auth/oauth")).json()["data"]
    assert [each["name"] for each in listed] == ["acme", "github"]
    gone = [{"name": "gone", "issuer": "http://127.0.0.1:9", "client_id": "x"}]
    object.__setattr__(house.app.settings[IdentitySettings], "providers", SecretStr(json.dumps(gone)))
    answer = await visitor(house).post("/auth/oauth/gone/start", {})
    assert (answer.status_code, answer.json()["error_code"]) == (502, "oauth_unreachable")


@pytest.mark.parametrize(
    "given",
    [
        "{",
        '[{"name": "acme"}]',
        '[{"name": "acme", "client_id": "x"}]',
        '[{"name": "acme", "client_id": "x", "issuer": "http://id.example"}]',
        '[{"name": "google", "client_id": "x"}, {"name": "google", "client_id": "y"}]',
    ],
)
def test_a_setting_that_makes_no_sense_stops_the_start(given: str) -> None:
    with pytest.raises(ConfigurationError, match="NEXUS_IDENTITY_PROVIDERS"):
        load([KernelSettings, IdentitySettings], environ={"NEXUS_IDENTITY_PROVIDERS": given}, env_file=None)
