"""The platform's fee: one percentage on top of what hosts ask for, the same for all unless a variant says otherwise.

    figures = await fees.order(ctx, Money(10_000, "SGD"), 5)
    figures.subtotal, figures.fee, figures.total        # 500.00, 50.00, 550.00 at 10 %

Freeze the figures with the order, `percentage` and `version` included: what is charged later is what was shown then.
Others may call the verbs re-exported here, fill the slot `FeeVariant`, and listen to `events.PlatformFeeChanged`.
"""

from nexuscore.modules.fees.arithmetic import OrderFigures, buyer_price, fee_of, figures_of
from nexuscore.modules.fees.service import (
    Configuration,
    configuration,
    decimal,
    fee_on,
    final_price,
    order,
    percentage,
    percentage_at,
)
from nexuscore.modules.fees.variants import Chosen, FeeVariant

__all__ = [
    "Chosen",
    "Configuration",
    "FeeVariant",
    "OrderFigures",
    "buyer_price",
    "configuration",
    "decimal",
    "fee_of",
    "fee_on",
    "figures_of",
    "final_price",
    "order",
    "percentage",
    "percentage_at",
]
