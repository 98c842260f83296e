"""What people may do with the platform's fee. It is the platform's own: no role of an organisation holds these."""

from nexuscore.kernel.access import Permission

READ = Permission("fees.read", "See the platform's fee and how it changed.", ("platform:admin", "platform:moderator"))
CHANGE = Permission("fees.change", "Change the platform's fee.", ("platform:admin",))
