"""What people may do with usage, and which roles may at first."""

from nexuscore.kernel.access import Permission

READ = Permission("usage.read", "See what the organisation has used and what it cost.", ("owner", "admin"))
READ_OWN = Permission("usage.read_own", "See what one has used oneself.", ("owner", "admin", "member"))
CAP = Permission("usage.cap", "Set how much may be spent in a day and in a month.", ("owner", "admin"))
BUY = Permission("usage.buy", "Buy credits for the organisation.", ("owner", "admin"))
GRANT = Permission(
    "usage.grant", "Give organisations credits, and say whether they pay afterwards.", ("platform:admin",)
)

ALL = (READ, READ_OWN, CAP, BUY, GRANT)
