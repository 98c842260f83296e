"""Access tokens: signed, short-lived, verified without the database. Keys come from the secret key of the app.

To rotate: put the new secret first and the old one into NEXUS_SECRET_KEYS_PREVIOUS; tokens of both hold meanwhile.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nexuscore.kernel import clock
from nexuscore.kernel.app import App
from nexuscore.kernel.crypto import hash_token, load_or_create_secret
from nexuscore.modules.identity.errors import InvalidToken
from nexuscore.modules.identity.memory import Claims, memory
from nexuscore.modules.identity.settings import IdentitySettings

_TYPE = "at+jwt"


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The key that signs, and all that verify, by their id."""

    algorithm: str
    current: str
    by_id: dict[str, Any]


_keys: WeakKeyDictionary[App, SigningKeys] = WeakKeyDictionary()


def signing_keys(app: App) -> SigningKeys:
    """The app's keys for access tokens, derived from its secret keys."""
    found = _keys.get(app)
    if found is None:
        algorithm = app.settings[IdentitySettings].token_algorithm
        current = app.kernel.secret_key
        first = current.get_secret_value() if current else load_or_create_secret(app.kernel.data)
        secrets = [first, *(key.get_secret_value() for key in app.kernel.secret_keys_previous)]
        made = [_key(algorithm, secret) for secret in secrets]
        by_id = {key.kid: key for key in reversed(made)}
        found = _keys[app] = SigningKeys(algorithm, made[0].kid, by_id)
    return found


def _key(algorithm: str, secret: str) -> Any:
    from joserfc.jwk import OctKey, OKPKey  # heavy; needed by the first request that signs in

    info = f"nexuscore/v1/access-token/{algorithm}".encode()
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
    name = HKDF(algorithm=SHA256(), length=8, salt=None, info=info + b"/id").derive(secret.encode()).hex()
    if algorithm == "HS256":
        return OctKey.import_key(seed, {"kid": name, "use": "sig", "alg": algorithm})
    return OKPKey.import_key(_ed25519(seed), {"kid": name, "use": "sig", "alg": algorithm})


def _ed25519(seed: bytes) -> bytes:
    """The seed as PKCS #8 (RFC 8410), the form every library reads."""
    return bytes.fromhex("302e020100300506032b657004220420") + seed


def public_keys(app: App) -> dict[str, Any]:
    """The JWKS of this installation; empty with HS256, whose keys are nobody else's business."""
    keys = signing_keys(app)
    if keys.algorithm == "HS256":
        return {"keys": []}
    return {"keys": [key.as_dict(private=False) for key in keys.by_id.values()]}


def sign_access(app: App, user_id: UUID, session_id: UUID) -> tuple[str, int]:
    """A new access token, and for how many seconds it holds."""
    from joserfc import jwt

    settings = app.settings[IdentitySettings]
    keys = signing_keys(app)
    seconds = settings.access_minutes * 60
    now = int(clock.now().timestamp())
    header = {"alg": keys.algorithm, "typ": _TYPE, "kid": keys.current}
    claims = {
        "iss": app.kernel.public_url,
        "aud": settings.audience,
        "sub": str(user_id),
        "sid": str(session_id),
        "iat": now,
        "exp": now + seconds,
    }
    with _quiet(keys.algorithm):
        return jwt.encode(header, claims, keys.by_id[keys.current], algorithms=[keys.algorithm]), seconds


def read_access(app: App, token: str) -> Claims:
    """What a token says, if we signed it, for us, as an access token, and its time is not over."""
    known = memory(app).tokens
    place = hash_token(token)
    claims = known.get(place) or known.keep(place, _verify(app, token))
    if claims.expires <= clock.seconds():
        raise InvalidToken
    return claims


def _verify(app: App, token: str) -> Claims:
    from joserfc import jwt
    from joserfc.errors import JoseError

    keys = signing_keys(app)
    if len(token) > 2048:
        raise InvalidToken
    try:
        with _quiet(keys.algorithm):
            read = jwt.decode(token, lambda sent: keys.by_id[sent.headers()["kid"]], algorithms=[keys.algorithm])
        header, claims = read.header, read.claims
        if header.get("typ") != _TYPE or claims["iss"] != app.kernel.public_url:
            raise InvalidToken
        if claims["aud"] != app.settings[IdentitySettings].audience:
            raise InvalidToken
        return Claims(UUID(claims["sub"]), UUID(claims["sid"]), float(claims["exp"]))
    except (JoseError, KeyError, TypeError, ValueError, AttributeError):
        raise InvalidToken from None


@contextmanager
def _quiet(algorithm: str) -> Iterator[None]:
    """RFC 9864 renames the algorithm EdDSA to Ed25519; verifiers out there still know it by the old name."""
    if algorithm != "EdDSA":
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="EdDSA is deprecated")
        yield
