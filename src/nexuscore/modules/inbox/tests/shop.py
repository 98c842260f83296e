"""A shop that counts what comes in, and fails when it is told to."""

from cryptography.hazmat.primitives.asymmetric import ec

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Event
from nexuscore.modules.inbox import Received

SENDGRID_KEY = ec.generate_private_key(ec.SECP256R1())
SECRETS = {
    "stripe": ["whsec_old_stripe", "whsec_new_stripe"],
    "standard": ["whsec_b2xkIHNlY3JldCBvZiBvbGQ=", "whsec_bmV3IHNlY3JldCBvZiBuZXc="],
    "github": ["github-old", "github-new"],
    "telegram": ["telegram-old", "telegram-new"],
    "generic": ["generic-old", "generic-new"],
}


class Counted(Event, type="shop.counted"):
    """The shop took something in."""

    event_id: str
    event_type: str


failures: list[str] = []


async def count(ctx: Ctx, received: Received) -> None:
    ctx.emit(Counted(event_id=received.event_id, event_type=received.type))


async def fail_as_told(ctx: Ctx, received: Received) -> None:
    ctx.emit(Counted(event_id="half", event_type="done"))
    if failures:
        raise RuntimeError(failures.pop())
