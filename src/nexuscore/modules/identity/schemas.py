"""What goes over the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints

from nexuscore.kernel.http import Schema
from nexuscore.kernel.i18n import LANGUAGES, language_of

_LONGEST_PASSWORD = 1024  # longer than the policy takes, so that it can say so


def _known_zone(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError("This is not a time zone such as Asia/Singapore.")
    return zone


def _known_locale(locale: str) -> str:
    if locale.split("-", 1)[0] not in LANGUAGES or language_of(locale) != locale.split("-", 1)[0]:
        raise ValueError("We do not speak this language yet.")
    return locale


Email = Annotated[str, StringConstraints(min_length=3, max_length=320)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST_PASSWORD)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Code = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9]{4,8}$")]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z]{2})?$"), AfterValidator(_known_locale)]
Carrier = Annotated[
    Literal["token", "cookie"],
    Field(description="What carries the session: tokens for a program, a cookie for a browser."),
]


class NewAccount(Schema):
    """Somebody who wants an account."""

    email: Email
    password: Password
    name: Name
    company: Line = ""
    locale: Locale | None = None
    time_zone: TimeZone | None = None


class Registration(Schema):
    """The same answer whoever registers, and whether or not there is an account already."""

    registration: UUID = Field(description="Send it with the mailed code, or to have the mail sent again.")
    expires_in: int = Field(description="For how many seconds the mailed link works.")


class RegistrationAgain(Schema):
    """Whose mail to send once more."""

    registration: UUID


class EmailProof(Schema):
    """The mailed link's token, or the mailed code with its registration."""

    token: Token | None = None
    registration: UUID | None = None
    code: Code | None = None


class Credentials(Schema):
    """A login name and its password."""

    email: Email
    password: Password
    session: Carrier = "token"


class SignedInOut(Schema):
    """A session that began or went on. Programs get tokens; browsers a cookie, and the token their pages must show."""

    status: Literal["signed_in"] = "signed_in"
    user_id: UUID
    session_id: UUID
    token_type: Literal["Bearer"] | None = None
    access_token: str | None = None
    expires_in: int | None = None
    refresh_token: str | None = None
    csrf_token: str | None = None


class ChallengeOut(Schema):
    """The first factor was right; the session begins when the challenge is met."""

    status: Literal["second_factor_needed"] = "second_factor_needed"
    challenge: UUID
    factors: list[str]
    expires_in: int


class Refresh(Schema):
    """The refresh token of a session."""

    refresh_token: Token


class PasswordProof(Schema):
    """The caller's password, once more."""

    password: Password


class PasswordChange(Schema):
    """The old password and the new one."""

    current: Password
    new: Password


class Forgotten(Schema):
    """Whose password was forgotten."""

    email: Email


class PasswordReset(Schema):
    """The mailed link's token, and the password from now on."""

    token: Token
    password: Password


class PasswordToJudge(Schema):
    """A password somebody is about to choose, and what it should not contain."""

    password: Password
    email: Annotated[str, StringConstraints(max_length=320)] | None = None
    name: Annotated[str, StringConstraints(max_length=255)] | None = None


class PasswordJudged(Schema):
    """How strong it is, and whether the policy takes it."""

    score: int = Field(ge=0, le=4)
    label: Literal["weak", "fair", "good", "strong", "very_strong"]
    percent: int
    warning: str | None
    suggestions: list[str]
    acceptable: bool
    faults: list[dict[str, Any]]


class SessionOut(Schema):
    """One of the caller's sessions."""

    id: UUID
    device: str
    agent: str
    ip: str | None
    country: str | None
    factors: list[str]
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    current: bool


class Me(Schema):
    """The caller's own account."""

    id: UUID
    email: str | None
    email_verified_at: datetime | None
    phone: str | None
    phone_verified_at: datetime | None
    telegram_id: int | None
    name: str
    company: str
    locale: str
    time_zone: str
    preferences: dict[str, Any]
    state: str
    platform_role: str
    has_password: bool
    created_at: datetime
    last_sign_in_at: datetime | None


class MeChange(Schema):
    """What to change; what is left out stays. `preferences` are merged, null removes one."""

    name: Name | None = None
    company: Line | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    preferences: dict[Annotated[str, StringConstraints(max_length=64)], Any] | None = Field(None, max_length=100)


class NewEmail(Schema):
    """The address the caller wants to use from now on."""

    email: Email


class MailToken(Schema):
    """The mailed link's token."""

    token: Token


class UserOut(Schema):
    """Somebody's account, as the platform's people see it."""

    id: UUID
    email: str | None
    email_verified_at: datetime | None
    phone: str | None
    telegram_id: int | None
    name: str
    company: str
    locale: str
    time_zone: str
    state: str
    state_reason: str | None
    platform_role: str
    created_at: datetime
    last_sign_in_at: datetime | None


class Suspension(Schema):
    """Why an account is closed for now."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class RoleChange(Schema):
    """The platform role from now on."""

    role: Literal["admin", "moderator", "user", "guest"]


class Bootstrap(Schema):
    """The token `nexus serve` printed. Signed in, it makes the caller an admin; else it makes an admin's account."""

    token: Token
    email: Email | None = None
    name: Name | None = None
    password: Password | None = None
