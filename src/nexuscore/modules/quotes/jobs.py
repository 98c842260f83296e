"""What quotes do by the clock."""

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import every
from nexuscore.modules.quotes import service


@every("25 17 * * *")
async def expire_quotes(ctx: Ctx) -> None:
    """Early in Singapore's day: close the quotes whose last day was yesterday."""
    await service.expire(ctx)
