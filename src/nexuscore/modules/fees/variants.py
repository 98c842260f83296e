"""The slot for trying another percentage on some: an A/B test decides who pays which, this module applies it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from nexuscore.kernel.ctx import Ctx


@dataclass(frozen=True, slots=True)
class Chosen:
    """The percentage for somebody, and the name under which the experiment counts them."""

    percentage: Decimal
    variant: str


class FeeVariant(ABC):
    """The slot. Asked for every subject while the fee is active; the same subject must get the same answer."""

    @abstractmethod
    async def choose(self, ctx: Ctx, subject: UUID, configured: Decimal) -> Chosen | None:
        """What `subject` (who pays: a person or an organisation) is charged; None for the configured percentage."""
