"""What an operator may set: who takes the money, and with what key."""

import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from nexuscore.kernel.settings import Environment, Settings

FAKE = "fake"


def _web_address(url: str) -> str:
    if not re.fullmatch(r"https?://[^?#\s@\"'<>]+", url):
        raise ValueError("must look like https://api.stripe.com")
    return url.rstrip("/")


def _secret_key(key: SecretStr) -> SecretStr:
    if not re.fullmatch(r"(sk|rk)_(test|live)_\w+", key.get_secret_value()):
        raise ValueError("must look like sk_live_… or rk_live_…, as Stripe shows it")
    return key


class PaymentSettings(Settings, prefix="payments"):
    """Who takes the money, and with what key."""

    provider: str | None = Field(
        None,
        description="Who takes the money: stripe, fake (a stand-in, never in production), or one a module brings. "
        "Default: stripe when its key is set, else the stand-in outside production.",
    )
    stripe_secret_key: Annotated[SecretStr, AfterValidator(_secret_key)] | None = Field(
        None, description="Stripe's secret or restricted key. Webhooks need NEXUS_INBOX_STRIPE_SECRETS too."
    )
    stripe_publishable_key: str | None = Field(
        None, pattern=r"^pk_(test|live)_\w+$", description="What Stripe.js needs in a browser; part of every intent."
    )
    stripe_api_base: Annotated[str, AfterValidator(_web_address)] = Field(
        "https://api.stripe.com", description="Where Stripe is reached."
    )
    fake_base: Annotated[str, AfterValidator(_web_address)] | None = Field(
        None, description="Where the stand-in is reached. Default: /dev/stripe of NEXUS_PUBLIC_URL."
    )
    timeout_s: float = Field(20, gt=0, le=60, description="How long the provider may take to answer.")
    return_url: Annotated[str, AfterValidator(_web_address)] | None = Field(
        None, description="Where a payer's bank sends them back. Default: NEXUS_PUBLIC_URL."
    )
    abandon_days: int = Field(3, ge=1, le=90, description="After how many days a payment nobody finished is given up.")
    reconcile_days: int = Field(3, ge=1, le=90, description="How far back the daily reconciliation looks.")

    def refusals(self, env: Environment) -> Iterator[tuple[str, str]]:
        """In production no stand-in, no test key, no plain connection."""
        if self.provider == "stripe" and self.stripe_secret_key is None:
            yield "provider", "is stripe, but NEXUS_PAYMENTS_STRIPE_SECRET_KEY is not set"
        if env != "production":
            return
        if self.provider == FAKE or self.fake_base is not None:
            yield "provider" if self.provider == FAKE else "fake_base", "is a stand-in and must not be in production"
        key = self.stripe_secret_key
        if key is not None and "_test_" in key.get_secret_value():
            yield "stripe_secret_key", "is a test key, and this is production"
        if urlsplit(self.stripe_api_base).scheme != "https":
            yield "stripe_api_base", "must start with https:// in production"
