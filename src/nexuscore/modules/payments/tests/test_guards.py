"""What the database refuses, whoever asks: steps that are none, another purpose, removal. Read-only for viewers."""

import asyncpg
import pytest

from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import person
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.payments.settings import PaymentSettings
from nexuscore.modules.payments.states import DISPUTE, PAYMENT, REFUND
from nexuscore.modules.payments.testing import begin, owed, pay, send

pytestmark = pytest.mark.anyio


async def test_the_database_has_the_steps_of_the_code(house: House) -> None:
    async with house.app.context() as ctx:
        rows = await ctx.db.raw("SELECT thing, before, after FROM payment_transitions")
    steps = {"payments": PAYMENT, "payment_refunds": REFUND, "payment_disputes": DISPUTE}
    wanted = {(name, one, other) for name, moves in steps.items() for one, after in moves.items() for other in after}
    assert {(row.thing, row.before, row.after) for row in rows} == wanted


async def test_every_other_step_is_refused(acme: Customer) -> None:
    begun = await begin(acme, (await owed(acme)).id)
    refused = sorted(set(PAYMENT) - {"pending", *PAYMENT["pending"]})
    assert len(refused) == 4
    async with acme.acting() as ctx:
        for after in refused:
            with pytest.raises(asyncpg.CheckViolationError, match="does not go from pending"):
                async with ctx.db.savepoint():
                    await ctx.db.raw("UPDATE payments SET state = $1 WHERE id = $2", after, begun["id"])


@pytest.mark.parametrize(
    "change",
    [
        "amount = amount + 1",
        "invoice_id = gen_random_uuid()",
        "currency = 'USD'",
        "provider_id = 'pi_other'",
        "received = received - 1, applied = applied - 1",
        "receipt = 'RCT-1'",
        "paid_at = now()",
        "kind = 'cash'",
    ],
)
async def test_what_a_payment_is_for_never_changes(acme: Customer, change: str) -> None:
    paid = await pay(acme, (await owed(acme)).id)
    async with acme.acting() as ctx:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="never changes"):
            async with ctx.db.savepoint():
                await ctx.db.raw(f"UPDATE payments SET {change} WHERE id = $1", paid["id"])
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="none is removed"):
            async with ctx.db.savepoint():
                await ctx.db.raw("DELETE FROM payments WHERE id = $1", paid["id"])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with ctx.db.savepoint():
                await ctx.db.raw("INSERT INTO payment_transitions VALUES ('payments', 'refunded', 'pending')")


async def test_no_more_is_refunded_than_came_even_by_hand(acme: Customer) -> None:
    paid = await pay(acme, (await owed(acme)).id)
    async with acme.acting() as ctx:
        with pytest.raises(asyncpg.CheckViolationError):
            async with ctx.db.savepoint():
                await ctx.db.raw("UPDATE payments SET refunded = received + 1 WHERE id = $1", paid["id"])


async def test_a_viewer_sees_and_changes_nothing(house: House, acme: Customer) -> None:
    viewer = await acme.org.joined(await person(house, "viewer@example.com"), "viewer")
    invoice = await owed(acme)
    begun = await begin(acme, invoice.id)
    assert (await viewer.client.get("/payments")).json()["data"][0]["id"] == begun["id"]
    tries = [
        ("/payments/intents", {"invoice_id": str(invoice.id)}),
        (f"/payments/{begun['id']}/confirm", {"payment_method": "pm_card_visa"}),
        (f"/payments/{begun['id']}/cancel", None),
        (f"/payments/{begun['id']}/refresh", None),
        (f"/payments/{begun['id']}/refunds", {"reason": "Mine"}),
        ("/payments/methods/setup", None),
        ("/payments/by-hand", {"invoice_id": str(invoice.id), "amount": 1, "kind": "cash", "reference": "x"}),
    ]
    assert [(await send(viewer.client, path, body)).status_code for path, body in tries] == [403] * len(tries)


class TestLimits:
    """The house's limit: payments are begun five times an hour."""

    @pytest.fixture
    def settings(self, settings: dict[str, str]) -> dict[str, str]:
        return {**settings, "NEXUS_LIMITS": "user=off, anonymous=off, sign_in=off"}

    async def test_payments_are_begun_five_times_an_hour(self, acme: Customer) -> None:
        """Seen red: without the limit on the route the sixth was answered 201."""
        invoice = await owed(acme)
        body = {"invoice_id": str(invoice.id)}
        statuses = [(await send(acme.owner.client, "/payments/intents", body)).status_code for _ in range(6)]
        assert statuses == [201] * 5 + [429]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"NEXUS_PAYMENTS_PROVIDER": "fake"}, "stand-in"),
        ({"NEXUS_PAYMENTS_FAKE_BASE": "http://127.0.0.1:1"}, "stand-in"),
        ({"NEXUS_PAYMENTS_STRIPE_SECRET_KEY": "sk_test_abc"}, "test key"),
        ({"NEXUS_PAYMENTS_STRIPE_API_BASE": "http://stripe.example"}, "https"),
    ],
)
def test_production_refuses_what_is_not_real(given: dict[str, str], fault: str) -> None:
    environ = {
        "NEXUS_ENV": "production",
        "NEXUS_SECRET_KEY": "x9Jq2-Lw7vRt4_bN8mKc5zHd3sFg6pYa",
        "NEXUS_PUBLIC_URL": "https://app.acme.sg",
    }
    load([KernelSettings, PaymentSettings], environ=environ, env_file=None)
    with pytest.raises(ConfigurationError, match=fault):
        load([KernelSettings, PaymentSettings], environ={**environ, **given}, env_file=None)
