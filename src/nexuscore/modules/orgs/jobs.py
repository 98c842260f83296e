"""What happens beside requests: closed accounts leave, and offers nobody answered expire."""

from sqlalchemy import bindparam, update

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Fact, on
from nexuscore.kernel.jobs import every
from nexuscore.modules.identity.events import AccountDeactivated, AccountDeleted
from nexuscore.modules.orgs.departures import leave_everywhere
from nexuscore.modules.orgs.tables import Invitation, OwnershipTransfer

_OLD_INVITATIONS = (
    update(Invitation)
    .where(Invitation.state == "pending", Invitation.expires_at <= bindparam("now"))
    .values(state="expired")
)
_OLD_TRANSFERS = (
    update(OwnershipTransfer)
    .where(OwnershipTransfer.state == "pending", OwnershipTransfer.expires_at <= bindparam("now"))
    .values(state="expired")
)


@on(AccountDeactivated)
async def leave_when_closed(ctx: Ctx, fact: Fact[AccountDeactivated]) -> None:
    """An account that was closed is in no organisation any more."""
    await leave_everywhere(ctx, fact.data.user_id)


@on(AccountDeleted)
async def leave_when_deleted(ctx: Ctx, fact: Fact[AccountDeleted]) -> None:
    """The same for one whose data is gone, however that came about."""
    await leave_everywhere(ctx, fact.data.user_id)


@every("40 * * * *")
async def expire(ctx: Ctx) -> None:
    """Mark what nobody answered in time."""
    async with ctx.across_orgs("offers expire everywhere") as everywhere:
        await everywhere.db.execute(_OLD_INVITATIONS, now=ctx.now)
        await everywhere.db.execute(_OLD_TRANSFERS, now=ctx.now)
