"""What money costs: an invoice drafted, finalised, booked and announced, beside a plain insert; and a PDF."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from time import perf_counter, process_time
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import psutil

from bench.figures import Figure, Target
from bench.row import Row, Run
from bench.stage import family, folder
from nexuscore.kernel import migrate, postgres
from nexuscore.kernel.app import App, compose
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.settings import KernelSettings, Settings, load
from nexuscore.kernel.tables import APP_ROLE
from nexuscore.main import DEFAULT_MODULES
from nexuscore.modules import invoices
from nexuscore.modules.invoices import NewLine, printed_in

MILLISECONDS = 1000
EACH = 100  # to a round
PRINTS = 10
ORG = UUID(int=7)
TABLE = "CREATE TABLE bench_things (id uuid PRIMARY KEY, org_id uuid NOT NULL, title text NOT NULL)"
LINES = [
    NewLine(description="Professional, November 2026", unit_price=9900),
    NewLine(description="Onboarding, hours", quantity=Decimal("1.5"), unit_price=20_000),
]
SUPPLIER = {
    "NEXUS_INVOICES_SUPPLIER_UEN": "201912345R",
    "NEXUS_INVOICES_SUPPLIER_GST_NUMBER": "201912345R",
    "NEXUS_INVOICES_SUPPLIER_ADDRESS": "1 Raffles Place; Singapore 048616",
}
FOUND = (
    "INSERT INTO organisations (id, name, slug, gst_registered, gst_number, billing_email, time_zone, locale)"
    " VALUES ($1, 'Bench Pte. Ltd.', 'bench', true, 'M90312345A', 'bench@example.com', 'Asia/Singapore', 'en-SG')"
)


@dataclass(slots=True)
class Place:
    """The app, started, and its database."""

    app: App
    database: postgres.Server

    async def slice(self, verb: Callable[[Ctx], Awaitable[object]]) -> tuple[float, float]:
        """Milliseconds for one: of the clock, and of CPU, ours and PostgreSQL's together."""
        processes = [psutil.Process(), *family(psutil.Process(self.database.pid))]
        before, started = _cpu(processes), perf_counter()
        for _ in range(EACH):
            async with self.app.context(org=ORG) as ctx:
                await verb(ctx)
        return (perf_counter() - started) / EACH * MILLISECONDS, (_cpu(processes) - before) / EACH * MILLISECONDS


async def _insert(ctx: Ctx) -> None:
    await ctx.db.raw("INSERT INTO bench_things VALUES ($1, $2, 'Thing of a bench')", uuid4(), ORG)


async def _issue(ctx: Ctx) -> None:
    await invoices.issue(ctx, LINES)


async def _issued(run: Run) -> list[Figure]:
    async with _place() as place:
        plain: list[tuple[float, float]] = []
        issued: list[tuple[float, float]] = []
        for verb in (_insert, _issue):
            await place.slice(verb)
        for _ in range(run.rounds):
            plain.append(await place.slice(_insert))
            issued.append(await place.slice(_issue))
    clock = tuple(whole[0] / less[0] for whole, less in zip(issued, plain, strict=True))
    cpu = tuple(whole[1] / less[1] for whole, less in zip(issued, plain, strict=True))
    return [
        Figure("a plain insert, committed", "ms", tuple(each[0] for each in plain)),
        Figure("an invoice drafted, finalised, booked, announced", "ms", tuple(each[0] for each in issued)),
        Figure("such an invoice", "times the insert, by the clock", clock, Target(3)),
        Figure("such an invoice", "times the insert, in CPU", cpu),
    ]


async def _printed(run: Run) -> list[Figure]:
    invoice: Any = SimpleNamespace(
        number="INV-202611-0001",
        currency="SGD",
        lines=[
            {"description": f"Line {number}", "quantity": "1", "unit_price": 9900, "amount": 9900, "code": "SR"}
            for number in range(10)
        ],
        gst_rate=Decimal("0.09"),
        subtotal=99_000,
        gst_amount=8_910,
        total=107_910,
        issued_on=date(2026, 11, 20),
        due_on=date(2026, 12, 20),
        customer_reference=None,
        memo=None,
        supplier={
            **dict.fromkeys(("uen", "gst_number", "paynow"), "201912345R"),
            "name": "NexusCore Pte. Ltd.",
            "address": ["1 Raffles Place"],
            "email": "",
            "phone": "",
            "bank": [],
        },
        customer={"name": "Bench Pte. Ltd.", "uen": None, "gst_number": "M90312345A", "address": None},
    )
    figures = []
    for language in ("en", "he", "pl"):
        printed_in(invoice, language)
        values, clock = [], []
        for _ in range(run.rounds):
            started, spent = perf_counter(), process_time()
            for _ in range(PRINTS):
                printed_in(invoice, language)
            clock.append((perf_counter() - started) / PRINTS * MILLISECONDS)
            values.append((process_time() - spent) / PRINTS * MILLISECONDS)
        what = f"an invoice of ten lines, with its QR code, {language}"
        figures += [Figure(what, "CPU ms", tuple(values), Target(60)), Figure(what, "ms", tuple(clock))]
    return figures


@asynccontextmanager
async def _place() -> AsyncIterator[Place]:
    with folder() as data:
        database = await postgres.start(data / "pg", owner="make bench")
        classes: list[type[Settings]] = [KernelSettings, *(cls for each in DEFAULT_MODULES for cls in each.settings)]
        environ = {"NEXUS_DATA": str(data), **SUPPLIER}
        app = compose(DEFAULT_MODULES, settings=load(classes, environ=environ, env_file=None))
        try:
            await migrate.upgrade(app, database.dsn())
            owner = await asyncpg.connect(database.dsn())
            await owner.execute(TABLE)
            await owner.close()
            await app.start(database.dsn(user=APP_ROLE))
            async with app.context(org=ORG) as ctx:
                await ctx.db.raw(FOUND, ORG)
            try:
                yield Place(app, database)
            finally:
                await app.stop()
        finally:
            await database.stop()


def _cpu(processes: list[psutil.Process]) -> float:
    spent = 0.0
    for process in processes:
        try:
            spent += sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return spent


ROWS = [Row("invoices", "Invoices", _issued), Row("pdf", "A PDF", _printed)]
