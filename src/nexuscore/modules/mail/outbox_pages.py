"""The mail outbox in the console: what was sent and how it fared, for whoever develops. Each mail is at /dev/mail."""

from nexuscore.kernel.http import Nav, Pages, View
from nexuscore.modules.mail import outbox
from nexuscore.modules.mail.pages import Developer
from nexuscore.modules.mail.senders.chain import chain

pages = Pages("/develop/mail", tag="Mail", development=True)


@pages.get(title="Mail outbox", nav=Nav("Develop", icon="mail", order=20))
async def mail_outbox_page(ctx: Developer) -> View:
    """The newest hundred mails."""
    shown = ("id", "at", "to", "message", "locale", "state", "sender", "error")
    mails = [
        {**{name: getattr(mail, name) for name in shown}, "subject": mail.subject or mail.message}
        for mail in await outbox.newest(ctx)
    ]
    return View("outbox.html", mails=mails, senders=", ".join(sender.name for sender in chain(ctx.app)))
