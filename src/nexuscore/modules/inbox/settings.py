"""What an operator may set: above all, the providers' secrets."""

import base64
import binascii
from typing import Annotated

from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import AfterValidator, Field, SecretStr

from nexuscore.kernel.settings import CommaList, Settings


def _base64_secret(secret: SecretStr) -> SecretStr:
    try:
        base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("must look like whsec_ and base64") from None
    return secret


def _public_key(key: SecretStr) -> SecretStr:
    try:
        load_der_public_key(base64.b64decode(key.get_secret_value(), validate=True))
    except ValueError:
        raise ValueError("must be a public key as SendGrid shows it, in base64") from None
    return key


class InboxSettings(Settings, prefix="inbox"):
    """The secrets of those who post to `/hooks/…`; several while one is being rotated."""

    stripe_secrets: CommaList[SecretStr] = Field(default_factory=list, description="Signing secrets of /hooks/stripe.")
    standard_secrets: CommaList[Annotated[SecretStr, AfterValidator(_base64_secret)]] = Field(
        default_factory=list, description="Secrets (whsec_…) of /hooks/standard, for Standard Webhooks."
    )
    github_secrets: CommaList[SecretStr] = Field(default_factory=list, description="Secrets of /hooks/github.")
    sendgrid_keys: CommaList[Annotated[SecretStr, AfterValidator(_public_key)]] = Field(
        default_factory=list, description="Verification keys of /hooks/sendgrid."
    )
    telegram_secrets: CommaList[SecretStr] = Field(
        default_factory=list, description="Secret tokens of /hooks/telegram."
    )
    generic_secrets: CommaList[SecretStr] = Field(default_factory=list, description="Secrets of /hooks/generic.")
    max_body_bytes: int = Field(2_097_152, ge=1024, description="The largest event that is accepted.")
    keep_days: int = Field(30, ge=1, description="How long processed events are kept.")
    remember_days: int = Field(180, ge=30, description="How long the ids of events are remembered.")
