"""The mails identity sends. Nothing a stranger typed is in a mail to somebody who did not ask for it."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import Field

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import mail
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.tables import User

Factor = Annotated[Literal["totp", "passkey"], Field(examples=["totp"])]
Zone = Annotated[str, Field(examples=["Asia/Singapore"])]
FOLDER = Path(__file__).parent / "mails"


class Verify(mail.Message, name="identity.verify", subject="Confirm your address for {product}", folder=FOLDER):
    """A link and a code that prove an address."""

    link: mail.Link
    code: str
    hours: int
    minutes: int


class Registered(
    mail.Message, name="identity.registered", subject="You already have an account at {product}", folder=FOLDER
):
    """To the owner of an address somebody tried to register again."""

    sign_in: mail.Link
    reset: mail.Link


class Welcome(mail.Message, name="identity.welcome", subject="Welcome to {product}", folder=FOLDER):
    """The address is confirmed; the account can be used."""

    name: str
    link: mail.Link


class Reset(mail.Message, name="identity.reset", subject="Choose a new password for {product}", folder=FOLDER):
    """A link to choose a new password."""

    link: mail.Link
    minutes: int


class MagicLink(mail.Message, name="identity.magic_link", subject="Sign in to {product}", folder=FOLDER):
    """A link that signs in."""

    link: mail.Link
    minutes: int


class PasswordChanged(
    mail.Message, name="identity.password_changed", subject="Your {product} password was changed", folder=FOLDER
):
    """The password is another one now."""

    at: datetime
    zone: Zone
    device: str
    reset: mail.Link


class NewDevice(mail.Message, name="identity.new_device", subject="New sign-in to {product}", folder=FOLDER):
    """A sign-in from a device that was not seen before."""

    at: datetime
    zone: Zone
    device: str
    place: str
    sessions: mail.Link


class ConfirmEmail(
    mail.Message, name="identity.confirm_email", subject="Confirm your new address for {product}", folder=FOLDER
):
    """To a new address: a link that makes it the account's."""

    link: mail.Link
    hours: int


class EmailChanged(
    mail.Message, name="identity.email_changed", subject="Your {product} address was changed", folder=FOLDER
):
    """To the old address."""

    at: datetime
    zone: Zone
    new: str


class SecondFactorEnabled(
    mail.Message, name="identity.second_factor_enabled", subject="Second factor added at {product}", folder=FOLDER
):
    """Signing in asks for more than a password from now on. No code is ever in a mail."""

    factor: Factor
    name: str
    at: datetime
    zone: Zone
    security: mail.Link


class SecondFactorDisabled(
    mail.Message, name="identity.second_factor_disabled", subject="Second factor removed at {product}", folder=FOLDER
):
    """A second factor is gone."""

    factor: Factor
    name: str
    at: datetime
    zone: Zone
    security: mail.Link


class RecoveryCodeUsed(
    mail.Message, name="identity.recovery_code_used", subject="Recovery code used at {product}", folder=FOLDER
):
    """Somebody signed in with a recovery code."""

    left: int
    at: datetime
    zone: Zone
    security: mail.Link


MESSAGES = mail.Messages(
    Verify,
    Registered,
    Welcome,
    Reset,
    MagicLink,
    PasswordChanged,
    NewDevice,
    ConfirmEmail,
    EmailChanged,
    SecondFactorEnabled,
    SecondFactorDisabled,
    RecoveryCodeUsed,
)


async def post(ctx: Ctx, user: User, message: mail.Message) -> None:
    """Mail a person, in their language, at the address we have of them; never at one that was just typed."""
    if user.email is not None:
        await mail.send(ctx, message, to=user.email, locale=user.locale)


def page(app: App, name: str, **query: str) -> str:
    """The address of a page that mails link to. Made of settings alone: what the request's Host says is nothing."""
    base = app.settings[IdentitySettings].pages_url or f"{app.kernel.public_url}/console"
    return f"{base.rstrip('/')}/{name}" + (f"?{urlencode(query)}" if query else "")


async def tell_owner(ctx: Ctx, user: User) -> None:
    """Tell the owner of an address that somebody wanted to use it for an account."""
    if user.state == "active":
        message = Registered(sign_in=page(ctx.app, "sign-in"), reset=page(ctx.app, "forgot-password"))
        await post(ctx, user, message)


def veiled(email: str) -> str:
    """As much of an address as its owner recognises: `a…@example.com`."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"
