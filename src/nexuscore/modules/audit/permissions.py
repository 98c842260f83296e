"""What people may do with the log, and which roles may at first."""

from nexuscore.kernel.access import Permission

READ = Permission("audit.read", "Search the organisation's log.", ("owner", "admin"))
EXPORT = Permission("audit.export", "Export the organisation's log as a file.", ("owner", "admin"))
READ_ALL = Permission(
    "audit.read_all", "Search and export the log of all organisations and of the platform.", ("platform:admin",)
)
