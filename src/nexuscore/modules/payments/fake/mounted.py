"""The stand-in of an app: its state in the data folder, and its events on their way to `/hooks/stripe`."""

import asyncio
from contextlib import suppress
from weakref import WeakKeyDictionary

from nexuscore.kernel.app import App
from nexuscore.kernel.log import get_logger
from nexuscore.modules.payments.fake.account import Account, signature
from nexuscore.modules.payments.fake.server import Stripe

_log = get_logger(__name__)
_made: WeakKeyDictionary[App, Stripe] = WeakKeyDictionary()
_carriers: WeakKeyDictionary[App, asyncio.Task[None]] = WeakKeyDictionary()


def stand_in(app: App) -> Stripe:
    """The stand-in of this process; in tests it is forgotten with the app."""
    found = _made.get(app)
    if found is None:
        base = f"{own_address(app)}/dev/stripe"
        kept = Account() if app.kernel.env == "test" else Account.opened(app.kernel.data / "stripe_stand_in.json")
        found = _made[app] = Stripe(kept, base=base)
    return found


def own_address(app: App) -> str:
    """Where this installation is reached from this machine, also by a command that is not the server."""
    kernel = app.kernel
    if "public_url" in kernel.model_fields_set:
        return kernel.public_url
    return f"http://{'127.0.0.1' if kernel.host == '0.0.0.0' else kernel.host}:{kernel.port}"  # noqa: S104 - compared, not bound


def secret(app: App) -> str:
    """What its events are signed with: made from the installation's key."""
    return f"whsec_{app.keyring.sign('payments.fake', b'webhooks')}"


def carry_soon(app: App) -> None:
    """Have somebody take its events to our own webhook address, as long as there are any."""
    task = _carriers.get(app)
    if task is None or task.done():
        _carriers[app] = asyncio.create_task(_carry(app))


async def _carry(app: App) -> None:
    import httpx2  # heavy, and only for whoever tries things out

    stripe, url = stand_in(app), f"{own_address(app)}/hooks/stripe"
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        while (stripe.account.deliveries or stripe.account.later) and not app.stopping.is_set():
            stripe.pass_time()
            for body in stripe.account.due():
                headers = {"content-type": "application/json", "stripe-signature": signature(secret(app), body)}
                try:
                    answer = await client.post(url, content=body, headers=headers)
                    _log.info("stand_in_told", status=answer.status_code)
                except httpx2.HTTPError as error:
                    _log.warning("stand_in_cannot_tell", url=url, error=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(app.stopping.wait(), 0.3)
