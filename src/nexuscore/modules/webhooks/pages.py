"""Webhooks in the console: endpoints, what was sent to them and what came back, and what can be asked for."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from nexuscore.kernel.http import Nav, PageQuery, Pages, Query, Schema, View, Went
from nexuscore.modules.webhooks import deliveries, endpoints, payloads, replays
from nexuscore.modules.webhooks.routes import (
    CanManage,
    CanManageDelivery,
    CanManageEndpoint,
    CanRead,
    CanReadDelivery,
    CanReadEndpoint,
)
from nexuscore.modules.webhooks.schemas import EndpointChange, NewEndpoint, NewTest, Rotation, Since, Window

pages = Pages("/webhooks", tag="Webhooks")


class DaysBack(Schema):
    """How far back to go."""

    days: int = Field(1, ge=1, le=90)


@pages.get(title="Webhooks", nav=Nav("Build", icon="webhook", order=10), listing=endpoints.ENDPOINTS)
async def webhooks_page(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> View:
    """The organisation's endpoints."""
    return View("endpoints.html", endpoints=await endpoints.page(ctx, query))


@pages.get("/new", title="New endpoint")
async def new_endpoint_page(ctx: CanManage) -> View:
    """A form for an endpoint."""
    return View("endpoint_form.html", endpoint=None, types=payloads.catalogue(ctx.app))


@pages.post("/new")
async def create_endpoint_page(ctx: CanManage, new: NewEndpoint) -> View:
    """Add it, and show its secret this once."""
    endpoint, secret = await endpoints.create(ctx, new)
    return View("endpoint_secret.html", title=endpoint.url, endpoint=endpoint, secret=secret)


@pages.get("/deliveries", title="Deliveries", nav=Nav("Build", icon="send", order=11), listing=deliveries.DELIVERIES)
async def deliveries_page(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> View:
    """What was sent, newest first."""
    return View("deliveries.html", deliveries=await deliveries.page(ctx, query))


@pages.get("/deliveries/{delivery_id}", title="Delivery")
async def delivery_page(ctx: CanReadDelivery) -> View:
    """One delivery: what was sent, and every try."""
    endpoint = await endpoints.get(ctx, ctx.row.endpoint_id)
    tries = await deliveries.attempts(ctx, ctx.row)
    return View("delivery.html", title=ctx.row.event_type, delivery=ctx.row, endpoint=endpoint, tries=tries)


@pages.post("/deliveries/{delivery_id}/retry", shows=delivery_page)
async def retry_delivery_page(ctx: CanManageDelivery) -> Went:
    """Try it again now."""
    await deliveries.retry(ctx, ctx.row, await endpoints.get(ctx, ctx.row.endpoint_id))
    return Went(f"/console/webhooks/deliveries/{ctx.row.id}", say="It is tried again now.")


@pages.post("/deliveries/{delivery_id}/cancel", shows=delivery_page)
async def cancel_delivery_page(ctx: CanManageDelivery) -> Went:
    """Do not try it again."""
    await deliveries.cancel(ctx, ctx.row)
    return Went(f"/console/webhooks/deliveries/{ctx.row.id}", say="It is not tried again.", kind="warning")


@pages.get("/events", title="Event catalogue", nav=Nav("Build", icon="list", order=12))
async def event_types_page(ctx: CanRead) -> View:
    """Everything an endpoint can ask for."""
    return View("event_types.html", types=payloads.catalogue(ctx.app))


@pages.get("/events/{type}", title="Event type")
async def event_type_page(ctx: CanRead, type: str) -> View:
    """One event type, with its schema and an example."""
    return View("event_type.html", title=type, preview=payloads.preview(ctx.app, type))


@pages.get("/{endpoint_id}", title="Endpoint")
async def endpoint_page(ctx: CanReadEndpoint) -> View:
    """One endpoint, and how it fares."""
    asked = deliveries.DELIVERIES.asks(PageQuery).model_validate({"limit": 10, "endpoint_id": ctx.row.id})
    return View(
        "endpoint.html",
        title=ctx.row.url,
        endpoint=ctx.row,
        stats=await deliveries.stats(ctx, ctx.row),
        deliveries=await deliveries.page(ctx, asked),
        types=payloads.catalogue(ctx.app),
    )


@pages.post("/{endpoint_id}")
async def change_endpoint_page(ctx: CanManageEndpoint, change: EndpointChange) -> Went:
    """Change it."""
    await endpoints.change(ctx, ctx.row, change)
    return Went(f"/console/webhooks/{ctx.row.id}", say="The endpoint is changed.")


@pages.post("/{endpoint_id}/delete", shows=endpoint_page)
async def delete_endpoint_page(ctx: CanManageEndpoint) -> Went:
    """Remove it."""
    await endpoints.delete(ctx, ctx.row)
    return Went("/console/webhooks", say="The endpoint is removed.", kind="warning")


@pages.post("/{endpoint_id}/rotate", shows=endpoint_page)
async def rotate_endpoint_page(ctx: CanManageEndpoint, given: Rotation) -> View:
    """A new secret, shown this once."""
    endpoint, secret = await endpoints.rotate_secret(ctx, ctx.row, given.overlap_hours)
    return View("endpoint_secret.html", title=endpoint.url, endpoint=endpoint, secret=secret)


@pages.post("/{endpoint_id}/enable", shows=endpoint_page)
async def enable_endpoint_page(ctx: CanManageEndpoint) -> Went:
    """Tell it of events again."""
    await endpoints.enable(ctx, ctx.row)
    return Went(f"/console/webhooks/{ctx.row.id}", say="The endpoint is on.")


@pages.post("/{endpoint_id}/disable", shows=endpoint_page)
async def disable_endpoint_page(ctx: CanManageEndpoint) -> Went:
    """Tell it of nothing more."""
    await endpoints.disable(ctx, ctx.row, "by_user")
    return Went(f"/console/webhooks/{ctx.row.id}", say="The endpoint is off.", kind="warning")


@pages.post("/{endpoint_id}/test", shows=endpoint_page)
async def test_endpoint_page(ctx: CanManageEndpoint, given: NewTest) -> Went:
    """Send it a made-up event."""
    delivery = await deliveries.send_test(ctx, ctx.row, given.type)
    return Went(f"/console/webhooks/deliveries/{delivery.id}", say="A test is on its way.")


@pages.post("/{endpoint_id}/recover", shows=endpoint_page)
async def recover_endpoint_page(ctx: CanManageEndpoint, given: DaysBack) -> Went:
    """Begin failed deliveries anew."""
    since = Since(since=ctx.now - timedelta(days=given.days))
    number = await deliveries.recover(ctx, ctx.row, since.since)
    return Went(f"/console/webhooks/{ctx.row.id}", say="Deliveries begun anew: {number}.", number=number)


@pages.post("/{endpoint_id}/replay", shows=endpoint_page)
async def replay_endpoint_page(ctx: CanManageEndpoint, given: DaysBack) -> Went:
    """Deliver what it was not sent."""
    await replays.begin(ctx, ctx.row, Window(since=ctx.now - timedelta(days=given.days)))
    return Went(f"/console/webhooks/{ctx.row.id}", say="What was missed is sent in the background.")
