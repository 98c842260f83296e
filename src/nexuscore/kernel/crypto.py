"""Secrets: sealed text for columns, signatures, tokens that are stored only as hashes.

A keyring is made of one current secret and any number of previous ones. New things use the current; old things still
open, until they are resealed. Every purpose gets its own key, so what was sealed for one cannot be opened for another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nexuscore.kernel.errors import ConfigurationError, NexusError

_VERSION = "v1"
_NONCE = 12
_SHORTEST_SECRET = 32


class CryptoError(NexusError):
    """A sealed text was altered, belongs elsewhere, or its key is gone."""

    title = "Sealed data unreadable"
    code = "sealed_data_unreadable"


class _Key:
    """One secret, and the keys derived from it so far."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._ciphers: dict[str, AESGCM] = {}
        self._signers: dict[str, bytes] = {}
        self.id = self._derive("id", "")[:4].hex()

    def cipher(self, purpose: str) -> AESGCM:
        if purpose not in self._ciphers:
            self._ciphers[purpose] = AESGCM(self._derive("seal", purpose))
        return self._ciphers[purpose]

    def signature(self, purpose: str, message: bytes) -> bytes:
        if purpose not in self._signers:
            self._signers[purpose] = self._derive("sign", purpose)
        return hmac.digest(self._signers[purpose], message, "sha256")

    def _derive(self, use: str, purpose: str) -> bytes:
        info = f"nexuscore/{_VERSION}/{use}/{purpose}".encode()
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._secret)


class Keyring:
    """Seals and signs with the current secret, opens and verifies with that and the previous ones."""

    def __init__(self, keys: Sequence[_Key]) -> None:
        self._current = keys[0]
        self._keys = {key.id: key for key in reversed(keys)}

    @classmethod
    def from_secrets(cls, current: str, previous: Sequence[str] = ()) -> Keyring:
        """A keyring; every secret has at least 32 characters, best random ones."""
        if any(len(secret) < _SHORTEST_SECRET for secret in (current, *previous)):
            raise ConfigurationError(f"A secret key has at least {_SHORTEST_SECRET} characters.")
        return cls([_Key(secret) for secret in (current, *previous)])

    def seal(self, purpose: str, plain: bytes | str, *, context: str = "") -> str:
        """Encrypt and authenticate, as text for a column. The same purpose and context are needed to open it;
        a context such as the row's id keeps a sealed value from being moved to another row."""
        nonce = os.urandom(_NONCE)
        data = plain.encode() if isinstance(plain, str) else plain
        sealed = self._current.cipher(purpose).encrypt(nonce, data, context.encode())
        return f"{_VERSION}.{self._current.id}.{_to_text(nonce + sealed)}"

    def open_sealed(self, purpose: str, sealed: str, *, context: str = "") -> bytes:
        """What was sealed. CryptoError when it was altered, sealed for something else, or its key is gone."""
        version, _, rest = sealed.partition(".")
        key_id, _, body = rest.partition(".")
        key = self._keys.get(key_id)
        if version != _VERSION or key is None:
            raise CryptoError("There is no key {key} to open this sealed text with.", key=key_id)
        try:
            data = _from_text(body)
            return key.cipher(purpose).decrypt(data[:_NONCE], data[_NONCE:], context.encode())
        except (InvalidTag, ValueError) as error:
            raise CryptoError("This sealed text was altered or sealed for something else.") from error

    def reseal(self, purpose: str, sealed: str, *, context: str = "") -> str:
        """The same secret under the current key; unchanged when it is already."""
        if self.is_current(sealed):
            return sealed
        return self.seal(purpose, self.open_sealed(purpose, sealed, context=context), context=context)

    def is_current(self, sealed: str) -> bool:
        """Whether a sealed text uses the current key and form."""
        return sealed.startswith(f"{_VERSION}.{self._current.id}.")

    def sign(self, purpose: str, message: bytes) -> str:
        """A signature (HMAC-SHA256) with the current key, as URL-safe text."""
        return _to_text(self._current.signature(purpose, message))

    def verify(self, purpose: str, message: bytes, signature: str) -> bool:
        """Whether the current or a previous key signed exactly this for this purpose."""
        try:
            given = _from_text(signature)
        except ValueError:
            return False
        return any(hmac.compare_digest(key.signature(purpose, message), given) for key in self._keys.values())


@dataclass(frozen=True, slots=True)
class Token:
    """A secret handed out once. Give `value` away, store `hash`."""

    value: str = field(repr=False)
    hash: bytes = field(repr=False)


def new_token(prefix: str = "", nbytes: int = 32) -> Token:
    """A new random token, its value starting with `prefix`."""
    value = prefix + secrets.token_urlsafe(nbytes)
    return Token(value, hash_token(value))


def hash_token(value: str) -> bytes:
    """What is stored of a token: SHA-256, enough because tokens are random and long. Not for passwords."""
    return hashlib.sha256(value.encode()).digest()


def same(a: bytes | str, b: bytes | str) -> bool:
    """Equality in a time that tells nothing about where the two differ."""
    left = a.encode() if isinstance(a, str) else a
    right = b.encode() if isinstance(b, str) else b
    return hmac.compare_digest(left, right)


def load_or_create_secret(data: Path) -> str:
    """The secret kept in `<data>/secret_key`, made on first use, readable by its owner only.
    Processes that start together get the same one."""
    path = data / "secret_key"
    try:
        data.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create_once(path, secrets.token_urlsafe(48))
        path.chmod(0o600)
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("The secret key {path} cannot be used: {error}", path=path, error=error) from error
    if len(secret) < _SHORTEST_SECRET:
        raise ConfigurationError("The secret key in {path} is too short; restore it or delete the file.", path=path)
    return secret


def _create_once(path: Path, secret: str) -> None:
    """Write a complete file under a name of our own, then give it its name unless another process was first."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_text(text: str) -> bytes:
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _to_text(data) != text:
        raise ValueError("not the text this data is written as")
    return data
