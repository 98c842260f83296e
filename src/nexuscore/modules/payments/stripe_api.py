"""Stripe, through its SDK: in threads of our own, imported on first use, and the same against the stand-in."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from nexuscore.kernel import sight
from nexuscore.kernel.app import App
from nexuscore.kernel.breaker import Breaker
from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.money import Money
from nexuscore.modules.payments import reading
from nexuscore.modules.payments.errors import NoProvider, PaymentFailed, ProviderRefused, ProviderUnavailable
from nexuscore.modules.payments.fake.mounted import own_address, stand_in
from nexuscore.modules.payments.provider import (
    Dispute,
    Intent,
    Order,
    Provider,
    Refund,
    Setup,
)
from nexuscore.modules.payments.settings import FAKE, PaymentSettings

if TYPE_CHECKING:
    from stripe import StripeClient

T = TypeVar("T")
Things = Mapping[str, Any]
FAKE_KEY = "sk_test_of_the_stand_in"

_log = get_logger(__name__)
_callers = ThreadPoolExecutor(16, thread_name_prefix="stripe")  # a slow provider keeps these busy, nobody else's
_clients: WeakKeyDictionary[App, dict[str, "StripeClient"]] = WeakKeyDictionary()
_breakers: WeakKeyDictionary[App, dict[str, Breaker]] = WeakKeyDictionary()
_EXPAND = ["latest_charge.balance_transaction", "payment_method"]


class Stripe(Provider):
    """Stripe; called "fake", the stand-in that speaks its language."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def create(self, app: App, order: Order, *, key: str) -> Intent:
        given: dict[str, Any] = {
            "amount": order.amount.minor,
            "currency": order.amount.currency.lower(),
            "description": order.description,
            "metadata": order.metadata,
            "allowed_payment_method_types": [order.kind],
            "expand": _EXPAND,
        }
        if order.customer is not None:
            given["customer"] = order.customer
        if order.keep_method:
            given["setup_future_usage"] = "off_session"
        if order.kind == "paynow":
            given |= {"confirm": True, "payment_method_data": {"type": "paynow"}}
        return reading.intent(await self._call(app, lambda c: c.v1.payment_intents.create, given, key=key))

    async def confirm(
        self, app: App, intent: str, method: str, amount: Money, *, key: str, return_url: str, off_session: bool
    ) -> Intent:
        given: dict[str, Any] = {"payment_method": method, "amount_to_confirm": amount.minor, "expand": _EXPAND}
        given |= {"off_session": True} if off_session else {"return_url": return_url}
        return await self._move(app, intent, lambda c: c.v1.payment_intents.confirm, given, key)

    async def cancel(self, app: App, intent: str, *, key: str) -> Intent:
        given = {"cancellation_reason": "abandoned", "expand": _EXPAND}
        return await self._move(app, intent, lambda c: c.v1.payment_intents.cancel, given, key)

    async def intent(self, app: App, id: str) -> Intent:
        return reading.intent(await self._call(app, lambda c: c.v1.payment_intents.retrieve, id, {"expand": _EXPAND}))

    async def intents(self, app: App, since: datetime, until: datetime) -> Sequence[Intent]:
        given = {"expand": [f"data.{name}" for name in _EXPAND]}
        return await self._all(app, lambda c: c.v1.payment_intents.list, since, until, reading.intent, given)

    async def refund(self, app: App, intent: str, amount: Money, *, key: str, metadata: dict[str, str]) -> Refund:
        given = {"payment_intent": intent, "amount": amount.minor, "metadata": metadata}
        return reading.refund(await self._call(app, lambda c: c.v1.refunds.create, given, key=key))

    async def refund_now(self, app: App, id: str) -> Refund:
        return reading.refund(await self._call(app, lambda c: c.v1.refunds.retrieve, id))

    async def refunds(self, app: App, since: datetime, until: datetime) -> Sequence[Refund]:
        return await self._all(app, lambda c: c.v1.refunds.list, since, until, reading.refund)

    async def dispute_now(self, app: App, id: str) -> Dispute:
        return reading.dispute(await self._call(app, lambda c: c.v1.disputes.retrieve, id))

    async def disputes(self, app: App, since: datetime, until: datetime) -> Sequence[Dispute]:
        return await self._all(app, lambda c: c.v1.disputes.list, since, until, reading.dispute)

    async def customer(self, app: App, *, name: str, email: str, reference: str, key: str) -> str:
        given = {"name": name, "email": email, "metadata": {"organisation": reference}}
        made = await self._call(app, lambda c: c.v1.customers.create, given, key=key)
        return str(made["id"])

    async def set_up(self, app: App, customer: str, *, key: str) -> Setup:
        given = {"customer": customer, "usage": "off_session", "allowed_payment_method_types": ["card"]}
        return reading.setup(await self._call(app, lambda c: c.v1.setup_intents.create, given, key=key))

    async def confirm_set_up(self, app: App, id: str, method: str, *, key: str, return_url: str) -> Setup:
        given = {"payment_method": method, "return_url": return_url, "expand": ["payment_method"]}
        try:
            return reading.setup(await self._call(app, lambda c: c.v1.setup_intents.confirm, id, given, key=key))
        except _Refused as refused:
            if refused.failure is None:
                raise
            return Setup(id, "failed", None, failure=refused.failure)

    async def setup_now(self, app: App, id: str) -> Setup:
        given = {"expand": ["payment_method"]}
        return reading.setup(await self._call(app, lambda c: c.v1.setup_intents.retrieve, id, given))

    async def forget(self, app: App, method: str) -> None:
        try:
            await self._call(app, lambda c: c.v1.payment_methods.detach, method)
        except _Refused as refused:
            if refused.http_status not in (400, 404):  # it belongs to nobody, so nobody can be charged
                raise

    async def _move(self, app: App, id: str, verb: "Callable[[StripeClient], Any]", given: Things, key: str) -> Intent:
        """Change a payment; when it is beyond that, or declined, the answer is how it stands."""
        try:
            return reading.intent(await self._call(app, verb, id, given, key=key))
        except _Refused as refused:
            if refused.failure is None and refused.reason != "payment_intent_unexpected_state":
                raise
            found = await self.intent(app, id)
            if refused.failure is not None and found.failure is None and found.state == "pending":
                raise PaymentFailed(details={"code": refused.failure.code}) from refused  # of the card, not the payment
            return found

    async def _all(
        self,
        app: App,
        verb: "Callable[[StripeClient], Any]",
        since: datetime,
        until: datetime,
        read: Callable[[Things], T],
        given: Things | None = None,
    ) -> list[T]:
        period = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
        asked = {"limit": 100, "created": period, **(given or {})}

        def pages(client: "StripeClient") -> Callable[..., list[Things]]:
            return lambda options: [each.to_dict() for each in verb(client)(asked, options).auto_paging_iter()]

        return [read(each) for each in await self._run(app, pages, (), None)]

    async def _call(
        self, app: App, verb: "Callable[[StripeClient], Any]", *given: Any, key: str | None = None
    ) -> Things:
        def one(client: "StripeClient") -> Callable[..., Things]:
            return lambda *inner: verb(client)(*_padded(inner)).to_dict()

        found: Things = await self._run(app, one, given, key)
        return found

    async def _run(self, app: App, verb: "Callable[[StripeClient], Any]", given: Sequence[Any], key: str | None) -> Any:
        """In a thread of ours. A provider that fails again and again is left alone for a while."""
        breaker = _breakers.setdefault(app, {}).setdefault(self.name, Breaker(f"payments.{self.name}"))
        if not breaker.allows():
            raise ProviderUnavailable(retry_after=breaker.retry_in())
        work = partial(self._in_thread, app, verb, given, key)
        try:
            with sight.outside("payments"):
                found = await asyncio.get_running_loop().run_in_executor(_callers, work)
        except ProviderUnavailable:
            breaker.failed()
            raise
        except NexusError:
            breaker.succeeded()  # it answered
            raise
        breaker.succeeded()
        return found

    def _in_thread(self, app: App, verb: "Callable[[StripeClient], Any]", given: Sequence[Any], key: str | None) -> Any:
        """Call it, and say in our words what goes wrong."""
        import stripe  # 200 modules: a process that takes no money never loads them

        try:
            return verb(self._client(app))(*given, {"idempotency_key": key} if key else {})
        except (stripe.APIConnectionError, stripe.RateLimitError) as error:
            raise ProviderUnavailable from error
        except stripe.StripeError as error:
            if (error.http_status or 500) >= 500 or error.http_status == 409:  # 409: the same key is still at work
                raise ProviderUnavailable from error
            said = _log.info if error.http_status == 402 else _log.warning  # a decline is nobody's fault
            said("provider_refused", provider=self.name, status=error.http_status, code=error.code)
            raise _Refused(error) from error

    def _client(self, app: App) -> "StripeClient":
        clients = _clients.setdefault(app, {})
        if self.name not in clients:
            clients[self.name] = _connected(app, self.name)
        return clients[self.name]


class _Refused(ProviderRefused):
    """What the provider said no to, and why."""

    def __init__(self, error: Any) -> None:
        super().__init__()
        body = (error.json_body or {}).get("error", {})
        self.code = ProviderRefused.code
        self.reason = str(body.get("code", ""))
        self.http_status = error.http_status
        self.failure = reading.failure(body) if error.http_status == 402 else None


def _connected(app: App, name: str) -> "StripeClient":
    import stripe  # see above: heavy, and only for those who take money

    settings = app.settings[PaymentSettings]
    stripe.enable_telemetry = False
    retries = 0 if app.kernel.env == "test" else 2  # of the SDK, which waits in between
    if name != FAKE:
        if settings.stripe_secret_key is None:
            raise NoProvider
        client = stripe.RequestsClient(timeout=settings.timeout_s)
        key, base = settings.stripe_secret_key.get_secret_value(), settings.stripe_api_base
    elif app.kernel.env == "test" and settings.fake_base is None:
        client, key, base = _direct(app), FAKE_KEY, stand_in(app).base
    else:
        client = stripe.RequestsClient(timeout=settings.timeout_s, session=_local_session())
        key, base = FAKE_KEY, settings.fake_base or f"{own_address(app)}/dev/stripe"
    return stripe.StripeClient(key, base_addresses={"api": base}, max_network_retries=retries, http_client=client)


def _local_session() -> Any:
    """For a server on this machine, whatever proxies the environment names."""
    import requests

    session = requests.Session()
    session.trust_env = False
    return session


def _direct(app: App) -> Any:
    """In tests: the stand-in called in the process itself, in place of a connection."""
    import stripe

    class Direct(stripe.HTTPClient):
        name = "direct"

        def request(
            self, method: str, url: str, headers: Any, post_data: Any = None, *, _usage: Any = None
        ) -> tuple[str, int, dict[str, str]]:
            target = url.removeprefix(stand_in(app).base)
            lower = {key.lower(): value for key, value in (headers or {}).items()}
            answer = stand_in(app).answer(method.upper(), target, lower, (post_data or "").encode())
            return answer.body.decode(), answer.status, answer.headers

    return Direct()


def _padded(given: Sequence[Any]) -> Sequence[Any]:
    """The SDK takes parameters before options, also where there are none."""
    *rest, options = given
    return (*rest, {}, options) if rest and isinstance(rest[-1], str) else given
