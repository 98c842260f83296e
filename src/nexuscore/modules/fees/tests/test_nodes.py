"""Two processes that share a Redis: a change in one is what the other reads, within five seconds of its commit."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from nexuscore.kernel.app import App, compose
from nexuscore.kernel.module import Module
from nexuscore.kernel.settings import KernelSettings, Settings, load
from nexuscore.kernel.testing import House
from nexuscore.kernel.testing_redis import RedisServer
from nexuscore.modules import fees
from nexuscore.modules.fees import service
from nexuscore.modules.fees.schemas import FeeChangeIn

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(settings: dict[str, str], redis_server: RedisServer) -> dict[str, str]:
    return {**settings, "NEXUS_REDIS_URL": redis_server.url}


@pytest.fixture
async def other(
    committed_house: House, modules: list[Module], settings: dict[str, str], tmp_path: Path
) -> AsyncIterator[App]:
    """The same app once more, as another process would have it."""
    classes: list[type[Settings]] = [KernelSettings, *(cls for module in modules for cls in module.settings)]
    environ = {"NEXUS_ENV": "test", "NEXUS_DATA": str(tmp_path), **settings}
    app = compose(modules, settings=load(classes, environ=environ, env_file=None))
    await app.start(committed_house.dsn)
    try:
        yield app
    finally:
        await app.stop()


async def read(app: App) -> tuple[str, str, str]:
    async with app.context() as ctx:
        fee = await fees.configuration(ctx)
        return str(fee.fee_percentage), str(await fees.percentage(ctx)), str(await fees.decimal(ctx))


async def test_a_change_here_is_read_there(committed_house: House, other: App) -> None:
    here = committed_house.app
    for percentage in ("11.00", "12.50"):
        await read(here)
        await read(other)
        async with here.context() as ctx:
            await service.change(ctx, FeeChangeIn(fee_percentage=Decimal(percentage), reason="a test"))
        assert (await read(here))[0] == percentage
        async with asyncio.timeout(5):
            while (await read(other))[:2] != (percentage, percentage):
                await asyncio.sleep(0.01)
        assert Decimal((await read(other))[2]) == Decimal(percentage) / 100
