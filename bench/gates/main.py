"""Gates that cost what a request may cost, served without a database: `python -m bench.gates.main <port>`."""

import asyncio
import sys
from typing import Annotated

import uvicorn

from nexuscore.kernel.app import App, compose
from nexuscore.kernel.http import Exchange, Public, Reply, Routes
from nexuscore.kernel.module import Module

Anybody = Annotated[Exchange, Public("A bench asks.")]
WORK = 0.5  # seconds a gate waits, as for a slow database
routes = Routes("/gates", tag="Gates")


@routes.get("/quick")
async def quick_gate(exchange: Anybody) -> Reply:
    """Nothing but the limit."""
    return Reply(body=b"{}")


@routes.get("/normal")
async def normal_gate(exchange: Anybody) -> Reply:
    """What most ask for."""
    await asyncio.sleep(WORK)
    return Reply(body=b"{}")


@routes.get("/critical", priority="critical")
async def critical_gate(exchange: Anybody) -> Reply:
    """What must be answered, and soon is."""
    await asyncio.sleep(WORK / 25)
    return Reply(body=b"{}")


app: App = compose([Module(name="gates", package=None, routes=(routes,))])


async def _serve(port: int) -> None:
    if app.redis is not None:
        await app.redis.start()
    config = uvicorn.Config(app, port=port, lifespan="off", log_config=None, access_log=False)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
