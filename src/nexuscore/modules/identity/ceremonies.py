"""WebAuthn: what a browser is asked, and whether what it answers holds.

The challenge is a single-use secret: the browser signs its token, and the database keeps the token's hash.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from nexuscore.kernel.app import App
from nexuscore.modules.identity.errors import PasskeysUnavailable
from nexuscore.modules.identity.factor_schemas import Credential
from nexuscore.modules.identity.factor_tables import Passkey
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.tables import User


@dataclass(frozen=True, slots=True)
class Party:
    """Whom passkeys are made for: a domain, and the origins whose pages and apps may use them."""

    domain: str
    origins: list[str]


@dataclass(frozen=True, slots=True)
class Made:
    """A new passkey's public half, as its authenticator made it."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    aaguid: UUID
    backed_up: bool
    transports: list[str]
    verified: bool


@dataclass(frozen=True, slots=True)
class Signed:
    """What an authenticator signed and said about it."""

    sign_count: int
    backed_up: bool


async def ready() -> None:
    """Load the library in a thread, the first time: nobody else's request waits for it."""
    if "webauthn" not in sys.modules:
        await asyncio.to_thread(import_module, "webauthn")


def party(app: App) -> Party:
    """From settings alone. A public URL on this machine stands for localhost, which browsers take for a domain."""
    settings, url = app.settings[IdentitySettings], urlsplit(app.kernel.public_url)
    host, port = url.hostname or "", f":{url.port}" if url.port else ""
    domain = settings.passkey_domain or _domain(host)
    origin = f"{url.scheme}://{domain if _is_number(host) else host}{port}"
    return Party(domain, settings.passkey_origins or [origin])


def _domain(host: str) -> str:
    if not _is_number(host):
        return host
    if ip_address(host).is_loopback:
        return "localhost"
    raise PasskeysUnavailable


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def creation_options(app: App, challenge: str, user: User, known: Sequence[Passkey]) -> dict[str, Any]:
    """What to ask for when a passkey is made: one that signs in without a name, and not on a device that has one."""
    from webauthn import generate_registration_options
    from webauthn.helpers import options_to_json_dict
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    name = user.email or user.phone or user.name or str(user.id)
    options = generate_registration_options(
        rp_id=party(app).domain,
        rp_name=app.kernel.title,
        user_id=user.id.bytes,
        user_name=name,
        user_display_name=user.name or name,
        challenge=challenge.encode(),
        timeout=_timeout(app),
        exclude_credentials=_descriptors(known),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
    )
    return options_to_json_dict(options)


def request_options(app: App, challenge: str, known: Sequence[Passkey], *, verify: bool) -> dict[str, Any]:
    """What to ask for when a passkey is shown: one of these, or any; a PIN or a finger only if we are to `verify`."""
    from webauthn import generate_authentication_options
    from webauthn.helpers import options_to_json_dict
    from webauthn.helpers.structs import UserVerificationRequirement

    required, discouraged = UserVerificationRequirement.REQUIRED, UserVerificationRequirement.DISCOURAGED
    options = generate_authentication_options(
        rp_id=party(app).domain,
        challenge=challenge.encode(),
        timeout=_timeout(app),
        allow_credentials=_descriptors(known),
        user_verification=required if verify else discouraged,
    )
    return options_to_json_dict(options)


def challenge_of(given: Credential) -> str | None:
    """The token a browser says it signed; None when it says nothing we would have asked."""
    from webauthn.helpers import base64url_to_bytes, parse_client_data_json

    try:
        client_data = parse_client_data_json(base64url_to_bytes(given.response["clientDataJSON"]))
        return None if client_data.cross_origin else client_data.challenge.decode()
    except Exception:  # noqa: BLE001 - a stranger's bytes, read by a library: whatever it makes of them is a refusal
        return None


def credential_id(given: Credential) -> bytes:
    """Which passkey it claims to be."""
    from webauthn.helpers import base64url_to_bytes

    try:
        return base64url_to_bytes(given.raw_id)
    except ValueError:
        return b""


def made(app: App, given: Credential, challenge: str) -> Made | None:
    """The passkey an authenticator made for this challenge; None when anything about it does not hold."""
    from webauthn import verify_registration_response

    ours = party(app)
    try:
        found = verify_registration_response(
            credential=given.model_dump(),
            expected_challenge=challenge.encode(),
            expected_rp_id=ours.domain,
            expected_origin=ours.origins,
        )
        return Made(
            found.credential_id,
            found.credential_public_key,
            found.sign_count,
            UUID(found.aaguid),
            found.credential_backed_up,
            _transports(given),
            found.user_verified,
        )
    except Exception:  # noqa: BLE001 - as above
        return None


def signed(app: App, given: Credential, challenge: str, passkey: Passkey, *, verify: bool) -> Signed | None:
    """What a passkey signed for this challenge; None when anything about it does not hold."""
    from webauthn import verify_authentication_response
    from webauthn.helpers import parse_authentication_credential_json

    ours = party(app)
    try:
        credential = parse_authentication_credential_json(given.model_dump())
        if credential.response.user_handle not in (None, passkey.user_id.bytes):
            return None
        found = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge.encode(),
            expected_rp_id=ours.domain,
            expected_origin=ours.origins,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # the database compares it, so that of two at once one is first
            require_user_verification=verify,
        )
        return Signed(found.new_sign_count, found.credential_backed_up)
    except Exception:  # noqa: BLE001 - as above
        return None


def _transports(given: Credential) -> list[str]:
    from webauthn.helpers.structs import AuthenticatorTransport

    known = {each.value for each in AuthenticatorTransport}
    said = given.response.get("transports")
    return sorted(known & {each for each in said if isinstance(each, str)}) if isinstance(said, list) else []


def _descriptors(known: Sequence[Passkey]) -> list[Any]:
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    return [
        PublicKeyCredentialDescriptor(
            id=passkey.credential_id, transports=[AuthenticatorTransport(each) for each in passkey.transports] or None
        )
        for passkey in known
    ]


def _timeout(app: App) -> int:
    return app.settings[IdentitySettings].passkey_minutes * 60_000
