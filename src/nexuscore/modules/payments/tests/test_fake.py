"""The stand-in is Stripe as far as Stripe's own SDK can tell: its client, its types, its errors, its signatures."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe
from requests import Session

from nexuscore.kernel.clock import FakeClock
from nexuscore.modules.payments.fake import Account, Stripe
from nexuscore.modules.payments.fake.account import VERSION, signature
from nexuscore.modules.payments.fake.cards import AMOUNTS, CARDS
from nexuscore.modules.payments.fake.forms import KNOWN
from nexuscore.modules.payments.fake.serving import serving

SDK = Path(stripe.__file__).parent
SHAPES = {
    "payment_intent": ("_payment_intent.py", "PaymentIntent"),
    "charge": ("_charge.py", "Charge"),
    "refund": ("_refund.py", "Refund"),
    "dispute": ("_dispute.py", "Dispute"),
    "balance_transaction": ("_balance_transaction.py", "BalanceTransaction"),
    "customer": ("_customer.py", "Customer"),
    "payment_method": ("_payment_method.py", "PaymentMethod"),
    "setup_intent": ("_setup_intent.py", "SetupIntent"),
    "event": ("_event.py", "Event"),
}
NESTED = {
    ("payment_intent", "last_payment_error"): "LastPaymentError",
    ("payment_intent", "next_action"): "NextAction",
    ("payment_method", "card"): "Card",
    ("payment_method", "billing_details"): "BillingDetails",
    ("charge", "billing_details"): "BillingDetails",
    ("dispute", "evidence"): "Evidence",
    ("dispute", "evidence_details"): "EvidenceDetails",
    ("event", "data"): "Data",
    ("event", "request"): "Request",
}


@pytest.fixture
def fake() -> Stripe:
    return Stripe()


@pytest.fixture
def client(fake: Stripe) -> Iterator[stripe.StripeClient]:
    with serving(fake) as base, Session() as session:
        session.trust_env = False
        http = stripe.RequestsClient(session=session)
        yield stripe.StripeClient("sk_test_1", base_addresses={"api": base}, http_client=http)


def annotations(file: str, *path: str) -> dict[str, str]:
    """The attributes of a class of the SDK, each with its type as it is written."""
    body: list[ast.stmt] = ast.parse((SDK / file).read_text()).body
    for name in path:
        body = next(node for node in body if isinstance(node, ast.ClassDef) and node.name == name).body
    fields = (node for node in body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name))
    return {n.target.id: ast.unparse(n.annotation) for n in fields}  # type: ignore[union-attr]  # filtered above


def faults(thing: Any, fields: dict[str, str]) -> list[str]:
    """What the SDK's class does not know, what it says is always there and is not, and simple types that differ."""
    wrong = [f"unknown {name}" for name in thing.keys() - fields.keys()]
    for name, kind in fields.items():
        if kind.startswith(("Optional", "ClassVar")):
            continue
        simple = {"int": int, "str": str, "bool": bool}.get(kind, object)
        if name not in thing or thing[name] is None or not isinstance(thing[name], simple):
            wrong.append(f"{name} is not {kind}")
    return wrong


def test_every_object_has_the_shape_the_sdk_declares(fake: Stripe, client: stripe.StripeClient) -> None:
    walk(client)
    seen = set()
    for thing in list(fake.account.objects.values()):
        kind = thing["object"]
        file, name = SHAPES[kind]
        assert faults(thing, annotations(file, name)) == [], kind
        for (outer, field), inner in NESTED.items():
            if outer == kind and thing.get(field):
                seen.add(inner)
                assert faults(thing[field], annotations(file, name, inner)) == [], (kind, field)
    assert {thing["object"] for thing in fake.account.objects.values()} == SHAPES.keys()
    assert seen == set(NESTED.values())
    assert stripe.api_version == VERSION, "the SDK speaks another version: look at what changed"


def walk(client: stripe.StripeClient) -> None:
    """Everything once: paid, declined, authenticated, by PayNow, refunded, disputed, saved."""
    create: Any = client.v1.payment_intents.create
    customer = client.v1.customers.create({"name": "Acme", "email": "acme@example.com"})
    order: Any = {"amount": 5000, "currency": "sgd", "customer": customer.id}
    paid = create({**order, "payment_method": "pm_card_visa", "confirm": True})
    assert paid.status == "succeeded"
    with pytest.raises(stripe.CardError) as declined:
        create({**order, "payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds", "confirm": True})
    assert declined.value.code == "card_declined"
    assert declined.value.error is not None
    assert declined.value.error.decline_code == "insufficient_funds"
    assert declined.value.error.payment_intent is not None
    assert declined.value.error.payment_intent.status == "requires_payment_method"
    secure = create(
        {**order, "payment_method": "pm_card_threeDSecure2Required", "confirm": True, "return_url": "https://a.test"}
    )
    assert secure.next_action is not None
    assert secure.next_action.type == "redirect_to_url"
    paynow = create(
        {
            **order,
            "allowed_payment_method_types": ["paynow"],
            "payment_method_data": {"type": "paynow"},
            "confirm": True,
        }
    )
    assert paynow.next_action is not None
    assert paynow.next_action.type == "paynow_display_qr_code"
    client.v1.refunds.create({"payment_intent": paid.id, "amount": 1000, "reason": "requested_by_customer"})
    create({**order, "payment_method": "pm_card_createDispute", "confirm": True})
    client.v1.setup_intents.create({"customer": customer.id, "payment_method": "pm_card_visa", "confirm": True})
    kept = client.v1.customers.payment_methods.list(customer.id, {"type": "card"})
    assert [each.card.last4 for each in kept.data if each.card] == ["4242"]


@pytest.mark.parametrize("operation", KNOWN)
def test_nothing_is_taken_that_the_sdk_does_not_send(operation: str) -> None:
    params = "".join(part.title() for part in operation.split("_")) + "Params"
    sent = annotations(f"params/_{operation}_params.py", params)
    assert set(KNOWN[operation]) <= sent.keys()


def test_the_same_key_is_the_same_payment(client: stripe.StripeClient) -> None:
    order: Any = {"amount": 5000, "currency": "sgd"}
    changed: Any = {**order, "amount": 6000}
    one = client.v1.payment_intents.create(order, {"idempotency_key": "k"})
    two = client.v1.payment_intents.create(order, {"idempotency_key": "k"})
    assert one.id == two.id
    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_intents.create(changed, {"idempotency_key": "k"})


def test_errors_are_the_sdks(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        client.v1.payment_intents.retrieve("pi_nowhere")
    misspelt: Any = {"amount": 1, "currency": "sgd", "amuont": 2}
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        client.v1.payment_intents.create(misspelt)
    paid = client.v1.payment_intents.create(
        {"amount": 5000, "currency": "sgd", "payment_method": "pm_card_visa", "confirm": True}
    )
    with pytest.raises(stripe.InvalidRequestError) as beyond:
        client.v1.payment_intents.cancel(paid.id)
    assert beyond.value.code == "payment_intent_unexpected_state"
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"payment_intent": paid.id, "amount": 5001})
    client.v1.refunds.create({"payment_intent": paid.id})
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded"):
        client.v1.refunds.create({"payment_intent": paid.id})


def test_a_wrong_key_is_refused(fake: Stripe) -> None:
    with serving(fake) as base, Session() as session:
        session.trust_env = False
        http = stripe.RequestsClient(session=session)
        with pytest.raises(stripe.AuthenticationError):
            stripe.StripeClient("sk_live_1", base_addresses={"api": base}, http_client=http).v1.customers.create()


def test_lists_are_paged_and_filtered_by_time(fake: Stripe, client: stripe.StripeClient, fake_clock: FakeClock) -> None:
    begun = int(fake_clock.now().timestamp())
    for amount in range(100, 125):
        client.v1.payment_intents.create({"amount": amount, "currency": "sgd"})
        fake_clock.advance(seconds=1)
    period: Any = {"created": {"gte": begun + 5, "lt": begun + 20}, "limit": 4}
    found = [each.amount for each in client.v1.payment_intents.list(period).auto_paging_iter()]
    assert found == list(range(119, 104, -1))


def test_events_are_signed_as_the_sdk_wants_it(fake: Stripe, client: stripe.StripeClient) -> None:
    client.v1.payment_intents.create({"amount": 5000, "currency": "sgd"})
    (body,) = fake.account.due()
    event = client.construct_event(body, signature("whsec_1", body), "whsec_1")
    assert event.type == "payment_intent.created"
    with pytest.raises(stripe.SignatureVerificationError):
        client.construct_event(body, signature("whsec_2", body), "whsec_1")


def test_what_happens_by_itself_happens_later(fake: Stripe, client: stripe.StripeClient, fake_clock: FakeClock) -> None:
    slow = client.v1.payment_intents.create(
        {"amount": 100_004, "currency": "sgd", "payment_method": "pm_card_visa", "confirm": True}
    )
    assert slow.status == "processing"
    fake_clock.advance(seconds=5)
    assert client.v1.payment_intents.retrieve(slow.id).status == "succeeded"


def test_events_come_twice_and_backwards_when_asked(fake: Stripe, client: stripe.StripeClient) -> None:
    types = {}
    for amount in (100_005, 100_006):
        client.v1.payment_intents.create(
            {"amount": amount, "currency": "sgd", "payment_method": "pm_card_visa", "confirm": True}
        )
        types[amount] = [body.decode().rpartition('"type": "')[2].partition('"')[0] for body in fake.account.due()]
    assert types[100_005] == [
        *(["payment_intent.created"] * 3 + ["charge.succeeded"] * 3 + ["payment_intent.succeeded"] * 3)
    ]
    assert types[100_006] == ["payment_intent.succeeded", "charge.succeeded"], "created comes last, seconds later"


def test_the_account_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "stripe.json"
    first = Stripe(Account.opened(path))
    headers = {"authorization": "Bearer sk_test_1"}
    first.answer("POST", "/v1/payment_intents", headers, b"amount=5000&currency=sgd")
    second = Stripe(Account.opened(path))
    assert second.account.objects == first.account.objects
    assert len(second.account.due()) == 1


def test_the_magic_is_written_down() -> None:
    page = Path(__file__).parents[5] / "docs" / "payments.md"
    text = page.read_text(encoding="utf-8")
    assert [name for name in CARDS if name not in text] == []
    assert [amount for amount in AMOUNTS if f"{amount / 100:.2f}" not in text] == []
