"""For the tests of modules that move money.

assert await findings(house) == []        # what `nexus billing verify` would say
assert await balances(house) == {"receivable": 10900, "revenue": -10000, "gst_output": -900}
"""

from typing import Any

from nexuscore.kernel.app import App
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.books import checks, reports


async def findings(house: House) -> list[str]:
    """What every module's checks find, as `nexus billing verify` prints it."""
    return await findings_of(house.app)


async def findings_of(app: App) -> list[str]:
    """The same, of an app that no house holds."""
    found = await checks.verify(app)
    return [f"{check.name}: {finding.subject}: {finding.what}" for check, each in found for finding in each]


async def balances(house: House, currency: str = "SGD") -> dict[str, int]:
    """The balance of every account that moved, over all organisations; above zero a debit."""
    async with house.app.context(across=True) as ctx:
        rows = await reports.report(ctx)
    return {row.account: row.balance for row in rows if row.currency == currency}


async def _account(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    """An account of the chart."""
    return {"account": "revenue"}, None


PROBES = {"books_account_page": _account}
