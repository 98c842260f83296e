"""What invoices ask of others."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.invoices.schemas import NewPayment


@dataclass(frozen=True, slots=True)
class Receipts:
    """The slot of a module that sends receipts of its own: whether it does so for the payment of this reference."""

    covers: Callable[[Ctx, str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class MoneyByHand:
    """The slot of the module that records money which came by bank or in cash, for the organisation of the context."""

    record: Callable[[Ctx, UUID, NewPayment], Awaitable[None]]


async def told_elsewhere(ctx: Ctx, reference: str) -> bool:
    """Whether another module tells the customer that this payment came in."""
    return any([await each.covers(ctx, reference) for each in ctx.app.fillers(Receipts)])
