"""Facts about people and how they get in. The log adds who, from which address, and when."""

from uuid import UUID

from nexuscore.kernel.events import Event


class UserRegistered(Event, type="user.registered", subject="user_id"):
    """An account was made."""

    user_id: UUID


class EmailVerified(Event, type="user.email_verified", subject="user_id"):
    """Somebody proved that an address is theirs."""

    user_id: UUID


class UserChanged(Event, type="user.changed", subject="user_id"):
    """Some fields of an account were changed by its owner."""

    user_id: UUID
    fields: list[str]


class SignedIn(Event, type="user.signed_in", subject="user_id"):
    """A session began."""

    user_id: UUID
    session_id: UUID
    factors: list[str]
    device: str
    country: str | None
    new_device: bool


class SignInFailed(Event, type="user.sign_in_failed", subject="user_id", public=False):
    """Somebody could not sign in. `account` is the same for the same login name, known or not."""

    user_id: UUID | None
    account: str
    reason: str
    device: str


class SignInChallenged(Event, type="user.sign_in_challenged", subject="user_id", public=False):
    """The first factor was right; a second one was asked for."""

    user_id: UUID
    factors: list[str]
    device: str


class SignedOut(Event, type="user.signed_out", subject="user_id"):
    """A session was ended by its owner."""

    user_id: UUID
    session_id: UUID


class SessionRevoked(Event, type="user.session_revoked", subject="user_id"):
    """A session was ended by something else than signing out of it."""

    user_id: UUID
    session_id: UUID
    reason: str


class Reauthenticated(Event, type="user.reauthenticated", subject="user_id", public=False):
    """Somebody who was signed in proved again who they are."""

    user_id: UUID
    session_id: UUID
    factor: str


class SecondFactorEnabled(Event, type="user.second_factor_enabled", subject="user_id"):
    """Signing in asks for a second factor of this kind from now on: "totp" or "passkey"."""

    user_id: UUID
    factor: str


class SecondFactorDisabled(Event, type="user.second_factor_disabled", subject="user_id"):
    """A kind of second factor was removed, with the last passkey or the authenticator app."""

    user_id: UUID
    factor: str


class RecoveryCodesMade(Event, type="user.recovery_codes_made", subject="user_id"):
    """Somebody was shown new recovery codes; the ones before are dead."""

    user_id: UUID


class RecoveryCodeUsed(Event, type="user.recovery_code_used", subject="user_id"):
    """A recovery code stood in for a second factor; so many are left."""

    user_id: UUID
    left: int


class PasskeyAdded(Event, type="user.passkey_added", subject="user_id"):
    """A passkey was registered."""

    user_id: UUID
    passkey_id: UUID


class PasskeyRemoved(Event, type="user.passkey_removed", subject="user_id"):
    """A passkey was removed."""

    user_id: UUID
    passkey_id: UUID


class PasskeySuspected(Event, type="user.passkey_suspected", subject="user_id"):
    """A passkey's counter went back: somebody may have a copy of it. It was refused."""

    user_id: UUID
    passkey_id: UUID
    known: int
    shown: int


class PasswordChanged(Event, type="user.password_changed", subject="user_id"):
    """A password was set: `by` is "owner" or "reset"."""

    user_id: UUID
    by: str


class PasswordResetRequested(Event, type="user.password_reset_requested", subject="user_id"):
    """A link to reset the password was mailed."""

    user_id: UUID


class EmailChangeRequested(Event, type="user.email_change_requested", subject="user_id"):
    """Somebody wants to use another address, which has yet to be confirmed."""

    user_id: UUID


class EmailChanged(Event, type="user.email_changed", subject="user_id"):
    """The address was changed; what was mailed to the old one is dead."""

    user_id: UUID


class AccountSuspended(Event, type="user.suspended", subject="user_id"):
    """The platform closed an account for now."""

    user_id: UUID
    reason: str


class AccountRestored(Event, type="user.restored", subject="user_id"):
    """A suspended account was opened again."""

    user_id: UUID


class AccountDeactivated(Event, type="user.deactivated", subject="user_id"):
    """An account was closed by its owner; nobody can sign in to it."""

    user_id: UUID


class AccountDeleted(Event, type="user.deleted", subject="user_id"):
    """The personal data of a closed account is gone."""

    user_id: UUID


class ProviderLinked(Event, type="user.provider_linked", subject="user_id"):
    """An account at a provider may sign somebody in from now on."""

    user_id: UUID
    provider: str


class ProviderUnlinked(Event, type="user.provider_unlinked", subject="user_id"):
    """It may not any more."""

    user_id: UUID
    provider: str


class ApiKeyCreated(Event, type="api_key.created", subject="key_id"):
    """A key was made; for an organisation when there is no person."""

    key_id: UUID
    user_id: UUID | None
    scopes: list[str]


class ApiKeyRevoked(Event, type="api_key.revoked", subject="key_id"):
    """A key was ended."""

    key_id: UUID
    user_id: UUID | None


class InviteCodeCreated(Event, type="invite_code.created", subject="code_id", public=False):
    """A code was made that raises to a platform role."""

    code_id: UUID
    role: str
    uses: int


class InviteCodeRevoked(Event, type="invite_code.revoked", subject="code_id", public=False):
    """What was left of a code was taken back."""

    code_id: UUID


class InviteCodeUsed(Event, type="invite_code.used", subject="user_id"):
    """Somebody redeemed a code. `role` is what it stands for, whether or not it raised them."""

    user_id: UUID
    code_id: UUID
    role: str
    label: str


class Unlocked(Event, type="user.unlocked", subject="user_id"):
    """Somebody knew the unlock code."""

    user_id: UUID


class PhoneVerified(Event, type="user.phone_verified", subject="user_id"):
    """Somebody proved that a number is theirs."""

    user_id: UUID


class PlatformRoleChanged(Event, type="user.platform_role_changed", subject="user_id"):
    """Somebody's role on the platform is another one now."""

    user_id: UUID
    before: str
    after: str
