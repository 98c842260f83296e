"""What identity may be told by its settings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from nexuscore.kernel.settings import Environment, Settings


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

    password_rule: Literal["classes", "nist"] = Field(
        "classes",
        description="classes: 12 characters of all four kinds. nist: 15 characters (8 with a second factor), any kind.",
    )
    argon2_memory_kib: int = Field(19_456, ge=8, description="Memory per password hash (Argon2id), in KiB.")
    argon2_passes: int = Field(2, ge=1, description="Passes over that memory.")
    argon2_lanes: int = Field(1, ge=1, description="Lanes of that memory.")
    hash_threads: int = Field(2, ge=1, le=64, description="Passwords hashed at the same time, per process.")
    hash_waiting: int = Field(100, ge=1, description="Passwords that may wait for a thread before we answer 503.")
    failure_floor_ms: int = Field(
        0, ge=0, le=2_000, description="A failed sign-in answers no sooner; raise it above old bcrypt hashes' time."
    )

    sign_in_per_minute: int = Field(5, ge=1, description="Sign-ins tried per minute, per account and per address.")
    sign_in_failures_per_day: int = Field(100, ge=1, description="Failed sign-ins per account and day, at most.")
    register_per_hour: int = Field(20, ge=1, description="Registrations per hour, per address.")
    mails_per_hour: int = Field(5, ge=1, description="Mails with links or codes per hour, per mailbox.")
    requests_per_hour: int = Field(60, ge=1, description="Such mails asked for per hour, per address.")
    codes_per_minute: int = Field(10, ge=1, description="Codes and tokens tried per minute, per address.")
    meter_per_minute: int = Field(60, ge=1, description="Passwords judged by the meter per minute, per address.")

    pages_url: str | None = Field(
        None, description="Where the pages that mailed links open live. Without it: /console of this installation."
    )
    default_time_zone: str = Field("Asia/Singapore", description="The time zone of people who did not choose one.")
    geoip_file: Path | None = Field(
        None, description="A MaxMind country database (.mmdb), to show from which country a session came."
    )

    def refusals(self, env: Environment) -> Iterator[tuple[str, str]]:
        """In production, hashes must cost something."""
        if env == "production" and self.argon2_memory_kib < 7_168:
            yield "argon2_memory_kib", "is too little to protect passwords; use 19456 or more"
