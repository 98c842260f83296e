"""What happens beside requests: a changed fee is forgotten once it is committed."""

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Fact, on
from nexuscore.modules.fees import service
from nexuscore.modules.fees.events import PlatformFeeChanged


@on(PlatformFeeChanged)
async def forget_the_old(ctx: Ctx, fact: Fact[PlatformFeeChanged]) -> None:
    """Clear the reads once more, in case somebody read the old fee between the change and its commit."""
    await service.forget(ctx)
