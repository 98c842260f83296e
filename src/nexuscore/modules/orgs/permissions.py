"""What people may do with an organisation, and which roles may at first."""

from nexuscore.kernel.access import Permission

READ = Permission("organisation.read", "See the organisation's details.", ("owner", "admin", "member", "viewer"))
CHANGE = Permission("organisation.change", "Change the organisation's details.", ("owner", "admin"))
DELETE = Permission("organisation.delete", "Delete the organisation.", ("owner",))
TRANSFER = Permission("organisation.transfer", "Offer the ownership of the organisation to a member.", ("owner",))
SEE_MEMBERS = Permission(
    "members.read", "See who is in the organisation and what they may do.", ("owner", "admin", "member", "viewer")
)
INVITE = Permission("members.invite", "Invite people, and see and withdraw invitations.", ("owner", "admin"))
MANAGE_MEMBERS = Permission("members.manage", "Change what members may do, and remove them.", ("owner", "admin"))
MANAGE_ROLES = Permission("roles.manage", "Make, change and remove the organisation's own roles.", ("owner", "admin"))

ALL = (READ, CHANGE, DELETE, TRANSFER, SEE_MEMBERS, INVITE, MANAGE_MEMBERS, MANAGE_ROLES)
