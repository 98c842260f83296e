"""What webhooks do on the side."""

from datetime import timedelta
from uuid import UUID

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Event, Fact, on
from nexuscore.kernel.jobs import every, outcall, worker
from nexuscore.modules.webhooks import deliveries, replays, sending
from nexuscore.modules.webhooks.replays import Replay
from nexuscore.modules.webhooks.settings import WebhookSettings
from nexuscore.modules.webhooks.waking import Deliver, wake

_SOME = 5000
_OLD = (
    "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries"
    " WHERE id < $1 AND state <> 'pending' ORDER BY id LIMIT $2) RETURNING true"
)
_FORGOTTEN = (
    "SELECT e.org_id, e.id FROM webhook_endpoints e WHERE NOT e.is_deleted AND e.state = 'enabled'"
    " AND (e.rest_until IS NULL OR e.rest_until < $1) AND EXISTS (SELECT FROM webhook_deliveries d"
    " WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.next_try_at < $1) LIMIT 1000"
)


def _publishes(event: Event, org: UUID | None) -> bool:
    return event.public and org is not None


@on(Event, when=_publishes)
async def fan_out(ctx: Ctx, fact: Fact[Event]) -> None:
    """Whatever happens in an organisation, its endpoints are told if they want to know."""
    await deliveries.fan_out(ctx, fact)


@outcall(Deliver)
async def deliver(ctx: Ctx, job: Deliver) -> sending.Batch | None:
    """Send an endpoint what is due."""
    return await sending.claim(ctx, job)


@deliver.call
async def call(app: App, batch: sending.Batch) -> list[sending.Outcome]:
    """The calls, with no transaction open."""
    return await sending.call(app, batch)


@deliver.record
async def record(ctx: Ctx, batch: sending.Batch, outcomes: list[sending.Outcome]) -> None:
    """What came of them."""
    await sending.record(ctx, batch, outcomes)


@worker(Replay)
async def replay(ctx: Ctx, job: Replay) -> None:
    """Deliver what an endpoint missed."""
    await replays.go_on(ctx, job)


@every("* * * * *")
async def wake_the_forgotten(ctx: Ctx) -> None:
    """A net below the jobs: an endpoint whose job was dropped by hand, or parked, is served again."""
    async with ctx.across_orgs("deliveries may be overdue anywhere") as everywhere:
        rows = await everywhere.db.raw(_FORGOTTEN, ctx.now - timedelta(seconds=60))
    for row in rows:
        async with ctx.in_org(row.org_id) as there:
            await wake(there, row.id)


@every("20 3 * * *")
async def prune(ctx: Ctx) -> None:
    """Forget old deliveries and their attempts."""
    keep = timedelta(days=ctx.app.settings[WebhookSettings].keep_days)
    async with ctx.across_orgs("old deliveries are forgotten for everybody") as everywhere:
        first_kept = UUID(int=int((ctx.now - keep).timestamp() * 1000) << 80)  # ids begin with their time
        while len(await everywhere.db.raw(_OLD, first_kept, _SOME)) == _SOME:
            pass
