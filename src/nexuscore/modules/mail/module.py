"""The manifest: all that mail adds to an app."""

from nexuscore.kernel.module import Module, Slot
from nexuscore.modules.mail import events, jobs
from nexuscore.modules.mail.alerts import MailAlertSender
from nexuscore.modules.mail.commands import commands
from nexuscore.modules.mail.greeting import MailGreeting
from nexuscore.modules.mail.messages import Messages
from nexuscore.modules.mail.outbox_pages import pages
from nexuscore.modules.mail.pages import routes
from nexuscore.modules.mail.senders.outbox import OutboxSender
from nexuscore.modules.mail.senders.resend import ResendSender
from nexuscore.modules.mail.senders.sender import Sender
from nexuscore.modules.mail.senders.sendgrid import SendGridSender
from nexuscore.modules.mail.senders.smtp import SmtpSender
from nexuscore.modules.mail.settings import MailSettings
from nexuscore.modules.mail.tables import Mail, OutboxMail, Suppression
from nexuscore.modules.mail.trial import Trial

module = Module(
    name="mail",
    package=__package__,
    settings=(MailSettings,),
    tables=(Mail, Suppression, OutboxMail),
    routes=(routes,),
    pages=(pages,),
    events=(events.MailSent, events.MailBounced, events.MailFailed, events.MailSuppressed),
    workers=(jobs.deliver,),
    schedules=(jobs.forget,),
    slots=(Slot(Sender), Slot(Messages)),
    contributes=(
        Messages(Trial),
        ResendSender(),
        SendGridSender(),
        SmtpSender(),
        OutboxSender(),
        MailGreeting(),
        MailAlertSender(),
    ),
    commands=commands,
)
