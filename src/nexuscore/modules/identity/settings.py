"""What identity may be told by its settings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from nexuscore.kernel.settings import CommaList, Environment, Settings
from nexuscore.modules.identity.providers import valid_providers


class IdentitySettings(Settings, prefix="identity"):
    """How people get in, and for how long."""

    access_minutes: int = Field(15, ge=1, le=1440, description="How long an access token is valid.")
    refresh_days: int = Field(30, ge=1, le=365, description="How long a session lives without being used.")
    token_algorithm: Literal["HS256", "EdDSA"] = Field(
        "HS256", description="How access tokens are signed; with EdDSA others can verify them by our JWKS."
    )
    audience: str = Field("nexus", min_length=1, description="The `aud` of access tokens: who they are for.")
    state_cache_s: float = Field(
        3, ge=0, le=4, description="How long a process may go on with what it knows of a session, in seconds."
    )
    sudo_minutes: int = Field(10, ge=1, le=60, description="How long proving oneself again counts.")

    verification_hours: int = Field(24, ge=1, le=168, description="How long a link that confirms an address works.")
    reset_minutes: int = Field(60, ge=5, le=1440, description="How long a link that resets a password works.")
    magic_link_minutes: int = Field(15, ge=1, le=60, description="How long a link that signs in works.")
    bootstrap_minutes: int = Field(30, ge=1, le=120, description="How long the link for the first admin works.")
    challenge_minutes: int = Field(10, ge=1, le=30, description="How long a sign-in waits for its second factor.")
    code_digits: int = Field(6, ge=4, le=8, description="How many digits a code has.")
    code_minutes: int = Field(10, ge=1, le=60, description="How long a code works.")
    code_tries: int = Field(3, ge=1, le=10, description="How often a code may be tried.")

    second_factor_tries: int = Field(5, ge=1, le=10, description="How often a sign-in may try its second factor.")
    second_factor_tries_per_day: int = Field(
        30, ge=1, description="How often somebody's second factor may be tried per day without being right once."
    )
    require_second_factor_for_admins: bool = Field(
        False, description="Admins of the platform act as one only in sessions that showed a second factor."
    )
    passkey_minutes: int = Field(5, ge=1, le=10, description="How long a browser may take to ask for a passkey.")
    passkey_domain: str | None = Field(
        None,
        pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$",
        description="The domain passkeys are bound to, and it cannot change later. Without it: the public URL's host.",
    )
    passkey_origins: CommaList[str] = Field(
        default_factory=list,
        description="Where passkeys may be used: https://… of pages, android:apk-key-hash:… of apps. Without it: the"
        " public URL.",
    )

    password_rule: Literal["classes", "nist"] = Field(
        "classes",
        description="classes: 12 characters of all four kinds. nist: 15 characters (8 with a second factor), any kind.",
    )
    argon2_memory_kib: int = Field(65_536, ge=8, description="Memory per password hash (Argon2id), in KiB.")
    argon2_passes: int = Field(3, ge=1, description="Passes over that memory.")
    argon2_lanes: int = Field(1, ge=1, description="Lanes of that memory.")
    hash_threads: int = Field(2, ge=1, le=64, description="Passwords hashed at the same time, per process.")
    hash_waiting: int = Field(100, ge=1, description="Passwords that may wait for a thread before we answer 503.")
    failure_floor_ms: int = Field(
        0, ge=0, le=2_000, description="A failed sign-in answers no sooner; raise it above old bcrypt hashes' time."
    )

    sign_in_per_minute: int = Field(
        5, ge=1, description="Sign-ins tried per minute and account; an address has the limit sign_in."
    )
    sign_in_failures_per_day: int = Field(100, ge=1, description="Failed sign-ins per account and day, at most.")
    mails_per_hour: int = Field(5, ge=1, description="Mails with links or codes per hour, per mailbox.")

    providers: Annotated[SecretStr | None, AfterValidator(valid_providers)] = Field(
        None,
        description="Providers to sign in with, as a JSON list of name, client_id, client_secret, and issuer for any"
        " but google and github.",
    )
    provider_sign_up: bool = Field(True, description="Whether somebody a provider vouches for gets an account.")
    phone_sign_up: bool = Field(False, description="Whether a number without an account may make one by its code.")
    phone_resend_s: int = Field(60, ge=10, description="How long a number waits for its next code, in seconds.")
    phone_codes_per_hour: int = Field(5, ge=1, description="Codes sent per hour, per number.")
    phone_region: str = Field("SG", pattern="^[A-Z]{2}$", description="The country of numbers written without one.")
    unlock_code: SecretStr | None = Field(
        None, description="With it, new accounts begin as guests, and whoever knows this code becomes a user."
    )

    pages_url: str | None = Field(
        None, description="Where the pages that mailed links open live. Without it: /console of this installation."
    )
    default_time_zone: str = Field("Asia/Singapore", description="The time zone of people who did not choose one.")
    geoip_file: Path | None = Field(
        None, description="A MaxMind country database (.mmdb), to show from which country a session came."
    )

    def refusals(self, env: Environment) -> Iterator[tuple[str, str]]:
        """In production, hashes must cost something; and browsers take passkeys only on pages of their domain."""
        if env == "production" and self.argon2_memory_kib < 7_168:
            yield "argon2_memory_kib", "is too little to protect passwords; use 19456 or more"
        for origin in self.passkey_origins:
            host = urlsplit(origin).hostname or ""
            if self.passkey_domain and host and not f".{host}".endswith(f".{self.passkey_domain}"):
                yield "passkey_origins", f"names {origin}, which is not in {self.passkey_domain}"
