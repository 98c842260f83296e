"""What people may do with payments."""

from nexuscore.kernel.access import Permission

READ = Permission("payments.read", "See payments, refunds and saved cards.", ("owner", "admin", "member", "viewer"))
PAY = Permission("payments.pay", "Pay invoices, and keep cards for renewals.", ("owner", "admin"))
RECORD = Permission("payments.record", "Record money that came by bank or in cash.", ("platform:admin",))
REFUND = Permission("payments.refund", "Send money back.", ("platform:admin",))
RECONCILE = Permission(
    "payments.reconcile", "Hold our payments against the provider's, and settle what differs.", ("platform:admin",)
)

ALL = (READ, PAY, RECORD, REFUND, RECONCILE)
