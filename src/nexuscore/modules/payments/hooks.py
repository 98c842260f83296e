"""What Stripe tells us. An event only says where to look: jobs ask how it stands now, so order and repetition do not
matter."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, select, update

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import Job
from nexuscore.kernel.log import get_logger
from nexuscore.modules import inbox
from nexuscore.modules.inbox import Handler, Received
from nexuscore.modules.payments import foreign, methods, store
from nexuscore.modules.payments.events import (
    MethodRemoved,
    ProviderSubscriptionChanged,
    ProviderSubscriptionEnded,
    ProviderTrialEnding,
)
from nexuscore.modules.payments.fake.mounted import secret
from nexuscore.modules.payments.intents import Settle
from nexuscore.modules.payments.provider import Setup, is_pretended, provider
from nexuscore.modules.payments.states import BY_HAND
from nexuscore.modules.payments.tables import Payer, SavedMethod

_log = get_logger(__name__)
_PAYER = select(Payer).where(Payer.provider_id == bindparam("theirs"))
_GONE = (
    update(SavedMethod)
    .where(SavedMethod.provider_id == bindparam("theirs"), SavedMethod.removed_at.is_(None))
    .returning(SavedMethod)
)
_STRIPE = "stripe"


class KeepCard(Job, name="payments.keep_card"):
    """Remember the card of a setup somebody finished in a browser that did not come back."""

    provider: str
    setup: str


async def on_intent(ctx: Ctx, received: Received) -> None:
    """A payment moved."""
    thing = _thing(received)
    await _look(ctx, received, thing.get("id"), thing.get("metadata") or {})


async def on_charge(ctx: Ctx, received: Received) -> None:
    """An attempt to take money moved: it was refunded, or what Stripe keeps of it is known."""
    thing = _thing(received)
    await _look(ctx, received, thing.get("payment_intent"), thing.get("metadata") or {})


async def on_refund(ctx: Ctx, received: Received) -> None:
    """A refund moved, also one that was made at the provider."""
    thing = _thing(received)
    await _look(ctx, received, thing.get("payment_intent"), thing.get("metadata") or {}, refund=thing.get("id"))


async def on_dispute(ctx: Ctx, received: Received) -> None:
    """A dispute moved."""
    thing = _thing(received)
    await _look(ctx, received, thing.get("payment_intent"), {}, dispute=thing.get("id"))


async def on_setup(ctx: Ctx, received: Received) -> None:
    """A card was saved: remember it, whether or not the browser came back to say so."""
    thing = _thing(received)
    payer = await _payer(ctx, thing.get("customer"))
    if payer is None:
        _log.info("webhook_of_nobody", type=received.type, id=thing.get("id"))
        return
    async with ctx.in_org(payer.org_id) as there:
        there.enqueue(KeepCard(provider=payer.provider, setup=thing["id"]), unique=thing["id"])


async def on_method_detached(ctx: Ctx, received: Received) -> None:
    """The provider forgot a card."""
    id = _thing(received).get("id", "-")
    async with ctx.across_orgs("a provider names a card") as everywhere:
        row = await everywhere.db.first(_GONE, theirs=id, removed_at=ctx.now, is_default=False)
    if row is not None:
        async with ctx.in_org(row.org_id) as there:
            there.emit(MethodRemoved(method_id=row.id))


async def on_invoice(ctx: Ctx, received: Received) -> None:
    """Stripe's own invoices, where somebody uses them beside ours."""
    thing = _thing(received)
    payer = await _payer(ctx, thing.get("customer"))
    await foreign.heard(ctx, received.type, thing, payer.org_id if payer else None)


async def on_subscription(ctx: Ctx, received: Received) -> None:
    """Subscriptions kept at Stripe are told to whoever keeps ours; `at` says which news is newer."""
    thing = _thing(received)
    payer = await _payer(ctx, thing.get("customer"))
    if payer is None:
        _log.info("webhook_of_nobody", type=received.type, id=thing.get("id"))
        return
    at = _time(received.payload.get("created")) or ctx.now
    async with ctx.in_org(payer.org_id) as there:
        match received.type.rpartition(".")[2]:
            case "deleted":
                there.emit(ProviderSubscriptionEnded(provider_id=thing["id"], at=at))
            case "trial_will_end":
                there.emit(ProviderTrialEnding(provider_id=thing["id"], ends_at=_time(thing.get("trial_end")), at=at))
            case _:
                there.emit(
                    ProviderSubscriptionChanged(
                        provider_id=thing["id"],
                        status=str(thing.get("status")),
                        cancel_at_period_end=bool(thing.get("cancel_at_period_end")),
                        period_end=_period_end(thing),
                        at=at,
                    )
                )


async def _look(
    ctx: Ctx,
    received: Received,
    intent: str | None,
    metadata: Mapping[str, str],
    *,
    refund: str | None = None,
    dispute: str | None = None,
) -> None:
    """Have the payment looked at, once for all that comes in meanwhile."""
    payment = await store.found_there(ctx, intent, metadata.get("payment_id"))
    if payment is None or payment.provider in BY_HAND:
        _log.info("webhook_of_nobody", type=received.type, id=intent)  # another program's; reconciliation tells
        return
    async with ctx.in_org(payment.org_id) as there:
        there.enqueue(
            Settle(payment_id=payment.id, refund=refund, dispute=dispute),
            unique=f"{payment.id} {refund} {dispute} {received.event_id}",
        )


async def _payer(ctx: Ctx, customer: Any) -> Payer | None:
    async with ctx.across_orgs("a provider names a customer") as everywhere:
        return await everywhere.db.first(_PAYER, theirs=str(customer))


async def claim_card(ctx: Ctx, job: KeepCard) -> KeepCard:
    """Nothing to read."""
    return job


async def call_card(app: App, job: KeepCard) -> Setup:
    """How the setup stands now."""
    return await provider(app, job.provider).setup_now(app, job.setup)


async def record_card(ctx: Ctx, job: KeepCard, setup: Setup) -> None:
    """Remember the card."""
    payer = await ctx.db.first(_PAYER, theirs=setup.customer)
    if setup.state == "succeeded" and setup.method is not None and payer is not None:
        await methods.keep(ctx, job.provider, setup.method)


def _thing(received: Received) -> dict[str, Any]:
    """The object an event is about."""
    thing = (received.payload.get("data") or {}).get("object")
    return thing if isinstance(thing, dict) else {}


def _time(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None


def _period_end(thing: Mapping[str, Any]) -> datetime | None:
    """Where newer versions of Stripe's API keep it, or older ones."""
    items = (thing.get("items") or {}).get("data") or [{}]
    return _time(items[0].get("current_period_end", thing.get("current_period_end")))


def _secrets(app: App) -> list[str]:
    """Those of the inbox, and the stand-in's while it is in use."""
    theirs = next(each for each in app.fillers(inbox.Provider) if each.name == _STRIPE and each is not STRIPE)
    return [*theirs.secrets(app), *([secret(app)] if is_pretended(app) else [])]


STRIPE = inbox.Provider(_STRIPE, inbox.stripe, _secrets)
HANDLERS = (
    Handler(_STRIPE, "payment_intent.*", on_intent),
    Handler(_STRIPE, "charge.refunded", on_charge),
    Handler(_STRIPE, "charge.updated", on_charge),
    Handler(_STRIPE, "refund.*", on_refund),
    Handler(_STRIPE, "charge.refund.updated", on_refund),
    Handler(_STRIPE, "charge.dispute.*", on_dispute),
    Handler(_STRIPE, "setup_intent.succeeded", on_setup),
    Handler(_STRIPE, "payment_method.detached", on_method_detached),
    Handler(_STRIPE, "invoice.*", on_invoice),
    Handler(_STRIPE, "customer.subscription.*", on_subscription),
)
