"""Short transactions of an operation that does slow work in between: hashing holds no connection."""

from contextlib import AbstractAsyncContextManager

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.modules.identity.counters import Counter, count


def begin(exchange: Exchange) -> AbstractAsyncContextManager[Ctx]:
    """A context of whoever sent the request, in a transaction that commits when the block ends."""
    identity = exchange.identity
    return exchange.app.context(
        org=identity.org,
        actor=identity.actor,
        locale=exchange.locale,
        request_id=exchange.request_id,
    )


async def guard(exchange: Exchange, *counters: Counter) -> None:
    """Count a try, whatever becomes of it, and stop here when there were too many."""
    async with begin(exchange) as ctx:
        exceeded = await count(ctx, *counters)
    if exceeded is not None:
        raise exceeded.error()
