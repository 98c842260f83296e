"""What people may do with invoices. What an organisation owes is never issued, changed or settled by itself."""

from nexuscore.kernel.access import Permission

READ = Permission("invoices.read", "See the organisation's invoices.", ("owner", "admin", "member", "viewer"))
MANAGE = Permission(
    "invoices.manage", "Issue, settle and cancel the invoices of all organisations.", ("platform:admin",)
)
REPORT = Permission("invoices.report", "See what was invoiced and the GST that is owed.", ("platform:admin",))

ALL = (READ, MANAGE, REPORT)
