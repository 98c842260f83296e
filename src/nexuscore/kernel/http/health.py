"""Is it alive, is it ready, and how is it: for load balancers, monitors and people."""

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Annotated

from pydantic_core import to_json

from nexuscore.kernel import health, metrics, siblings
from nexuscore.kernel.access import Permission, can
from nexuscore.kernel.crypto import same
from nexuscore.kernel.errors import AuthenticationError, NexusError
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.routes import Public, Routes

SEE_HEALTH = Permission(
    "kernel.health.read", "See what the installation depends on, and how it is.", ("platform:admin",)
)
health_routes = Routes("", tag="Health", outside_api=True, unlimited="probes ask as often as they were told to")
Anybody = Annotated[Exchange, Public("Load balancers and monitors do not sign in.")]
Monitor = Annotated[Exchange, Public("Monitors do not sign in: NEXUS_METRICS_TOKEN opens it.")]
_born = monotonic()


@health_routes.get("/health", priority="critical", unidentified=True)
async def health_of_all(exchange: Anybody) -> Reply:
    """How the installation is, in one word; for administrators and monitors, each thing it depends on."""
    found = await health.look(exchange.app)
    told: dict[str, object] = {"status": found.status, "uptime_s": round(monotonic() - _born)}
    if _is_monitor(exchange) or await _is_administrator(exchange):
        told["checks"] = {name: {"state": each.state, **each.facts} for name, each in found.checks.items()}
    return _reply(503 if found.status == "unhealthy" else 200, told)


@health_routes.get("/health/live", priority="critical", unidentified=True)
async def live(exchange: Anybody) -> Reply:
    """Whether the process answers at all. Never depends on anything else."""
    return _reply(200, {"status": "alive", "uptime_s": round(monotonic() - _born)})


@health_routes.get("/health/ready", priority="critical", unidentified=True)
async def ready(exchange: Anybody) -> Reply:
    """Whether to send it requests: not while it starts, drains, or lacks what it cannot do without."""
    if exchange.app.draining.is_set() or exchange.app.stopping.is_set():
        return _reply(503, {"status": "stopping"})
    found = await health.look(exchange.app, required_only=True)
    return _reply(200 if found.ready else 503, {"status": "ready" if found.ready else "not_ready"})


@health_routes.get("/metrics", priority="critical", unidentified=True)
async def prometheus(exchange: Monitor) -> Reply:
    """The figures of all processes on this machine, in Prometheus's text format."""
    kernel = exchange.app.kernel
    if not _is_monitor(exchange) and (kernel.metrics_token is not None or kernel.env == "production"):
        raise AuthenticationError("Send the token of NEXUS_METRICS_TOKEN as a bearer token.")
    with suppress(NexusError, OSError, TimeoutError):  # without a database the rest is all the more wanted
        await health.look(exchange.app)
    text = await siblings.figures(exchange.app) + metrics.of_installation()
    return Reply(body=text.encode(), media=metrics.MEDIA)


async def _is_administrator(exchange: Exchange) -> bool:
    """Whether the caller may see the details; not when that cannot be found out, as without a database."""
    if not {"authorization", "cookie"} & exchange.headers.keys():
        return False
    try:
        async with asyncio.timeout(health.PATIENCE):
            return can(await exchange.app.authenticator.identify(exchange.app, exchange), SEE_HEALTH.name)
    except Exception:  # noqa: BLE001 - who cannot be identified is nobody
        return False


def _is_monitor(exchange: Exchange) -> bool:
    token = exchange.app.kernel.metrics_token
    scheme, _, given = exchange.headers.get("authorization", "").partition(" ")
    return token is not None and scheme.lower() == "bearer" and same(given.strip(), token.get_secret_value())


def _reply(status: int, body: dict[str, object]) -> Reply:
    return Reply(status, to_json(body)).header("cache-control", "no-store")
