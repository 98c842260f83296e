"""How much of a limit is used: whoever owns the thing knows, and fills the slot."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import orgs
from nexuscore.modules.plans.entitlements import Entitlement


class Use(ABC):
    """The slot for a module that counts what a limit is about. `limit` is its name in the plans."""

    limit: ClassVar[str]

    @abstractmethod
    async def used(self, ctx: Ctx) -> int:
        """How much the context's organisation uses now."""


class MembersUsed(Use):
    """Members, who are there already."""

    limit = "members"

    async def used(self, ctx: Ctx) -> int:
        return len(await orgs.members(ctx))


@dataclass(frozen=True, slots=True)
class Level:
    """A limit: what is allowed (None for no limit), and what is used, if anybody counts it."""

    name: str
    allowed: int | None
    used: int | None


async def levels(ctx: Ctx, held: Entitlement) -> list[Level]:
    """Every limit that holds, in the order of the plan."""
    counts = {use.limit: await use.used(ctx) for use in ctx.app.fillers(Use)}  # type: ignore[type-abstract]  # asked for, not made
    return [Level(name, allowed, counts.get(name)) for name, allowed in held.limits.items()]
