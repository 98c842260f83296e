"""Sealing, signing, rotation, tokens, and the secret made on first use."""

import base64
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from nexuscore.kernel import crypto
from nexuscore.kernel.crypto import CryptoError, Keyring, hash_token, load_or_create_secret, new_token, same
from nexuscore.kernel.errors import ConfigurationError

OLD, NEW, OTHER = (letter * 40 for letter in "abc")
RING = Keyring.from_secrets(NEW, [OLD])


@given(st.binary(max_size=500), st.text(max_size=20), st.text(max_size=20))
def test_what_is_sealed_opens(plain: bytes, purpose: str, context: str) -> None:
    sealed = RING.seal(purpose, plain, context=context)
    assert RING.open_sealed(purpose, sealed, context=context) == plain
    assert sealed.isascii()


def test_text_is_sealed_as_utf_8_and_never_twice_alike() -> None:
    one, two = RING.seal("phone", "שלום"), RING.seal("phone", "שלום")
    assert one != two
    assert RING.open_sealed("phone", one).decode() == "שלום"
    assert "שלום" not in one


@given(st.data())
def test_any_altered_character_is_noticed(data: st.DataObject) -> None:
    sealed = RING.seal("phone", "+65 9123 4567", context="user:1")
    at = data.draw(st.integers(0, len(sealed) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda each: each != sealed[at]))
    with pytest.raises(CryptoError):
        RING.open_sealed("phone", sealed[:at] + letter + sealed[at + 1 :], context="user:1")


def test_no_other_spelling_of_the_same_bytes_opens() -> None:
    sealed = RING.seal("phone", "+65 9123 4567")
    for letter in set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ ") - {sealed[-1]}:
        with pytest.raises(CryptoError):
            RING.open_sealed("phone", sealed[:-1] + letter)
    with pytest.raises(CryptoError):
        RING.open_sealed("phone", sealed + "=")


@pytest.mark.parametrize("sealed", ["", "v1", "v1.", "v1..", "v2.00000000.AAAA", "v1.00000000.AAAA", "plain text"])
def test_what_was_never_sealed_is_refused(sealed: str) -> None:
    with pytest.raises(CryptoError):
        RING.open_sealed("phone", sealed)


def test_short_sealed_text_of_a_known_key_is_refused() -> None:
    version, key, _ = RING.seal("phone", "x").split(".")
    with pytest.raises(CryptoError):
        RING.open_sealed("phone", f"{version}.{key}.AAAA")


def test_purpose_and_context_must_be_the_same() -> None:
    sealed = RING.seal("phone", "secret", context="user:1")
    with pytest.raises(CryptoError):
        RING.open_sealed("email", sealed, context="user:1")
    with pytest.raises(CryptoError):
        RING.open_sealed("phone", sealed, context="user:2")


def test_rotation_keeps_old_things_open_until_they_are_resealed() -> None:
    before = Keyring.from_secrets(OLD)
    sealed = before.seal("phone", "secret", context="user:1")
    assert before.is_current(sealed)
    assert not RING.is_current(sealed)
    assert RING.open_sealed("phone", sealed, context="user:1") == b"secret"

    renewed = RING.reseal("phone", sealed, context="user:1")
    assert RING.is_current(renewed)
    assert RING.reseal("phone", renewed, context="user:1") == renewed
    after = Keyring.from_secrets(NEW)
    assert after.open_sealed("phone", renewed, context="user:1") == b"secret"
    with pytest.raises(CryptoError, match="no key"):
        after.open_sealed("phone", sealed, context="user:1")


def test_a_signature_holds_for_its_purpose_message_and_keys() -> None:
    signature = Keyring.from_secrets(OLD).sign("link", b"/files/1")
    assert RING.verify("link", b"/files/1", signature), "the previous key still verifies"
    assert RING.sign("link", b"/files/1") != signature, "but signs no more"
    assert not RING.verify("link", b"/files/2", signature)
    assert not RING.verify("mail", b"/files/1", signature)
    assert not Keyring.from_secrets(OTHER).verify("link", b"/files/1", signature)


@pytest.mark.parametrize("signature", ["", "é", "a", "====", "A" * 43, "a b"])
def test_nonsense_is_no_signature(signature: str) -> None:
    assert not RING.verify("link", b"/files/1", signature)


def test_keys_are_derived_by_hkdf_and_sealed_with_aes_256_gcm() -> None:
    """Checked against the primitives themselves, so that stored data stays readable by other programs."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    key = HKDF(SHA256(), 32, None, b"nexuscore/v1/seal/phone").derive(NEW.encode())
    _, _, body = RING.seal("phone", "secret", context="user:1").split(".")
    data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    assert AESGCM(key).decrypt(data[:12], data[12:], b"user:1") == b"secret"


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="32"):
        Keyring.from_secrets("short")
    with pytest.raises(ConfigurationError, match="32"):
        Keyring.from_secrets(NEW, ["short"])


def test_a_token_is_stored_as_its_hash() -> None:
    token = new_token("nxs_")
    assert token.value.startswith("nxs_")
    assert len(token.value) >= len("nxs_") + 43
    assert token.hash == hash_token(token.value) == hashlib.sha256(token.value.encode()).digest()
    assert token.value not in repr(token)
    assert new_token().value != new_token().value


def test_same_compares_text_and_bytes() -> None:
    assert same("é", "é")
    assert same(b"a", "a")
    assert not same("a", "b")
    assert not same("a", "ab")


def test_the_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    secret = load_or_create_secret(data)
    assert load_or_create_secret(data) == secret
    assert len(secret) >= 32
    assert stat.S_IMODE((data / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in data.iterdir()] == ["secret_key"]
    Keyring.from_secrets(secret)


def test_an_open_secret_file_is_closed(tmp_path: Path) -> None:
    secret = load_or_create_secret(tmp_path)
    (tmp_path / "secret_key").chmod(0o644)
    assert load_or_create_secret(tmp_path) == secret
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 40])
def test_a_damaged_secret_file_is_a_configuration_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret_key").write_bytes(content)
    with pytest.raises(ConfigurationError, match="secret_key"):
        load_or_create_secret(tmp_path)


def test_a_folder_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        load_or_create_secret(tmp_path / "data")


def test_who_comes_second_takes_the_secret_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = "f" * 64

    def meanwhile(_: int) -> str:
        (tmp_path / "secret_key").write_text(first)
        return "second" * 10

    monkeypatch.setattr("secrets.token_urlsafe", meanwhile)
    assert load_or_create_secret(tmp_path) == first
    assert load_or_create_secret(tmp_path) == first


def test_processes_that_start_together_share_one_secret(tmp_path: Path) -> None:
    source = Path(crypto.__file__).parents[2]
    program = (
        "import sys, pathlib; from nexuscore.kernel.crypto import load_or_create_secret as load;"
        "sys.stdin.readline(); print(load(pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "data")]
    env = {**os.environ, "PYTHONPATH": str(source)}
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) for _ in range(6)
    ]
    for process in started:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    secrets = {process.communicate()[0].strip() for process in started}
    assert secrets == {load_or_create_secret(tmp_path / "data")}
