"""Second factors: which ones a person has set up."""

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.identity.tables import User


async def factors_of(ctx: Ctx, user: User) -> list[str]:
    """The second factors that are confirmed, the one to offer first at the front; empty when there are none."""
    return []
