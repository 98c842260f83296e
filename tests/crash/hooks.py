"""The app that is killed: webhooks both ways, and a shop that has something to say and counts what it hears."""

from nexuscore.kernel.app import compose
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Event
from nexuscore.kernel.module import Module
from nexuscore.modules.inbox import Handler, Received
from nexuscore.modules.inbox.module import module as inbox
from nexuscore.modules.webhooks.module import module as webhooks


class Sold(Event, type="shop.sold"):
    """Something was sold."""

    number: int


class Counted(Event, type="stall.counted", subject="event_id", public=False):
    """An event of a provider was taken in."""

    event_id: str


async def count(ctx: Ctx, received: Received) -> None:
    ctx.emit(Counted(event_id=received.event_id))


shop = Module(
    name="stall",
    package=None,
    needs=("inbox",),
    events=(Sold, Counted),
    contributes=(Handler("stripe", "*", count),),
)
modules = [inbox, shop, webhooks]
app = compose(modules)
