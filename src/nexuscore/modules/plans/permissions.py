"""What people may do with plans and subscriptions, and which roles may at first."""

from nexuscore.kernel.access import Permission

READ = Permission(
    "subscriptions.read", "See the organisation's subscription and limits.", ("owner", "admin", "member", "viewer")
)
MANAGE = Permission("subscriptions.manage", "Subscribe, change plans, pause and cancel.", ("owner", "admin"))
CATALOGUE = Permission("plans.manage", "Add plans to the catalogue and change them.", ("platform:admin",))

ALL = (READ, MANAGE, CATALOGUE)
