"""What the console's search finds of webhooks: endpoints by their address, deliveries by their id."""

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy import bindparam, or_, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.filters import holding
from nexuscore.kernel.http.pages import Finder, Found
from nexuscore.kernel.i18n import translate
from nexuscore.kernel.ids import uuid_in
from nexuscore.modules.webhooks.permissions import READ
from nexuscore.modules.webhooks.tables import Delivery, Endpoint

_endpoints = select(Endpoint.id, Endpoint.url, Endpoint.description)
_CALLED = (
    _endpoints.where(or_(Endpoint.url.ilike(bindparam("words")), Endpoint.description.ilike(bindparam("words"))))
    .order_by(Endpoint.id.desc())
    .limit(5)
)
_NUMBERED = _endpoints.where(Endpoint.id == bindparam("number"))
_DELIVERIES = (
    select(Delivery.id, Delivery.event_type)
    .where(or_(Delivery.id == bindparam("number"), Delivery.event_id == bindparam("number")))
    .order_by(Delivery.id.desc())
    .limit(5)
)


class WebhookFinder(Finder):
    """Endpoints by address, description or id; deliveries by their id or their event's."""

    permission: ClassVar[str | None] = READ.name

    async def find(self, ctx: Ctx, words: str) -> Sequence[Found]:
        """The newest few."""
        number = uuid_in(words)
        if number is None:
            endpoints, deliveries = await ctx.db.all(_CALLED, words=holding(words)), []
        else:
            endpoints = await ctx.db.all(_NUMBERED, number=number)
            deliveries = await ctx.db.all(_DELIVERIES, number=number)
        endpoint, delivery = translate(ctx.locale, "Endpoint"), translate(ctx.locale, "Delivery")
        return [
            *(Found(row.url, endpoint, f"/console/webhooks/{row.id}", row.description) for row in endpoints),
            *(
                Found(row.event_type, delivery, f"/console/webhooks/deliveries/{row.id}", str(row.id))
                for row in deliveries
            ),
        ]
