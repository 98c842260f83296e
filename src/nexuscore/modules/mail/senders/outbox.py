"""The local outbox: mail is kept in a table, to be read at /dev/mail and with `nexus mail`."""

from typing import ClassVar

from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.app import App
from nexuscore.modules.mail.senders.sender import Outcome, Outgoing, Sender, Taken
from nexuscore.modules.mail.tables import OutboxMail

PURPOSE = "mail.outbox"
_KEEP = insert(OutboxMail).on_conflict_do_nothing()


class OutboxSender(Sender):
    """Keeps mail where the developer finds it. The default outside production."""

    name: ClassVar[str] = "outbox"

    def is_set_up(self, app: App) -> bool:
        """Always, where mail need not arrive."""
        return app.kernel.env != "production"

    async def send(self, app: App, mail: Outgoing) -> Outcome:
        """Keep it; the same mail once."""
        source = app.keyring.seal(PURPOSE, mail.mime().as_bytes(), context=str(mail.id))
        async with app.context() as ctx:
            await ctx.db.execute(_KEEP, mail_id=mail.id, source=source)
        return Taken(mail.message_id)
