"""The manifest: all that identity adds to an app."""

from nexuscore.kernel.module import Module, Slot
from nexuscore.modules.identity import (
    account_pages,
    accounts,
    events,
    factor_routes,
    factor_tables,
    jobs,
    oauth_routes,
    oauth_tables,
    pages,
    passwords,
    people_pages,
    permissions,
    profile,
    routes,
    tables,
    way_routes,
    way_tables,
)
from nexuscore.modules.identity.around import Me
from nexuscore.modules.identity.authenticator import SignedInPeople
from nexuscore.modules.identity.bootstrap import BootstrapGreeting
from nexuscore.modules.identity.commands import commands
from nexuscore.modules.identity.finding import AccountFinder
from nexuscore.modules.identity.magic_links import send_magic_link
from nexuscore.modules.identity.mails import MESSAGES
from nexuscore.modules.identity.phone_codes import send_phone_code
from nexuscore.modules.identity.seeds import PeopleSeed
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.slots import Memberships, SmsSender
from nexuscore.modules.identity.texts import send_text

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
        *way_tables.ALL,
        oauth_tables.LinkedAccount,
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
        events.SecondFactorEnabled,
        events.SecondFactorDisabled,
        events.RecoveryCodesMade,
        events.RecoveryCodeUsed,
        events.PasskeyAdded,
        events.PasskeyRemoved,
        events.PasskeySuspected,
        events.PasswordChanged,
        events.PasswordResetRequested,
        events.EmailChangeRequested,
        events.EmailChanged,
        events.AccountSuspended,
        events.AccountRestored,
        events.AccountDeactivated,
        events.AccountDeleted,
        events.PlatformRoleChanged,
        events.ProviderLinked,
        events.ProviderUnlinked,
        events.ApiKeyCreated,
        events.ApiKeyRevoked,
        events.InviteCodeCreated,
        events.InviteCodeRevoked,
        events.InviteCodeUsed,
        events.Unlocked,
        events.PhoneVerified,
    ),
    permissions=(
        permissions.SEE_USERS,
        permissions.SUSPEND_USERS,
        permissions.CHANGE_ROLES,
        permissions.MANAGE_ORG_KEYS,
        permissions.MANAGE_INVITES,
    ),
    slots=(Slot(Memberships, single=True), Slot(SmsSender, single=True)),
    contributes=(PeopleSeed(), SignedInPeople(), BootstrapGreeting(), MESSAGES, Me(), AccountFinder()),
    routes=(
        routes.auth,
        routes.me,
        factor_routes.auth,
        factor_routes.me,
        routes.users,
        routes.well_known,
        *way_routes.ALL,
        *oauth_routes.ALL,
    ),
    pages=(pages.door, account_pages.mine, people_pages.platform),
    workers=(
        accounts.send_verification,
        passwords.send_reset,
        profile.start_email_change,
        send_magic_link,
        send_phone_code,
        send_text,
    ),
    schedules=(jobs.sweep,),
    commands=commands,
)
