"""What people may do with other people's accounts, and which platform roles may."""

from nexuscore.kernel.access import Permission

SEE_USERS = Permission("identity.users.read", "See everybody's accounts.", ("platform:admin", "platform:moderator"))
SUSPEND_USERS = Permission("identity.users.suspend", "Suspend accounts and restore them.", ("platform:admin",))
MANAGE_ORG_KEYS = Permission("api_keys.manage", "Make and revoke the organisation's API keys.", ("owner", "admin"))
MANAGE_INVITES = Permission(
    "invite_codes.manage", "Make and revoke codes that raise people to a platform role.", ("platform:admin",)
)
CHANGE_ROLES = Permission("identity.roles.change", "Give and take platform roles.", ("platform:admin",))
