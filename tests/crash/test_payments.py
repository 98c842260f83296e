"""Money survives `kill -9` between the provider's yes and our record of it: taken once, sent back once, booked once.

The stand-in runs in this process and says when a call has reached it. Workers are killed while calls wait there: one
half has had its effect and not its answer, the other not even its effect. One round here, ten with `make soak`.
Seen red with keys of their own for each call: of `create` and `confirm`, what had been charged was charged again; of
`refund`, what had gone back was booked as refused.
"""

import asyncio
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from nexuscore.modules import invoices, payments
from nexuscore.modules.books.testing import findings_of
from nexuscore.modules.invoices import NewLine
from nexuscore.modules.payments.testing import Answer, Stripe, kept_card, send_back, serving
from tests.crash.places import Place, end, opened
from tests.crash.till import modules

pytestmark = pytest.mark.anyio
ROUNDS, EACH = 10 if os.environ.get("NEXUS_SOAK") else 1, 6  # as many calls as one worker has under way
ORG = UUID(int=7)
FOUND = (
    "INSERT INTO organisations (id, name, slug, gst_registered, billing_email, time_zone, locale)"
    f" VALUES ('{ORG}', 'Acme Pte. Ltd.', 'acme', false, 'acme@example.com', 'Asia/Singapore', 'en-SG')"
)
WAITING = "SELECT count(*) AS n FROM pgqueuer WHERE entrypoint IN ('payments.charge', 'payments.send_refund')"


class Slow(Stripe):
    """Stripe on a bad day: while `hold` is a path, calls to it wait there, in turn before and after their effect."""

    def __init__(self) -> None:
        super().__init__()
        self.hold = ""
        self.reached = 0
        self.go_on = threading.Event()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if method != "POST" or not self.hold or not target.endswith(self.hold):
            return super().answer(method, target, headers, body)
        with self.account.lock:
            self.reached += 1
            early = self.reached % 2 == 0
        if early:
            self.go_on.wait(60)  # nobody is left to hear the answer, and nothing has happened
            return Answer(500, b"{}")
        found = super().answer(method, target, headers, body)
        self.go_on.wait(60)
        return found


@pytest.fixture
def stripe() -> Iterator[Slow]:
    slow = Slow()
    with serving(slow):
        yield slow
        slow.go_on.set()


@pytest.fixture
async def place(anyio_backend: str, stripe: Slow) -> AsyncIterator[Place]:
    async with opened(modules, "tests.crash.till:app", NEXUS_PAYMENTS_FAKE_BASE=stripe.base) as place:
        yield place


@pytest.fixture
def workers(place: Place) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """The one that works now."""
    running = [place.start("worker")]
    yield running
    end(running.pop())


@asynccontextmanager
async def killed_at(
    place: Place, stripe: Slow, workers: list["subprocess.Popen[bytes]"], path: str
) -> AsyncIterator[None]:
    """The worker is killed once all its calls wait at the provider; another one ends the work."""
    stripe.hold, stripe.reached = path, 0
    stripe.go_on.clear()
    try:
        yield
        async with asyncio.timeout(60):
            while stripe.reached < EACH:
                await asyncio.sleep(0.01)
        end(workers.pop())
        workers.append(place.start("worker"))
    finally:
        stripe.hold = ""
        stripe.go_on.set()
    async with asyncio.timeout(120):
        while (await place.asked(WAITING))[0].n:
            await asyncio.sleep(0.05)


async def test_money_moves_once_though_workers_are_killed(
    place: Place, stripe: Slow, workers: list["subprocess.Popen[bytes]"]
) -> None:
    app = place.app
    async with app.context(across=True) as ctx:
        await ctx.db.raw(FOUND)
    await kept_card(app, ORG)
    ids: list[UUID] = []
    for _ in range(ROUNDS):
        async with killed_at(place, stripe, workers, "/confirm"):
            for _ in range(EACH):
                async with app.context(org=ORG) as ctx:
                    invoice = await invoices.issue(ctx, [NewLine(description="A month", unit_price=9_900)])
                    await payments.charge(ctx, invoice.id, key=str(invoice.id))
                    ids.append(invoice.id)
        charged = [each for each in stripe.account.all("charge") if each["paid"]]
        assert sorted(each["metadata"]["invoice_id"] for each in charged) == sorted(map(str, ids)), "each is paid once"
        assert await findings_of(app) == []
        async with killed_at(place, stripe, workers, "/refunds"):
            for id in ids[-EACH:]:
                async with app.context(org=ORG) as ctx:
                    await send_back(ctx, id)
        sent = list(stripe.account.all("refund"))
        assert sorted(each["metadata"]["payment_id"] for each in sent) == sorted(
            each["metadata"]["payment_id"] for each in charged
        ), "each went back once"
        assert await findings_of(app) == []
    facts = await place.asked("SELECT type, count(*) AS n FROM events WHERE type LIKE 'payment.%' GROUP BY type")
    told = {row.type: row.n for row in facts}
    assert (told["payment.completed"], told["payment.refunded"]) == (len(ids), len(ids))
    (row,) = await place.asked(
        "SELECT sum(amount) FILTER (WHERE account = 'processor') AS held, sum(amount) FILTER (WHERE account ="
        " 'processor_fees') AS fees, sum(amount) FILTER (WHERE account = 'receivable') AS due FROM journal_postings"
    )
    fees = sum(each["fee"] for each in stripe.account.all("balance_transaction"))
    assert (row.held, row.fees, row.due) == (-fees, fees, 0), "what Stripe kept is all that is left of it"
