"""What can go wrong when people get in. The texts tell a stranger nothing about who has an account."""

from typing import ClassVar

from nexuscore.kernel.errors import AuthenticationError, AuthorizationError, BusinessLogicError, ConflictError


class InvalidCredentials(AuthenticationError):
    """The password is wrong, or there is no such account, or its address was never verified."""

    code = "invalid_credentials"
    message = "This is not a login name and password we know. If you have just registered, confirm your address first."


class InvalidToken(AuthenticationError):
    """An access or refresh token that was altered, is over, or belongs to a session that is."""

    commits: ClassVar[bool] = True  # a refresh token used twice ends its session for good
    code = "invalid_token"
    message = "Your session is over. Please sign in again."


class AccountSuspended(AuthorizationError):
    """Told only to somebody who proved who they are."""

    code = "account_suspended"
    message = "This account is suspended. Please contact support."


class CsrfFailed(AuthorizationError):
    """A browser's request with the session cookie and without the token that proves which page sent it."""

    code = "csrf_failed"
    message = "This request did not come from our pages. Reload the page and try again."


class SecondFactorInvalid(AuthenticationError):
    """A second factor that is wrong, was used before, or was shown for something else. It counts as a try."""

    commits: ClassVar[bool] = True
    code = "second_factor_invalid"
    message = "This second factor is not right. Please try again."


class PasskeyRefused(AuthenticationError):
    """A passkey nobody has, or one that did not sign what this browser was just asked to sign."""

    code = "passkey_refused"
    message = "This passkey did not work. Please try again, or sign in another way."


class PasskeyNotAdded(BusinessLogicError):
    """What the browser made is not a passkey we can use, or it took too long."""

    code = "passkey_not_added"
    message = "This passkey could not be added. Please try again."


class PasskeysUnavailable(BusinessLogicError):
    """Passkeys are bound to a domain, and this installation is reached by a number."""

    code = "passkeys_unavailable"
    message = "Passkeys need this installation to have a domain name."


class TooManyPasskeys(ConflictError):
    """Nobody has that many devices."""

    code = "too_many_passkeys"
    message = "You have as many passkeys as there may be. Remove one first."


class TotpAlreadyOn(ConflictError):
    """There is an authenticator app already."""

    code = "totp_already_on"
    message = "An authenticator app is set up already. Remove it first."


class TotpOff(ConflictError):
    """There is no authenticator app to confirm or to remove."""

    code = "totp_off"
    message = "There is no authenticator app to confirm or remove. Set one up first."


class SecondFactorOff(ConflictError):
    """Asked for with a passkey that there is not, or recovery codes without anything they stand in for."""

    code = "second_factor_off"
    message = "There is no such second factor on this account. Set one up first."


class SecondFactorRequired(ConflictError):
    """The caller's role needs a second factor, and this is the last one."""

    code = "second_factor_required"
    message = "Your role needs a second factor. Set up another one before you remove this one."


class SecretInvalid(BusinessLogicError):
    """A link or code that was used, is over, was tried too often, or never was."""

    code = "secret_invalid"
    message = "This link or code does not work, or no longer. Please ask for a new one."


class LastWayIn(ConflictError):
    """Without this link or passkey nobody could sign in to the account."""

    code = "last_way_in"
    message = "This is your only way to sign in. Set a password or add a passkey first."


class LastAdmin(ConflictError):
    """The platform would be left without an admin."""

    code = "last_admin"
    message = "This is the last admin of the platform. Make somebody else an admin first."


class AccountExists(ConflictError):
    """Told only to the holder of the bootstrap link."""

    code = "account_exists"
    message = "There is an account with this address. Sign in with it first, then use the link."


class AccountClosed(ConflictError):
    """The account is in a state in which this makes no sense."""

    code = "account_state"
    message = "This is not possible in the state the account is in."
