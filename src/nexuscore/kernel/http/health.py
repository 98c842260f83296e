"""Is it alive, is it ready: for load balancers and for people."""

from time import monotonic
from typing import Annotated

from pydantic_core import to_json

from nexuscore.kernel import metrics
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.routes import Public, Routes

health_routes = Routes("", tag="Health", outside_api=True)
Anybody = Annotated[Exchange, Public("Load balancers and monitors do not sign in.")]
_born = monotonic()


@health_routes.get("/health", priority="critical")
async def health(exchange: Anybody) -> Reply:
    """The state of the process and of what it depends on."""
    database = await _database(exchange)
    status = "healthy" if database == "up" else "unhealthy"
    return _reply(
        200 if database == "up" else 503,
        {"status": status, "uptime_s": round(monotonic() - _born), "checks": {"database": database}},
    )


@health_routes.get("/health/live", priority="critical")
async def live(exchange: Anybody) -> Reply:
    """Whether the process answers at all. Never depends on anything else."""
    return _reply(200, {"status": "alive", "uptime_s": round(monotonic() - _born)})


@health_routes.get("/health/ready", priority="critical")
async def ready(exchange: Anybody) -> Reply:
    """Whether to send it requests: not while it starts, drains, or lacks its database."""
    if exchange.app.stopping.is_set():
        return _reply(503, {"status": "stopping"})
    database = await _database(exchange)
    ok = database == "up"
    return _reply(
        200 if ok else 503,
        {"status": "ready" if ok else "not_ready", "checks": {"database": database}},
    )


@health_routes.get("/metrics", priority="critical")
async def prometheus(exchange: Anybody) -> Reply:
    """The process's figures in Prometheus's text format."""
    text = metrics.of_process() + metrics.of_installation()
    return Reply(body=text.encode(), media=metrics.MEDIA)


async def _database(exchange: Exchange) -> str:
    try:
        async with exchange.app.database.transaction() as db:
            await db.raw("SELECT 1")
    except Exception:  # noqa: BLE001 - whatever keeps it from answering, it is down
        return "down"
    return "up"


def _reply(status: int, body: dict[str, object]) -> Reply:
    return Reply(status, to_json(body)).header("cache-control", "no-store")
