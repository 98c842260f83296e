"""What people may do with notes, and which roles may at first."""

from nexuscore.kernel.access import Permission

READ = Permission("notes.read", "See the organisation's notes.", ("owner", "admin", "member", "viewer"))
WRITE = Permission("notes.write", "Write, change and delete notes.", ("owner", "admin", "member"))
