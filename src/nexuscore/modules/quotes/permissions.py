"""What people may do with quotes."""

from nexuscore.kernel.access import Permission

READ = Permission("quotes.read", "See the quotes the organisation got.", ("owner", "admin", "member", "viewer"))
ACCEPT = Permission("quotes.accept", "Accept quotes for the organisation.", ("owner", "admin"))
MANAGE = Permission("quotes.manage", "Write and send quotes, and publish prices.", ("platform:admin",))

ALL = (READ, ACCEPT, MANAGE)
