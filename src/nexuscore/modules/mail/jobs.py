"""Mail in the background: delivery, and the end of what is kept."""

from datetime import timedelta

from sqlalchemy import bindparam, delete

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import every, outcall
from nexuscore.modules.mail import delivery
from nexuscore.modules.mail.delivery import Attempt, Claimed, Deliver
from nexuscore.modules.mail.settings import MailSettings
from nexuscore.modules.mail.tables import Mail

_FORGET = delete(Mail).where(Mail.created_at < bindparam("before"))


@outcall(Deliver)
async def deliver(ctx: Ctx, job: Deliver) -> Claimed | None:
    """Take the mail up."""
    return await delivery.claim(ctx, job.mail_id)


@deliver.call
async def _offer(app: App, mail: Claimed) -> Attempt:
    return await delivery.attempt(app, mail)


@deliver.record
async def _write_down(ctx: Ctx, mail: Claimed, attempt: Attempt) -> None:
    await delivery.record(ctx, mail, attempt)


@every("41 3 * * *")
async def forget(ctx: Ctx) -> None:
    """Remove the records of mail after the time the settings give; addresses that get no mail stay."""
    kept = timedelta(days=ctx.app.settings[MailSettings].keep_days)
    await ctx.db.execute(_FORGET, before=ctx.now - kept)
