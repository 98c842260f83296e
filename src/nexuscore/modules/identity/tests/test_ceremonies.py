"""What is a passkey of ours: the domain it is bound to, and no credential but the one that was made and signed."""

from typing import Any

import pytest
from hypothesis import given, settings as examples, strategies as st

from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.modules.identity import ceremonies
from nexuscore.modules.identity.errors import PasskeysUnavailable
from nexuscore.modules.identity.factor_schemas import Credential
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.testing import Authenticator

URLS = [
    ("https://app.example.com", {}, "app.example.com", ["https://app.example.com"]),
    ("https://app.example.com:8443", {}, "app.example.com", ["https://app.example.com:8443"]),
    ("http://127.0.0.1:8000", {}, "localhost", ["http://localhost:8000"]),
    ("http://[::1]:8000", {}, "localhost", ["http://localhost:8000"]),
    ("http://localhost:9000", {}, "localhost", ["http://localhost:9000"]),
    (
        "https://app.example.com",
        {
            "NEXUS_IDENTITY_PASSKEY_DOMAIN": "example.com",
            "NEXUS_IDENTITY_PASSKEY_ORIGINS": "https://example.com, app:x",
        },
        "example.com",
        ["https://example.com", "app:x"],
    ),
]


class Settled:
    """As much of an app as says where it is."""

    def __init__(self, url: str, **more: str) -> None:
        environ = {"NEXUS_ENV": "test", "NEXUS_PUBLIC_URL": url, **more}
        self.settings = load([KernelSettings, IdentitySettings], environ=environ, env_file=None)
        self.kernel = self.settings[KernelSettings]


@pytest.mark.parametrize(("url", "more", "domain", "origins"), URLS)
def test_the_domain_comes_from_settings(url: str, more: dict[str, str], domain: str, origins: list[str]) -> None:
    found = ceremonies.party(Settled(url, **more))  # type: ignore[arg-type]  # only settings are asked
    assert (found.domain, found.origins) == (domain, origins)


def test_a_number_is_no_domain() -> None:
    with pytest.raises(PasskeysUnavailable):
        ceremonies.party(Settled("http://192.0.2.1:8000"))  # type: ignore[arg-type]  # only settings are asked


def test_origins_outside_the_domain_are_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="NEXUS_IDENTITY_PASSKEY_ORIGINS"):
        Settled(
            "https://app.example.com",
            NEXUS_IDENTITY_PASSKEY_DOMAIN="example.com",
            NEXUS_IDENTITY_PASSKEY_ORIGINS="https://notexample.com",
        )


TEXT = st.text(st.sampled_from("ABCabc019_-"), min_size=1, max_size=60)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=5,
)
PARTS = ("clientDataJSON", "authenticatorData", "signature", "userHandle", "attestationObject", "transports")


@examples(max_examples=300, deadline=None)
@given(TEXT, st.dictionaries(st.sampled_from(PARTS), TEXT | JUNK))
def test_no_credential_makes_it_stumble(name: str, parts: dict[str, Any]) -> None:
    given = Credential.model_validate({"id": name, "rawId": name, "type": "public-key", "response": parts})
    app: Any = Settled("http://localhost:8000")
    passkey: Any = type("Row", (), {"user_id": None, "public_key": b"x"})
    ceremonies.challenge_of(given)
    ceremonies.credential_id(given)
    assert ceremonies.made(app, given, "challenge") is None
    assert ceremonies.signed(app, given, "challenge", passkey, verify=True) is None


TWO = st.lists(st.sampled_from("ABCabc019_-"), min_size=2, max_size=2, unique=True)
SIGNED = ("authenticatorData", "clientDataJSON", "signature", "userHandle")


@examples(max_examples=200, deadline=None)
@given(st.sampled_from(SIGNED), st.floats(0, 1, exclude_max=True), TWO)
def test_no_letter_of_a_credential_may_be_another(part: str, place: float, letters: list[str]) -> None:
    app: Any = Settled("http://localhost:8000")
    key = Authenticator()
    options = {"rp": {"id": "localhost"}, "user": {"id": "AAAA"}, "challenge": "Y2hhbGxlbmdl", "rpId": "localhost"}
    made = ceremonies.made(app, Credential.model_validate(key.create(options)), "challenge")
    assert made is not None
    passkey: Any = type("Row", (), {"user_id": type("Id", (), {"bytes": bytes(3)}), "public_key": made.public_key})
    whole = key.get(options)
    assert ceremonies.signed(app, Credential.model_validate(whole), "challenge", passkey, verify=True) is not None
    text = whole["response"][part]
    at = int(place * (len(text) - 1))
    other = letters[0] if letters[0] != text[at] else letters[1]
    whole["response"][part] = text[:at] + other + text[at + 1 :]
    assert ceremonies.signed(app, Credential.model_validate(whole), "challenge", passkey, verify=True) is None
