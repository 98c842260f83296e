"""Invoices for whoever develops: one that is paid, one in part, one open."""

from sqlalchemy import func, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.seeds import Plot, Seed
from nexuscore.modules.invoices.lines import NewLine
from nexuscore.modules.invoices.payments import record_payment
from nexuscore.modules.invoices.states import issue
from nexuscore.modules.invoices.tables import Invoice

_NUMBER = select(func.count()).select_from(Invoice)
_SOLD = (("Twelve crates of tea", 12, 4_800, 100), ("Storage in October", 1, 125_000, 50), ("Storage", 1, 125_000, 0))


class InvoiceSeed(Seed):
    """Three invoices."""

    async def sow(self, ctx: Ctx, plot: Plot) -> None:
        """Issue them to an organisation that has none."""
        if plot.org is None:
            return
        async with plot.acting(ctx, "anna") as here:
            if await here.db.value(_NUMBER):
                return
            for what, quantity, price, percent in _SOLD:
                made = await issue(here, [NewLine(description=what, quantity=quantity, unit_price=price)])
                if amount := made.total * percent // 100:
                    reference = f"seed {made.number}"
                    await record_payment(
                        here, made.id, amount, made.currency, reference=reference, method="bank_transfer"
                    )
        plot.said.append(f"invoices: {len(_SOLD)} issued")
