"""A house that is lived in, for whoever develops: people, an organisation, and what modules have in it.

class InvoiceSeed(Seed):
    async def sow(self, ctx: Ctx, plot: Plot) -> None:
        async with plot.acting(ctx, "anna") as there: ...

`nexus seed` and the console's page of tools sow them. Twice does nothing more.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar
from uuid import UUID

from nexuscore.kernel.access import EVERYTHING, Actor
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import ConfigurationError

PASSWORD = "Quiet-Harbour-41!"  # noqa: S105 - everybody's who was sown, and printed wherever they are


@dataclass(slots=True)
class Plot:
    """What is there so far: people by their first names, the organisation, and what was done, in words."""

    people: dict[str, UUID] = field(default_factory=dict)
    org: UUID | None = None
    said: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def acting(self, ctx: Ctx, who: str) -> AsyncIterator[Ctx]:
        """One of the people at work in the organisation; the platform, where there are no people."""
        id = self.people.get(who)
        actor = ctx.actor if id is None else Actor("user", id, frozenset({EVERYTHING}), fresh=True)
        here = replace(ctx, actor=actor)
        if self.org is None:
            yield here
            return
        async with here.in_org(self.org) as inside:
            yield inside


class Seed(ABC):
    """The slot for what a module puts into a house that is to look lived in: people (10), then where they work (20)."""

    order: ClassVar[int] = 50

    @abstractmethod
    async def sow(self, ctx: Ctx, plot: Plot) -> None:
        """Put it there unless it is, by the verbs everybody uses, and say so in `plot.said`."""


async def sow(ctx: Ctx) -> Plot:
    """Let every module put something there, all in this transaction; never in production."""
    if ctx.app.kernel.env == "production":
        raise ConfigurationError("This is production: nothing is sown here. Seeds are for development.")
    plot = Plot()
    seeds: list[Seed] = list(ctx.app.fillers(Seed))  # type: ignore[type-abstract]  # asked for, not made
    for seed in sorted(seeds, key=lambda each: each.order):
        await seed.sow(ctx, plot)
    return plot
