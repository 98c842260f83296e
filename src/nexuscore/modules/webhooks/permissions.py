"""What people may do with webhooks, and which roles may at first."""

from nexuscore.kernel.access import Permission

READ = Permission("webhooks.read", "See endpoints, deliveries and what was sent.", ("owner", "admin"))
MANAGE = Permission("webhooks.manage", "Create and change endpoints, and send again.", ("owner", "admin"))
