"""What happens beside requests: reservations nobody settled are let go."""

from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import Job, every, worker
from nexuscore.modules.usage import accounts, reservations
from nexuscore.modules.usage.tables import UsageReservation

_LATE = (
    select(UsageReservation.org_id)
    .where(UsageReservation.state == "open", UsageReservation.expires_at <= bindparam("now"))
    .distinct()
    .order_by(UsageReservation.org_id)
)


class LetGo(Job, name="usage.let_go"):
    """Let go of one organisation's reservations that are over."""


@worker(LetGo)
async def let_go(ctx: Ctx, job: LetGo) -> None:
    """Under the organisation's lock, so that nobody settles in between."""
    await accounts.lock(ctx)
    await reservations.expire(ctx)


@every("* * * * *")
async def expire(ctx: Ctx) -> None:
    """Find whose reservations are over; each organisation's are let go in a job of its own."""
    async with ctx.across_orgs("reservations expire everywhere") as everywhere:
        late = await everywhere.db.all(_LATE, now=ctx.now)
    for row in late:
        async with ctx.in_org(row.org_id) as inside:
            inside.enqueue(LetGo(), unique="expired")
