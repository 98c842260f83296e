"""Facts about the platform's fee."""

from decimal import Decimal

from nexuscore.kernel.events import Event


class PlatformFeeChanged(Event, type="platform_fee.changed", public=False):
    """The fee is another one from now on, or was switched on or off. `fields` names what is different."""

    fields: list[str]
    before: Decimal
    after: Decimal
    is_active: bool
    fee_version: int
    reason: str
