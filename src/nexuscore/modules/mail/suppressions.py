"""Mail that came back: what happened to it, and the addresses that get no more."""

from typing import Literal
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.mail.events import MailBounced
from nexuscore.modules.mail.messages import normalise
from nexuscore.modules.mail.tables import Mail, Suppression

Kind = Literal["hard", "soft", "complaint"]

_REASONS = {"hard": "hard_bounce", "complaint": "complaint"}
_REASON = select(Suppression.reason).where(Suppression.address == bindparam("normal"))
_SUPPRESS = insert(Suppression).on_conflict_do_nothing().returning(Suppression.address)
_ALLOW = delete(Suppression).where(Suppression.address == bindparam("normal"))
_BY_ID = select(Mail).where(Mail.id == bindparam("mail_id"))
_BY_PROVIDER = select(Mail).where(Mail.provider_id == bindparam("given"))
_BOUNCE = (
    update(Mail)
    .where(Mail.id == bindparam("mail_id"), Mail.state != "bounced", Mail.state != "complained")
    .values(state="bounced")
    .returning(Mail.id)
)
_COMPLAIN = (
    update(Mail)
    .where(Mail.id == bindparam("mail_id"), Mail.state != "complained")
    .values(state="complained")
    .returning(Mail.id)
)
_DELIVER = update(Mail).where(Mail.id == bindparam("mail_id"), Mail.state == "sent").values(state="delivered")


async def suppressed(ctx: Ctx, address: str) -> str | None:
    """Why an address gets no mail; None when it does."""
    return await ctx.db.value(_REASON, normal=normalise(address))


async def suppress(ctx: Ctx, address: str, reason: str) -> bool:
    """Send no more mail to an address; False when that is so already."""
    return await ctx.db.first(_SUPPRESS, address=normalise(address), reason=reason) is not None


async def allow(ctx: Ctx, address: str) -> bool:
    """Let mail to an address through again; whether it had been stopped."""
    return await ctx.db.execute(_ALLOW, normal=normalise(address)) > 0


async def record_bounce(
    ctx: Ctx,
    kind: Kind,
    *,
    mail_id: UUID | None = None,
    provider_id: str | None = None,
    address: str | None = None,
    reason: str = "",
) -> bool:
    """A mail came back or its reader complained, says whoever delivers it. A hard bounce or a complaint stops all
    further mail to the address. False when neither mail nor address is known; the same news twice is one fact."""
    mail = await _find(ctx, mail_id, provider_id)
    recipient = mail.address if mail is not None else address
    if recipient is None:
        return False
    changed = False
    if mail is not None:
        statement = _COMPLAIN if kind == "complaint" else _BOUNCE
        changed = await ctx.db.first(statement, mail_id=mail.id, error=reason or kind) is not None
    if kind in _REASONS:
        changed = await suppress(ctx, recipient, _REASONS[kind]) or changed
    if changed:
        await _announce(ctx, mail, recipient, kind)
    return True


async def _announce(ctx: Ctx, mail: Mail | None, recipient: str, kind: Kind) -> None:
    """In the organisation the mail was sent for, since a provider's call comes in none."""
    fact = MailBounced(
        mail_id=None if mail is None else mail.id,
        message=None if mail is None else mail.message,
        recipient=pseudonym(ctx.app, recipient),
        kind=kind,
    )
    if mail is None or mail.org_id is None or mail.org_id == ctx.org:
        ctx.emit(fact)
        return
    async with ctx.in_org(mail.org_id) as inside:
        inside.emit(fact)


async def record_delivery(ctx: Ctx, *, mail_id: UUID | None = None, provider_id: str | None = None) -> bool:
    """A mail reached its mailbox, says whoever delivers it. False when the mail is not known."""
    mail = await _find(ctx, mail_id, provider_id)
    if mail is not None:
        await ctx.db.execute(_DELIVER, mail_id=mail.id)
    return mail is not None


async def _find(ctx: Ctx, mail_id: UUID | None, provider_id: str | None) -> Mail | None:
    if mail_id is not None:
        return await ctx.db.first(_BY_ID, mail_id=mail_id)
    if provider_id is not None:
        return await ctx.db.first(_BY_PROVIDER, given=provider_id)
    return None


def pseudonym(app: App, address: str) -> str:
    """How an address appears in facts: the same for every spelling of it, and nothing to read it back from."""
    return app.keyring.sign("mail.address", normalise(address).encode())
