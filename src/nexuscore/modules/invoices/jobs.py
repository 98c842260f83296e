"""What invoices do by the clock."""

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import every
from nexuscore.modules import books
from nexuscore.modules.invoices import states


@every("20 17 * * *")
async def announce_overdue(ctx: Ctx) -> None:
    """Early in Singapore's day: announce the invoices whose last day was yesterday."""
    await states.mark_overdue(ctx, books.today(ctx))
