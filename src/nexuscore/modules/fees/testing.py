"""What other tests need of the platform's fee.

`PROBES` are what tests/isolation needs to call every operation of this module.
"""

from typing import Any

from nexuscore.kernel.testing import Client, House

__all__ = ["PROBES"]


async def _change(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    return {}, {"fee_percentage": "12.50", "reason": "probe"}


PROBES = {"change_platform_fee": _change, "change_platform_fee_page": _change}
