"""Webhooks over HTTP: parse, call one verb, return."""

from typing import Annotated, Any

from fastapi import Query

from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.db import Json
from nexuscore.kernel.http import Can, Page, PageQuery, Routes
from nexuscore.modules.webhooks import deliveries, endpoints, payloads, replays
from nexuscore.modules.webhooks.errors import AlreadyDelivered, EndpointDisabled, NotWaiting, TooManyEndpoints
from nexuscore.modules.webhooks.permissions import MANAGE, READ
from nexuscore.modules.webhooks.schemas import (
    AttemptOut,
    DeliveryOut,
    DeliveryWithBody,
    EndpointChange,
    EndpointOut,
    EndpointWithSecret,
    EventTypeOut,
    EventTypePreview,
    NewEndpoint,
    NewTest,
    Recovered,
    Replaying,
    Rotation,
    Since,
    Stats,
    Window,
)
from nexuscore.modules.webhooks.tables import Delivery, Endpoint

routes = Routes("/webhooks", tag="Webhooks")

CanRead = Annotated[Ctx, Can(READ)]
CanManage = Annotated[Ctx, Can(MANAGE)]
CanReadEndpoint = Annotated[RowCtx[Endpoint], Can(READ, row=endpoints.get)]
CanManageEndpoint = Annotated[RowCtx[Endpoint], Can(MANAGE, row=endpoints.get)]
CanReadDelivery = Annotated[RowCtx[Delivery], Can(READ, row=deliveries.get)]
CanManageDelivery = Annotated[RowCtx[Delivery], Can(MANAGE, row=deliveries.get)]


def _with_secret(endpoint: Endpoint, secret: str) -> EndpointWithSecret:
    shown = {name: getattr(endpoint, name) for name in EndpointOut.model_fields}
    return EndpointWithSecret(**shown, secret=secret)


@routes.get("/event-types", answer=list[EventTypeOut])
async def list_event_types(ctx: CanRead) -> list[dict[str, Any]]:
    """Every event type an endpoint can ask for."""
    return payloads.catalogue(ctx.app)


@routes.get("/event-types/{type}", answer=EventTypePreview)
async def preview_event_type(ctx: CanRead, type: str) -> dict[str, Any]:
    """One event type, with the JSON Schema of what is sent for it and an example."""
    return payloads.preview(ctx.app, type)


@routes.get("/endpoints", answer=Page[EndpointOut], listing=endpoints.ENDPOINTS)
async def list_endpoints(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> Json:
    """The organisation's endpoints, newest first."""
    return await endpoints.page(ctx, query)


@routes.post("/endpoints", answer=EndpointWithSecret, status=201, errors=[TooManyEndpoints])
async def create_endpoint(ctx: CanManage, new: NewEndpoint) -> EndpointWithSecret:
    """Add an endpoint. The answer holds its secret, which is not shown again."""
    return _with_secret(*await endpoints.create(ctx, new))


@routes.get("/endpoints/{endpoint_id}", answer=EndpointOut)
async def read_endpoint(ctx: CanReadEndpoint) -> Endpoint:
    """One endpoint."""
    return ctx.row


@routes.patch("/endpoints/{endpoint_id}", answer=EndpointOut)
async def change_endpoint(ctx: CanManageEndpoint, change: EndpointChange) -> Endpoint:
    """Change the given fields of an endpoint."""
    return await endpoints.change(ctx, ctx.row, change)


@routes.delete("/endpoints/{endpoint_id}")
async def delete_endpoint(ctx: CanManageEndpoint) -> None:
    """Remove an endpoint; what waits for it is cancelled."""
    await endpoints.delete(ctx, ctx.row)


@routes.post("/endpoints/{endpoint_id}/rotate-secret", answer=EndpointWithSecret)
async def rotate_endpoint_secret(ctx: CanManageEndpoint, rotation: Rotation) -> EndpointWithSecret:
    """Make a new secret, shown this once. The old one signs beside it for the overlap."""
    return _with_secret(*await endpoints.rotate_secret(ctx, ctx.row, rotation.overlap_hours))


@routes.post("/endpoints/{endpoint_id}/enable", answer=EndpointOut)
async def enable_endpoint(ctx: CanManageEndpoint) -> Endpoint:
    """Tell the endpoint of events again, from now on. See `replay` for what it missed."""
    return await endpoints.enable(ctx, ctx.row)


@routes.post("/endpoints/{endpoint_id}/disable", answer=EndpointOut)
async def disable_endpoint(ctx: CanManageEndpoint) -> Endpoint:
    """Tell the endpoint of nothing more; what waits for it is cancelled."""
    return await endpoints.disable(ctx, ctx.row, "by_user")


@routes.post("/endpoints/{endpoint_id}/test", answer=DeliveryOut, status=201)
async def test_endpoint(ctx: CanManageEndpoint, test: NewTest) -> Delivery:
    """Send the endpoint a made-up event of a type; its body says `"test": true`."""
    return await deliveries.send_test(ctx, ctx.row, test.type)


@routes.post("/endpoints/{endpoint_id}/recover", answer=Recovered, errors=[EndpointDisabled])
async def recover_endpoint(ctx: CanManageEndpoint, since: Since) -> Recovered:
    """Begin every failed delivery since a time anew."""
    return Recovered(deliveries=await deliveries.recover(ctx, ctx.row, since.since))


@routes.post("/endpoints/{endpoint_id}/replay", answer=Replaying, status=202, errors=[EndpointDisabled])
async def replay_endpoint(ctx: CanManageEndpoint, window: Window) -> Replaying:
    """Deliver what the endpoint wanted and was not sent, by default since it was last disabled."""
    return await replays.begin(ctx, ctx.row, window)


@routes.get("/endpoints/{endpoint_id}/stats", answer=Stats)
async def read_endpoint_stats(ctx: CanReadEndpoint) -> Stats:
    """How the endpoint fares."""
    return await deliveries.stats(ctx, ctx.row)


@routes.get("/deliveries", answer=Page[DeliveryOut], listing=deliveries.DELIVERIES)
async def list_deliveries(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> Json:
    """The organisation's deliveries, newest first."""
    return await deliveries.page(ctx, query)


@routes.get("/deliveries/{delivery_id}", answer=DeliveryWithBody)
async def read_delivery(ctx: CanReadDelivery) -> Delivery:
    """One delivery, with what is sent."""
    return ctx.row


@routes.get("/deliveries/{delivery_id}/attempts", answer=list[AttemptOut])
async def list_attempts(ctx: CanReadDelivery) -> Json:
    """Every try of a delivery: when, how long, what came back, and when the next was to be."""
    return await deliveries.attempts(ctx, ctx.row)


@routes.post("/deliveries/{delivery_id}/retry", answer=DeliveryOut, errors=[AlreadyDelivered, EndpointDisabled])
async def retry_delivery(ctx: CanManageDelivery) -> Delivery:
    """Try a delivery again now, with all the tries of the schedule to come."""
    endpoint = await endpoints.get(ctx, ctx.row.endpoint_id)
    return await deliveries.retry(ctx, ctx.row, endpoint)


@routes.post("/deliveries/{delivery_id}/cancel", answer=DeliveryOut, errors=[NotWaiting])
async def cancel_delivery(ctx: CanManageDelivery) -> Delivery:
    """Do not try a delivery again."""
    return await deliveries.cancel(ctx, ctx.row)
