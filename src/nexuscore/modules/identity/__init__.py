"""People and how they get in: accounts, sessions, tokens, single-use secrets.

Others may call the verbs re-exported here, fill the slots, and listen to what `events` announces.
"""

from nexuscore.kernel.access import require_fresh
from nexuscore.modules.identity.directory import user, user_by_email, users, users_called
from nexuscore.modules.identity.emails import normalise_email
from nexuscore.modules.identity.mails import page
from nexuscore.modules.identity.memory import forget_grants
from nexuscore.modules.identity.roles import permissions_of
from nexuscore.modules.identity.sessions import revoke_sessions, switch_org
from nexuscore.modules.identity.slots import Grants, Memberships, SmsSender
from nexuscore.modules.identity.tables import User

__all__ = [
    "Grants",
    "Memberships",
    "SmsSender",
    "User",
    "forget_grants",
    "normalise_email",
    "page",
    "permissions_of",
    "require_fresh",
    "revoke_sessions",
    "switch_org",
    "user",
    "user_by_email",
    "users",
    "users_called",
]
