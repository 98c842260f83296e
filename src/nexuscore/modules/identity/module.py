"""The manifest: all that identity adds to an app."""

from nexuscore.kernel.module import Module, Slot
from nexuscore.modules.identity import (
    accounts,
    events,
    factor_tables,
    jobs,
    passwords,
    permissions,
    profile,
    routes,
    tables,
)
from nexuscore.modules.identity.authenticator import SignedInPeople
from nexuscore.modules.identity.bootstrap import BootstrapGreeting
from nexuscore.modules.identity.commands import commands
from nexuscore.modules.identity.mails import MESSAGES
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.slots import Memberships, SmsSender

module = Module(
    name="identity",
    package=__package__,
    needs=("mail",),
    settings=(IdentitySettings,),
    tables=(
        tables.User,
        tables.Session,
        tables.RefreshToken,
        tables.Secret,
        tables.AttemptCount,
        tables.Milestone,
        factor_tables.TotpSecret,
        factor_tables.RecoveryCode,
        factor_tables.Passkey,
    ),
    events=(
        events.UserRegistered,
        events.EmailVerified,
        events.UserChanged,
        events.SignedIn,
        events.SignInFailed,
        events.SignInChallenged,
        events.SignedOut,
        events.SessionRevoked,
        events.Reauthenticated,
        events.PasswordChanged,
        events.PasswordResetRequested,
        events.EmailChangeRequested,
        events.EmailChanged,
        events.AccountSuspended,
        events.AccountRestored,
        events.AccountDeactivated,
        events.AccountDeleted,
        events.PlatformRoleChanged,
    ),
    permissions=(permissions.SEE_USERS, permissions.SUSPEND_USERS, permissions.CHANGE_ROLES),
    slots=(Slot(Memberships, single=True), Slot(SmsSender, single=True)),
    contributes=(SignedInPeople(), BootstrapGreeting(), MESSAGES),
    routes=(routes.auth, routes.me, routes.users, routes.well_known),
    workers=(accounts.send_verification, passwords.send_reset, profile.start_email_change),
    schedules=(jobs.sweep,),
    commands=commands,
)
