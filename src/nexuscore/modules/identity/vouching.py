"""Talking to a provider: where its doors are, trading a code, and believing what it says, checked.

Nothing here looks at accounts. A provider's error never becomes somebody: without a subject there is nobody.
"""

from base64 import b64encode
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import quote_plus

import httpx2

from nexuscore.kernel import sight
from nexuscore.kernel.errors import AuthenticationError, ExternalServiceError
from nexuscore.modules.identity.providers import Provider

_TIMEOUT = 10.0
_REMEMBERED = 3600.0
_LARGEST = 1_000_000
_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA", "RS384", "RS512", "ES384", "ES512"]


class VouchingFailed(AuthenticationError):
    """The provider did not vouch for anybody, or not so that we may believe it. The text tells no more."""

    code = "oauth_failed"
    message = "Signing in with this provider did not work. Please try again, or sign in another way."


class ProviderUnreachable(ExternalServiceError):
    """The provider does not answer."""

    code = "oauth_unreachable"
    message = "The sign-in provider does not answer at the moment. Please try again, or sign in another way."


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a provider vouched for. (issuer, subject) is who they are; the address is only what they can be told at."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str


@dataclass(frozen=True, slots=True)
class Doors:
    """A provider's addresses, and whether its clients send their secret in a header (else in the form)."""

    authorize: str
    token: str
    keys: str = ""
    user: str = ""
    basic: bool = False


_remembered: dict[str, tuple[float, Any]] = {}


async def doors_of(provider: Provider) -> Doors:
    """Where to send people and codes, as the issuer itself says."""
    if provider.is_github:
        base = f"{provider.issuer}/login/oauth"
        return Doors(f"{base}/authorize", f"{base}/access_token")
    found = await _remember(f"{provider.issuer}/.well-known/openid-configuration")
    if str(found.get("issuer", "")).rstrip("/") != provider.issuer:
        raise VouchingFailed
    methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    basic = "client_secret_basic" in methods if provider.client_auth is None else provider.client_auth == "basic"
    try:
        return Doors(
            found["authorization_endpoint"],
            found["token_endpoint"],
            found["jwks_uri"],
            found.get("userinfo_endpoint", ""),
            basic,
        )
    except KeyError:
        raise ProviderUnreachable from None


async def trade(provider: Provider, code: str, verifier: str, redirect_uri: str, nonce: str) -> Vouched:
    """Trade a code for whom the provider vouches for."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "client_id": provider.client_id,
        "code_verifier": verifier,
    }
    headers = {"accept": "application/json"}
    doors = await doors_of(provider)
    if provider.client_secret is not None:
        secret = provider.client_secret.get_secret_value()
        if doors.basic:
            headers["authorization"] = _basic(provider.client_id, secret)
        else:
            form["client_secret"] = secret
    answer = await _ask("POST", doors.token, data=form, headers=headers)
    if answer.status_code != 200:
        raise VouchingFailed
    given = _object(answer)
    if provider.is_github:
        return await _github_user(provider, _text(given, "access_token"))
    claims = await _claims(provider, doors, _text(given, "id_token"), nonce)
    if "email" not in claims and doors.user:
        claims = await _with_user(doors, _text(given, "access_token"), claims)
    return _vouched(provider, claims)


def _basic(client_id: str, secret: str) -> str:
    """Both are encoded as in a form first (RFC 6749, 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {b64encode(pair.encode()).decode()}"


async def _with_user(doors: Doors, token: str, claims: dict[str, Any]) -> dict[str, Any]:
    """The claims with what the issuer keeps out of ID tokens, as it may (OpenID Connect Core, 5.4)."""
    answer = await _ask("GET", doors.user, headers={"authorization": f"Bearer {token}", "accept": "application/json"})
    if answer.status_code != 200:
        return claims
    found = _object(answer)
    if found.get("sub") != claims["sub"]:  # somebody else's, given for this token: 5.3.4
        raise VouchingFailed
    return {**found, **claims}


async def _claims(provider: Provider, doors: Doors, token: str, nonce: str) -> dict[str, Any]:
    """The claims of an ID token: signed by the issuer, for us, for this flow, now."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    required = jwt.JWTClaimsRegistry(
        leeway=60,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": provider.client_id},
        sub={"essential": True},
        exp={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    for again in (False, True):  # a key we do not know yet: the issuer may have a new one
        published: Any = await _remember(doors.keys, anew=again)
        keys = KeySet.import_key_set(published)
        try:
            claims = dict(jwt.decode(token, keys, algorithms=_ALGORITHMS).claims)
            claims["iss"] = str(claims.get("iss", "")).rstrip("/")
            required.validate(claims)
        except (JoseError, ValueError, KeyError):
            if again:
                raise VouchingFailed from None
            continue
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != provider.client_id:
            raise VouchingFailed
        return claims
    raise VouchingFailed


def _vouched(provider: Provider, claims: dict[str, Any]) -> Vouched:
    subject, email = claims.get("sub"), claims.get("email")
    if not isinstance(subject, str) or not subject:
        raise VouchingFailed
    return Vouched(
        provider.issuer,
        subject,
        email if isinstance(email, str) and email else None,
        claims.get("email_verified") is True,
        str(claims.get("name") or ""),
    )


async def _github_user(provider: Provider, token: str) -> Vouched:
    """GitHub's user by number: names there can be given to somebody else."""
    headers = {"authorization": f"Bearer {token}", "accept": "application/vnd.github+json"}
    user = await _ask("GET", f"{provider.api}/user", headers=headers)
    emails = await _ask("GET", f"{provider.api}/user/emails", headers=headers)
    if user.status_code != 200:
        raise VouchingFailed
    found = _object(user)
    number = found.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        raise VouchingFailed
    listed = emails.json() if emails.status_code == 200 else []
    primary = next(
        (e for e in listed if isinstance(e, dict) and e.get("primary") is True and e.get("verified") is True), {}
    )
    email = primary.get("email")
    name = found.get("name") or found.get("login") or ""
    return Vouched(provider.issuer, str(number), email, email is not None, str(name))


async def _remember(url: str, *, anew: bool = False) -> dict[str, Any]:
    known = _remembered.get(url)
    if known is not None and not anew and monotonic() - known[0] < _REMEMBERED:
        return dict(known[1])
    answer = await _ask("GET", url)
    if answer.status_code != 200:
        raise ProviderUnreachable
    found = _object(answer)
    _remembered[url] = (monotonic(), found)
    return found


async def _ask(method: str, url: str, **rest: Any) -> httpx2.Response:
    try:
        with sight.outside("identity_provider") as call:
            async with httpx2.AsyncClient(timeout=_TIMEOUT, trust_env=False, follow_redirects=False) as client:
                answer = await client.request(method, url, **rest)
            call.status = answer.status_code
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ProviderUnreachable from error
    if len(answer.content) > _LARGEST:
        raise ProviderUnreachable
    return answer


def _object(answer: httpx2.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        raise VouchingFailed from None
    if not isinstance(found, dict) or "error" in found:
        raise VouchingFailed
    return found


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise VouchingFailed
    return value
