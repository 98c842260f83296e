"""One gate with a limit, without a database, a process for each port: `python -m tests.kernel.gate <port> …`."""

import asyncio
import os
import sys
from typing import Annotated

import uvicorn

from nexuscore.kernel.app import App, compose
from nexuscore.kernel.http import Exchange, Reply, Routes, SignedIn
from nexuscore.kernel.limits import Limit
from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import Personas

LEFT = 50
GATE = Limit("gate", f"{LEFT}/h", per="organisation", fail="closed")
routes = Routes("/gate", tag="Gate")


@routes.post("", limit=GATE, unrepeatable="it only counts")
async def pass_gate(exchange: Annotated[Exchange, SignedIn()]) -> Reply:
    """So many an hour, for an organisation."""
    return Reply(body=b"{}")


def made() -> App:
    app = compose([Module(name="gate", package=None, routes=(routes,))])
    app.authenticator = Personas()
    return app


async def serve(port: int) -> None:
    app = made()
    assert app.redis is not None
    await app.redis.start()
    await uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_config=None)).serve()
    await app.redis.stop()


if __name__ == "__main__":
    *others, last = map(int, sys.argv[1:])
    asyncio.run(serve(next((port for port in others if os.fork() == 0), last)))
