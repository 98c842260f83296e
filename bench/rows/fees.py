"""The platform's fee in a transaction that is open: read from the cache, and as it would be without one."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from time import process_time

from bench.figures import Figure, Target
from bench.row import Row, Run
from bench.stage import folder
from nexuscore.kernel import migrate, postgres
from nexuscore.kernel.app import compose
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.money import Money
from nexuscore.kernel.settings import KernelSettings, Settings, load
from nexuscore.kernel.tables import APP_ROLE
from nexuscore.main import DEFAULT_MODULES
from nexuscore.modules import fees

TIMES = 2_000
MICROSECONDS = 1_000_000
TICKET = Money(10_000, "SGD")
READ = "SELECT fee_percentage, is_active FROM core_platform_fee_config"


async def _uncached(ctx: Ctx) -> Decimal:
    [row] = await ctx.db.raw(READ)
    return Decimal(row.fee_percentage) if row.is_active else Decimal(0)


async def _order(ctx: Ctx) -> fees.OrderFigures:
    return await fees.order(ctx, TICKET, 5)


async def _spent(ctx: Ctx, read: Callable[[Ctx], Awaitable[object]]) -> float:
    """CPU µs of this process for one read."""
    await read(ctx)
    began = process_time()
    for _ in range(TIMES):
        await read(ctx)
    return (process_time() - began) / TIMES * MICROSECONDS


async def _fees(run: Run) -> list[Figure]:
    with folder() as data:
        server = await postgres.start(data / "fees", owner="bench", durable=False)
        classes: list[type[Settings]] = [KernelSettings, *(cls for m in DEFAULT_MODULES for cls in m.settings)]
        environ = {"NEXUS_ENV": "test", "NEXUS_DATA": str(data)}
        app = compose(DEFAULT_MODULES, settings=load(classes, environ=environ, env_file=None))
        try:
            await migrate.upgrade(app, server.dsn("postgres"))
            await app.start(server.dsn("postgres", APP_ROLE))
            ways = {"the percentage": fees.percentage, "all of an order": _order, "without the cache": _uncached}
            found: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(run.rounds):
                async with app.context() as ctx:
                    for name, way in ways.items():
                        found[name].append(await _spent(ctx, way))
        finally:
            await app.stop()
            await server.stop()
    promised = {"the percentage": Target(10)}
    return [Figure(name, "CPU µs", tuple(values), promised.get(name)) for name, values in found.items()]


ROWS = [Row("fees", "The platform's fee, read", _fees)]
