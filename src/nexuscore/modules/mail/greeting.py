"""What `nexus serve` says about mail."""

from nexuscore.kernel.app import App
from nexuscore.kernel.module import Greeting
from nexuscore.modules.mail.senders.chain import chain


class MailGreeting(Greeting):
    """Where mail can be read while it goes nowhere else."""

    async def lines(self, app: App) -> list[str]:
        """One line, when the local outbox takes the mail."""
        if [sender.name for sender in chain(app)] != ["outbox"]:
            return []
        return [f"Mail is kept, not sent: {app.kernel.public_url}/dev/mail"]
