"""What identity does on the side."""

from sqlalchemy import bindparam, delete

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import every
from nexuscore.modules.identity import sessions, single_use, texts
from nexuscore.modules.identity.tables import AttemptCount

_FORGET_COUNTS = delete(AttemptCount).where(AttemptCount.ends_at < bindparam("now"))


@every("41 3 * * *")
async def sweep(ctx: Ctx) -> None:
    """Remove what is over: secrets, sessions that ended a month ago, counts of attempts."""
    await single_use.sweep(ctx)
    await sessions.sweep(ctx)
    await texts.sweep(ctx)
    await ctx.db.execute(_FORGET_COUNTS, now=ctx.now)
