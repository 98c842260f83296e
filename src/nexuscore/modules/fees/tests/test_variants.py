"""The slot for trying another percentage on some."""

from decimal import Decimal
from uuid import UUID

import pytest

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.module import Module
from nexuscore.kernel.money import Money
from nexuscore.kernel.testing import House
from nexuscore.modules import fees
from nexuscore.modules.fees import Chosen, FeeVariant, service
from nexuscore.modules.fees.module import module
from nexuscore.modules.fees.schemas import FeeChangeIn
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.mail.module import module as mail

pytestmark = pytest.mark.anyio
EVEN, ODD, WRONG = UUID(int=2), UUID(int=3), UUID(int=5)


class HalfTheFee(FeeVariant):
    async def choose(self, ctx: Ctx, subject: UUID, configured: Decimal) -> Chosen | None:
        if subject == WRONG:
            return Chosen(Decimal("100.5"), "broken")
        return Chosen(configured / 2, "half") if subject == EVEN else None


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [mail, identity, module, Module(name="trial", package=None, contributes=(HalfTheFee(),))]


async def test_some_pay_another_percentage_and_the_order_says_so(house: House) -> None:
    base = Money(10_000, "SGD")
    async with house.app.context() as ctx:
        tried, usual = await fees.order(ctx, base, 5, subject=EVEN), await fees.order(ctx, base, 5, subject=ODD)
        assert (tried.fee.minor, tried.variant, tried.percentage) == (2_500, "half", Decimal("5.00"))
        assert (usual.fee.minor, usual.variant, usual.percentage) == (5_000, "", Decimal("10.00"))
        assert (await fees.fee_on(ctx, base, 5)).minor == 5_000
        assert (await fees.final_price(ctx, base, subject=EVEN)).minor == 10_500


async def test_a_variant_out_of_range_is_a_fault_and_charges_nobody(house: House) -> None:
    async with house.app.context() as ctx:
        with pytest.raises(ValueError, match=r"between 0\.00 and 100\.00"):
            await fees.order(ctx, Money(10_000, "SGD"), 5, subject=WRONG)


async def test_while_the_fee_is_off_no_variant_is_asked(house: House) -> None:
    async with house.app.context() as ctx:
        await service.change(ctx, FeeChangeIn(is_active=False, reason="a test"))
        assert (await fees.order(ctx, Money(10_000, "SGD"), 5, subject=EVEN)).fee.minor == 0
