"""What people may do with what comes in. It belongs to the platform, not to an organisation."""

from nexuscore.kernel.access import Permission

READ = Permission("inbox.read", "See events of outside providers, personal data masked.", ("platform:admin",))
MANAGE = Permission("inbox.manage", "Have events processed again, or declare them done.", ("platform:admin",))
