"""One mail on its way: claimed in one transaction, written and offered to the senders in none, recorded in another."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never
from uuid import UUID

import pydantic
from sqlalchemy import bindparam, select, update

from nexuscore.kernel.app import App
from nexuscore.kernel.crypto import CryptoError
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import Job, backoff
from nexuscore.kernel.log import get_logger
from nexuscore.modules.mail.errors import NotRendered
from nexuscore.modules.mail.events import MailBounced, MailFailed, MailSent, MailSuppressed
from nexuscore.modules.mail.messages import Message, registered, told
from nexuscore.modules.mail.rendering import brand_of, render
from nexuscore.modules.mail.senders.chain import chain
from nexuscore.modules.mail.senders.sender import NotNow, Outcome, Outgoing, Refused, Sender, Taken
from nexuscore.modules.mail.settings import MailSettings
from nexuscore.modules.mail.suppressions import pseudonym, suppress, suppressed
from nexuscore.modules.mail.tables import Mail

PURPOSE = "mail.variables"
_PATIENCE = 4  # a mail takes a sender several answers; each has the time of the settings
_log = get_logger(__name__)


class Deliver(Job, name="mail.deliver"):
    """Write one mail and hand it over."""

    mail_id: UUID


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail while it is offered. `pinned`: an earlier try may have arrived, so only that sender is asked again."""

    id: UUID
    message: str
    locale: str
    address: str
    name: str | None
    variables: str
    attempts: int
    created_at: datetime
    senders: tuple[Sender, ...]
    pinned: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of it, and who said so; `sender` is None when the mail could not even be written."""

    outcome: Outcome
    sender: str | None = None


_CLAIM = select(Mail).where(Mail.id == bindparam("mail_id"), Mail.state == "queued").with_for_update()
_ASK = update(Mail).where(Mail.id == bindparam("mail_id")).values(asked=bindparam("name_asked"))
_BEGIN = _ASK.values(attempts=Mail.attempts + 1)
_KEEP_TRYING = _ASK.where(Mail.state == "queued")
_SETTLE = (
    update(Mail).where(Mail.id == bindparam("mail_id"), Mail.state == "queued").values(asked=None).returning(Mail.id)
)


async def claim(ctx: Ctx, mail_id: UUID) -> Claimed | None:
    """Take a mail up; None when it is on its way already, or must not go."""
    mail = await ctx.db.first(_CLAIM, mail_id=mail_id)
    if mail is None or mail.variables is None:
        return None
    reason = await suppressed(ctx, mail.address)
    if reason is not None:
        await ctx.db.execute(_SETTLE, mail_id=mail.id, state="suppressed", error=reason, variables=None)
        ctx.emit(_fact(MailSuppressed, ctx.app, mail, reason=reason))
        return None
    if mail.attempts >= ctx.app.settings[MailSettings].tries:  # workers died over it, again and again
        await _fail(ctx, mail, "gave_up", mail.error or "every try was cut short")
        return None
    senders = chain(ctx.app)
    pinned = [sender for sender in senders if sender.name == mail.asked]
    await ctx.db.execute(_BEGIN, mail_id=mail.id, name_asked=(pinned or senders)[0].name)
    return Claimed(
        id=mail.id,
        message=mail.message,
        locale=mail.locale,
        address=mail.address,
        name=mail.name,
        variables=mail.variables,
        attempts=mail.attempts + 1,
        created_at=mail.created_at,
        senders=tuple(pinned or senders),
        pinned=bool(pinned),
    )


async def attempt(app: App, mail: Claimed) -> Attempt:
    """Write the mail and offer it to one sender after the other, until one has it or may have it."""
    try:
        outgoing = written(app, mail)
    except NotRendered as error:
        return Attempt(Refused(str(error)))
    tried: list[Attempt] = []
    for sender in mail.senders:
        if tried:  # so that a kill in the next line is not taken for a try of the first sender
            async with app.context() as ctx:
                await ctx.db.execute(_ASK, mail_id=mail.id, name_asked=sender.name)
        tried.append(Attempt(await _offer(app, sender, outgoing), sender.name))
        match tried[-1].outcome:
            case Taken() | NotNow(uncertain=True) | Refused(bounced=True):
                return tried[-1]
    later = [each for each in tried if isinstance(each.outcome, NotNow)]
    return (later or tried)[0]


async def _offer(app: App, sender: Sender, mail: Outgoing) -> Outcome:
    try:
        async with asyncio.timeout(_PATIENCE * app.settings[MailSettings].timeout_s):
            return await sender.send(app, mail)
    except Exception as error:  # noqa: BLE001 - a sender may be anybody's, and what it raises must not lose the mail
        _log.warning("mail_sender_broke", sender=sender.name, mail_id=mail.id, exc_info=error)
        return NotNow(f"{type(error).__name__}: {error}", uncertain=True)


async def record(ctx: Ctx, mail: Claimed, attempt: Attempt) -> None:
    """Write down what came of it; what was put off is queued again."""
    match attempt.outcome:
        case Taken(provider_id=provider_id):
            if await ctx.db.first(
                _SETTLE,
                mail_id=mail.id,
                state="sent",
                sender=attempt.sender,
                provider_id=provider_id,
                error=None,
                variables=None,
                sent_at=ctx.now,
            ):
                ctx.emit(_fact(MailSent, ctx.app, mail, sender=attempt.sender or ""))
        case Refused(bounced=True, reason=reason):
            await _settle(ctx, mail, "bounced", reason, attempt.sender)
            await suppress(ctx, mail.address, "hard_bounce")
            ctx.emit(_fact(MailBounced, ctx.app, mail, kind="hard"))
        case Refused(reason=reason):
            await _fail(ctx, mail, "refused" if attempt.sender else "not_rendered", reason, attempt.sender)
        case NotNow() as put_off:
            await _put_off(ctx, mail, put_off, attempt.sender)
        case never:
            assert_never(never)


async def _put_off(ctx: Ctx, mail: Claimed, outcome: NotNow, sender: str | None) -> None:
    if mail.attempts >= ctx.app.settings[MailSettings].tries:
        await _fail(ctx, mail, "gave_up", outcome.reason, sender)
        return
    pinned = sender if outcome.uncertain or mail.pinned else None
    await ctx.db.execute(_KEEP_TRYING, mail_id=mail.id, name_asked=pinned, error=outcome.reason)
    delay = max(outcome.after or timedelta(), backoff(mail.attempts - 1, base=10, ceiling=1800))
    _log.info(
        "mail_put_off", mail_id=mail.id, sender=sender, attempt=mail.attempts, seconds=round(delay.total_seconds())
    )
    ctx.enqueue(Deliver(mail_id=mail.id), delay=delay)


async def _settle(ctx: Ctx, mail: Claimed | Mail, state: str, reason: str, sender: str | None) -> None:
    await ctx.db.execute(_SETTLE, mail_id=mail.id, state=state, error=reason, sender=sender, variables=None)


async def _fail(ctx: Ctx, mail: Claimed | Mail, why: str, reason: str, sender: str | None = None) -> None:
    """Give a mail up. Its variables stay, sealed, so that a person can send it after all."""
    await ctx.db.execute(_SETTLE, mail_id=mail.id, state="failed", error=reason, sender=sender)
    _log.error("mail_failed", mail_id=mail.id, message=mail.message, sender=sender, reason=why)
    ctx.emit(_fact(MailFailed, ctx.app, mail, reason=why))


def _fact(event: Any, app: App, mail: Claimed | Mail, **more: str) -> Any:
    return event(mail_id=mail.id, message=mail.message, recipient=pseudonym(app, mail.address), **more)


def written(app: App, mail: Claimed) -> Outgoing:
    """The mail as it goes out, the same however often it is written."""
    settings = app.settings[MailSettings]
    rendered = render(app, _message(app, mail), mail.locale)
    return Outgoing(
        id=mail.id,
        from_address=settings.from_address,
        from_name=settings.from_name or brand_of(app).product,
        reply_to=settings.reply_to,
        to_address=mail.address,
        to_name=mail.name,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        language=mail.locale,
        created_at=mail.created_at,
    )


def _message(app: App, mail: Claimed) -> Message:
    kind = registered(app).get(mail.message)
    if kind is None:
        raise NotRendered(f"{mail.message} is in no manifest any more")
    try:
        return kind.model_validate_json(app.keyring.open_sealed(PURPOSE, mail.variables, context=str(mail.id)))
    except CryptoError as error:
        raise NotRendered(f"{mail.message}: its variables cannot be opened: {error}") from error
    except pydantic.ValidationError as error:
        raise NotRendered(f"{mail.message} was queued by another version: {told(error)}") from None


def seal_variables(app: App, mail_id: UUID, variables: str) -> str:
    """A mail's variables as they are stored: links and codes must not be readable in a dump."""
    return app.keyring.seal(PURPOSE, variables, context=str(mail_id))
