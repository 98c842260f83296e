"""What people may do with the books."""

from nexuscore.kernel.access import Permission

READ = Permission("books.read", "Read the books of all organisations and of the platform.", ("platform:admin",))
