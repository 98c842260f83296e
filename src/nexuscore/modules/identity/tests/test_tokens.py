"""Access tokens: what is in them, and everything that is not one."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey

from nexuscore.kernel import clock
from nexuscore.kernel.app import App
from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.settings import load
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.errors import InvalidToken
from nexuscore.modules.identity.testing import QUICK, person, visitor
from nexuscore.modules.identity.tokens import public_keys, read_access, sign_access, signing_keys

pytestmark = pytest.mark.anyio
FIRST, SECOND = "first-secret-" + "a1B2c3D4" * 4, "second-secret-" + "e5F6g7H8" * 4
ANNA, SESSION = UUID(int=1), UUID(int=2)


def part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def app_with(composed: App, **environ: str) -> App:
    classes = list(composed.settings.by_class)
    return App(composed.modules, load(classes, environ=environ, env_file=None))


async def test_what_a_token_says(house: House) -> None:
    anna = await person(house, "anna@example.com")
    token = anna.tokens["access_token"]
    header, claims = part(token, 0), part(token, 1)
    assert (header["alg"], header["typ"]) == ("HS256", "at+jwt")
    assert header["kid"] == signing_keys(house.app).current
    assert claims.keys() == {"iss", "aud", "sub", "sid", "iat", "exp"}
    assert (claims["iss"], claims["aud"]) == ("http://127.0.0.1:8000", "nexus")
    assert (claims["sub"], claims["sid"]) == (str(anna.id), anna.tokens["session_id"])
    assert claims["exp"] - claims["iat"] == anna.tokens["expires_in"] == 900


def forge(app: App, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token signed with the app's own key, with something in it that should not be."""
    keys = signing_keys(app)
    now = int(clock.now().timestamp())
    whole = {"iss": app.kernel.public_url, "aud": "nexus", "sub": str(ANNA), "sid": str(SESSION), "exp": now + 900}
    base = {"alg": "HS256", "typ": "at+jwt", "kid": keys.current}
    return jwt.encode({**base, **header}, {**whole, **claims}, keys.by_id[keys.current], algorithms=["HS256"])


def test_a_forged_copy_of_a_true_token_holds(composed: App) -> None:
    assert read_access(composed, forge(composed, {}, {})).user_id == ANNA


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"typ": "JWT"}, {}),
        ({"kid": "other"}, {}),
        ({}, {"iss": "https://evil.example"}),
        ({}, {"aud": "other"}),
        ({}, {"aud": ["nexus", "other"]}),
        ({}, {"sub": "anna"}),
        ({}, {"sub": None}),
        ({}, {"sid": 7}),
        ({}, {"exp": 1}),
        ({}, {"exp": None}),
        ({}, {"exp": "later"}),
    ],
)
def test_a_token_for_something_else_is_refused(composed: App, header: dict[str, Any], claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        read_access(composed, forge(composed, header, claims))


def unsigned(app: App) -> str:
    true = forge(app, {}, {})
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("=")
    return f"{header}.{true.split('.')[1]}."


def by_another_key(app: App) -> str:
    key = OctKey.import_key("x" * 32, {"kid": signing_keys(app).current})
    header, claims = part(forge(app, {}, {}), 0), part(forge(app, {}, {}), 1)
    return jwt.encode(header, claims, key, algorithms=["HS256"])


def altered(app: App) -> str:
    header, payload, signature = forge(app, {}, {}).split(".")
    claims = {**part(f"{header}.{payload}.", 1), "sub": str(uuid4())}
    text = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{header}.{text}.{signature}"


@pytest.mark.parametrize(
    "make",
    [
        unsigned,
        by_another_key,
        altered,
        lambda app: forge(app, {}, {}) + ".x",
        lambda app: "",
        lambda app: "..",
        lambda app: "a.b.c",
        lambda app: "\u00e9.\u00e9.\u00e9",
        lambda app: "x" * 100_000,
    ],
)
def test_what_we_did_not_sign_is_refused(composed: App, make: Callable[[App], str]) -> None:
    with pytest.raises(InvalidToken):
        read_access(composed, make(composed))


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Basic YTpi", "bearer nonsense", "\u00e9", ", ,", "Bearer a b"]
)
async def test_an_authorization_that_is_none_is_refused(house: House, header: str) -> None:
    answer = await visitor(house).get("/me", headers={"authorization": header.encode()})
    assert (answer.status_code, answer.json()["error_code"]) == (401, "invalid_token")


async def test_a_token_names_a_session_of_the_same_person(house: House) -> None:
    anna, bob = await person(house, "anna@example.com"), await person(house, "bob@example.com")
    token, _ = sign_access(house.app, bob.id, UUID(anna.tokens["session_id"]))
    assert (await visitor(house, authorization=f"Bearer {token}").get("/me")).status_code == 401


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
def test_keys_rotate_with_overlap(composed: App, fake_clock: FakeClock, algorithm: str) -> None:
    chosen = {"NEXUS_IDENTITY_TOKEN_ALGORITHM": algorithm}
    before = app_with(composed, NEXUS_SECRET_KEY=FIRST, **chosen)
    during = app_with(composed, NEXUS_SECRET_KEY=SECOND, NEXUS_SECRET_KEYS_PREVIOUS=FIRST, **chosen)
    after = app_with(composed, NEXUS_SECRET_KEY=SECOND, **chosen)
    old, _ = sign_access(before, ANNA, SESSION)
    new, _ = sign_access(during, ANNA, SESSION)
    assert part(old, 0)["kid"] != part(new, 0)["kid"]
    assert read_access(during, old).session_id == read_access(during, new).session_id == SESSION
    assert read_access(after, new).user_id == ANNA
    for app, token in ((after, old), (before, new)):
        with pytest.raises(InvalidToken):
            read_access(app, token)


def test_others_verify_eddsa_by_the_public_keys(composed: App, recwarn: pytest.WarningsRecorder) -> None:
    app = app_with(
        composed,
        NEXUS_SECRET_KEY=SECOND,
        NEXUS_SECRET_KEYS_PREVIOUS=FIRST,
        NEXUS_IDENTITY_TOKEN_ALGORITHM="EdDSA",
        NEXUS_PUBLIC_URL="https://app.example.com",
    )
    token, _ = sign_access(app, ANNA, SESSION)
    published = public_keys(app)
    assert len(recwarn) == 0
    assert len(published["keys"]) == 2
    assert all(key.keys() == {"kty", "crv", "x", "kid", "use", "alg"} for key in published["keys"])
    recwarn.clear()
    keys = KeySet.import_key_set(published)  # type: ignore[arg-type]  # as it comes over the wire
    with pytest.warns(UserWarning, match="EdDSA is deprecated"):
        read = jwt.decode(token, keys, algorithms=["EdDSA"])
    assert read.claims["iss"] == "https://app.example.com"


def test_an_algorithm_is_not_the_callers_choice(composed: App) -> None:
    """A token signed HS256 with the public key, which everybody has, is the oldest trick there is."""
    app = app_with(composed, NEXUS_SECRET_KEY=FIRST, NEXUS_IDENTITY_TOKEN_ALGORITHM="EdDSA")
    [public] = public_keys(app)["keys"]
    key = OctKey.import_key(base64.urlsafe_b64decode(public["x"] + "="), {"kid": public["kid"]})
    claims = part(sign_access(app, ANNA, SESSION)[0], 1)
    forged = jwt.encode({"alg": "HS256", "typ": "at+jwt", "kid": public["kid"]}, claims, key, algorithms=["HS256"])
    with pytest.raises(InvalidToken):
        read_access(app, forged)


async def test_hs256_publishes_nothing(house: House) -> None:
    answer = await visitor(house).get("/.well-known/jwks.json")
    assert (answer.status_code, answer.json()) == (200, {"keys": []})


@pytest.mark.parametrize("settings", [{**QUICK, "NEXUS_IDENTITY_ACCESS_MINUTES": "60"}])
async def test_a_token_holds_as_long_as_the_setting_says(
    house: House, fake_clock: FakeClock, settings: dict[str, str]
) -> None:
    anna = await person(house, "anna@example.com")
    fake_clock.set(fake_clock.now() + timedelta(minutes=59, seconds=59))
    assert (await anna.client.get("/me")).status_code == 200
    fake_clock.advance(seconds=1)
    assert (await anna.client.get("/me")).status_code == 401
