"""Which senders a mail is offered to, in which order."""

from nexuscore.kernel.app import App
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.modules.mail.senders.sender import Sender
from nexuscore.modules.mail.settings import MailSettings


def chain(app: App) -> list[Sender]:
    """The senders the settings name; else all that are set up, those of other modules first, the outbox if no other."""
    known = {sender.name: sender for sender in app.fillers(Sender)}  # type: ignore[type-abstract]  # asked for, not made
    names = app.settings[MailSettings].senders
    missing = [name for name in names if name not in known]
    if missing:
        raise ConfigurationError(
            f"NEXUS_MAIL_SENDERS names {', '.join(missing)}, but the app knows only {', '.join(sorted(known))}."
        )
    if names:
        return [known[name] for name in names]
    ready = [sender for sender in known.values() if sender.is_set_up(app)]
    return [sender for sender in ready if sender.name != "outbox"] or ready
