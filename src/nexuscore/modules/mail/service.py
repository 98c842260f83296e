"""What others can do with mail: send it, and look at how it fared."""

from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.i18n import language_of
from nexuscore.kernel.ids import uuid7
from nexuscore.modules.mail.delivery import Deliver, seal_variables
from nexuscore.modules.mail.messages import (
    ONE_LINE,
    Message,
    checked_address,
    checked_name,
    is_clean,
    variables_of,
)
from nexuscore.modules.mail.tables import Mail

_QUEUE = insert(Mail).on_conflict_do_nothing().returning(Mail.id)
_EARLIER = select(Mail.id).where(
    Mail.org_id.is_not_distinct_from(bindparam("org")),
    Mail.message == bindparam("kind"),
    Mail.address == bindparam("to"),
    Mail.key == bindparam("given"),
)
_ONE = select(Mail).where(Mail.id == bindparam("mail_id"))
_AGAIN = (
    update(Mail)
    .where(Mail.id == bindparam("mail_id"), Mail.state == "failed", Mail.variables.is_not(None))
    .values(state="queued", attempts=0)
    .returning(Mail.id)
)


async def send(
    ctx: Ctx, message: Message, *, to: str, locale: str, name: str | None = None, idempotency: str | None = None
) -> UUID:
    """Queue a mail with this transaction; its id. Written and handed over by a job, so nothing here waits for anybody.

    A message with the same key to the same address is queued once per organisation, whoever asks again.
    """
    id = await queue(ctx, message, to=to, locale=locale, name=name, idempotency=idempotency)
    if id is not None:
        ctx.enqueue(Deliver(mail_id=id))
        return id
    return await ctx.db.value(
        _EARLIER, org=ctx.org, kind=message.template.name, to=checked_address(to), given=idempotency
    )


async def queue(
    ctx: Ctx, message: Message, *, to: str, locale: str, name: str | None = None, idempotency: str | None = None
) -> UUID | None:
    """Note a mail that is to be sent, without the job; None when the key says that it is noted already."""
    address, name = checked_address(to), checked_name(name)
    if idempotency is not None and not (0 < len(idempotency) <= 200 and is_clean(idempotency)):
        raise ValidationError.of([Fault("idempotency", "control_character", ONE_LINE)])
    variables = variables_of(ctx.app, message)
    id = uuid7()
    row = await ctx.db.first(
        _QUEUE,
        id=id,
        org_id=ctx.org,
        message=message.template.name,
        locale=language_of(locale),
        address=address,
        name=name,
        key=idempotency,
        variables=seal_variables(ctx.app, id, variables),
    )
    return None if row is None else id


async def get(ctx: Ctx, mail_id: UUID) -> Mail:
    """One mail and how it fared."""
    return await ctx.db.one(_ONE, mail_id=mail_id)


async def retry(ctx: Ctx, mail_id: UUID) -> None:
    """Send a mail that failed once more, with all its tries."""
    await ctx.db.one(_AGAIN, mail_id=mail_id)
    ctx.enqueue(Deliver(mail_id=mail_id))
