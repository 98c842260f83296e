"""What the stand-in answers to which request."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nexuscore.kernel import clock
from nexuscore.modules.payments.fake import intents, methods, refunds, shapes, webpages
from nexuscore.modules.payments.fake.account import VERSION, Account, Object
from nexuscore.modules.payments.fake.forms import Form, Refused, known, read

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer on its way out."""

    status: int
    body: bytes
    media: str = _JSON
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read."""

    account: Account
    form: Form
    base: str
    id: str = ""

    def thing(self, kind: str) -> Object:
        """The object the path names."""
        return self.account.get(kind, self.id)


class Stripe:
    """The stand-in. `base` is where it is reached, for the pages it sends payers to."""

    def __init__(self, account: Account | None = None, *, base: str = "http://127.0.0.1") -> None:
        self.account = Account() if account is None else account
        self.base = base

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request; header names are lower case. Safe to call from several threads."""
        path, _, query = target.partition("?")
        with self.account.lock:
            self.pass_time()
            try:
                if found := re.fullmatch(r"/pay/(\w+)(?:/(\w+))?", path):
                    return self._page(method, found[1], found[2] or "")
                return self._api(method, path, headers, read(body.decode() if body else query), body)
            except UnicodeDecodeError:
                return _json(400, Refused("Invalid request body.").body)
            finally:
                self.account.save()

    def pass_time(self) -> None:
        """Let happen what was to happen by now."""
        now = clock.seconds()
        with self.account.lock:
            due = [each for each in self.account.later if each.at <= now]
            self.account.later = [each for each in self.account.later if each.at > now]
            for each in due:
                if each.what == "settle_intent":
                    intents.succeed(self.account, self.account.get("payment_intent", each.id))
                elif each.what == "price_charge":
                    intents.price_late(self.account, self.account.get("charge", each.id))
                else:
                    refunds.end(self.account, self.account.get("refund", each.id), each.what.removeprefix("refund_"))

    def _api(self, method: str, path: str, headers: Mapping[str, str], form: Form, body: bytes) -> Answer:
        try:
            _check_key(headers)
        except Refused as error:
            return _json(error.status, error.body)
        key = headers.get("idempotency-key") if method == "POST" else None
        kept = self.account.keys.get(key) if key else None
        if kept is not None:
            if kept["request"] != [path, body.decode()]:
                wrong = Refused(
                    "Keys for idempotent requests can only be used with the same parameters they were first used with.",
                    type="idempotency_error",
                )
                return _json(400, wrong.body)
            return _json(kept["status"], json.loads(kept["body"]), replayed=True)
        try:
            status, found = 200, self._run(method, path, form)
        except Refused as error:
            status, found = error.status, error.body
        answer = _json(status, _expanded(self.account, found, form.get("expand", [])))
        if key and status not in (400, 401, 404):
            self.account.keys[key] = {
                "request": [path, body.decode()],
                "status": status,
                "body": answer.body.decode(),
            }
        return answer

    def _run(self, method: str, path: str, form: Form) -> Object:
        for verb, pattern, run in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and verb == method:
                return run(Call(self.account, form, self.base, found[1] if found.groups() else ""))
        raise Refused(f"Unrecognized request URL ({method}: {path}).", status=404)

    def _page(self, method: str, id: str, choice: str) -> Answer:
        """The page of the payer's bank, or of PayNow."""
        intent = self.account.objects.get(id)
        if intent is None or intent["object"] not in ("payment_intent", "setup_intent"):
            return Answer(404, b"There is no such payment.", "text/plain")
        if method == "POST" and choice in ("done", "failed"):
            try:
                run = intents.finish if intent["object"] == "payment_intent" else methods.finish_setup
                back = ((intent["next_action"] or {}).get("redirect_to_url") or {}).get("return_url")
                run(self.account, intent, choice == "done")
            except Refused as error:
                return Answer(409, str(error).encode(), "text/plain")
            if back:
                return Answer(303, b"", headers={"location": back})
        return Answer(200, webpages.page(intent).encode(), "text/html; charset=utf-8")


def _json(status: int, body: Any, *, replayed: bool = False) -> Answer:
    headers = {"stripe-version": VERSION, "request-id": f"req_{int(clock.seconds() * 1e6):x}"}
    if replayed:
        headers["idempotent-replayed"] = "true"
    return Answer(status, json.dumps(body).encode(), _JSON, headers)


def _check_key(headers: Mapping[str, str]) -> None:
    """`Authorization: Bearer sk_test_…`, or the same as the user of basic authentication."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        value = base64.b64decode(value + "==").decode("latin-1").partition(":")[0]
    if not value:
        raise Refused("You did not provide an API key.", status=401)
    if not value.startswith("sk_test_"):
        raise Refused("Invalid API Key provided.", status=401)


def _expanded(account: Account, thing: Any, names: list[str]) -> Any:
    """With the objects whose ids it holds in place of them, where `expand[]` asks for that."""
    if not names or "error" in thing:
        return thing
    if thing.get("object") == "list":
        inner = [name.removeprefix("data.") for name in names]
        return {**thing, "data": [_expanded(account, each, inner) for each in thing["data"]]}
    found = dict(thing)
    for name in names:
        first, _, rest = name.partition(".")
        id = found.get(first)
        if isinstance(id, str) and id in account.objects:
            found[first] = _expanded(account, account.objects[id], [rest] if rest else [])
    return found


def _list(call: Call, kind: str, **filters: str | None) -> Object:
    """A list with Stripe's paging, and its filters by time and by field."""
    form = call.form
    found = list(call.account.all(kind))
    for name, value in filters.items():
        if value is not None:
            found = [each for each in found if each.get(name) == value]
    created = form.get("created", {})
    for test, wanted in created.items() if isinstance(created, dict) else [("eq", created)]:
        found = [each for each in found if _COMPARE[test](each["created"], int(wanted))]
    if after := form.get("starting_after"):
        places = [number for number, each in enumerate(found) if each["id"] == after]
        found = found[places[0] + 1 :] if places else []
    limit = min(int(form.get("limit", 10)), 100)
    return {"object": "list", "data": found[:limit], "has_more": len(found) > limit, "url": f"/v1/{kind}s"}


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


def _new_customer(call: Call) -> Object:
    known(call.form, "customer_create")
    made = call.account.put(shapes.customer(call.account, call.form))
    call.account.tell("customer.created", made)
    return made


def _change_customer(call: Call) -> Object:
    customer = call.thing("customer")
    for name in ("email", "name", "description", "metadata"):
        customer[name] = call.form.get(name, customer[name])
    customer["invoice_settings"].update(call.form.get("invoice_settings", {}))
    call.account.tell("customer.updated", customer)
    return customer


def _methods_of(call: Call) -> Object:
    customer = call.form.get("customer") or call.id
    return _list(call, "payment_method", customer=customer, type=call.form.get("type"))


def _attach(call: Call) -> Object:
    customer = call.account.get("customer", call.form.get("customer", ""))
    return methods.attach(call.account, call.thing("payment_method"), customer["id"])


def _confirm_setup(call: Call) -> Object:
    known(call.form, "setup_intent_confirm")
    return methods.confirm_setup(call.account, call.thing("setup_intent"), call.form, call.base)


def _confirm(call: Call) -> Object:
    return intents.confirm_by(call.account, call.thing("payment_intent"), call.form, call.base)


def _cancel(call: Call) -> Object:
    return intents.cancel(call.account, call.thing("payment_intent"), call.form)


def _close(call: Call) -> Object:
    return refunds.close(call.account, call.thing("dispute"))


def _refunds(call: Call) -> Object:
    return _list(call, "refund", payment_intent=call.form.get("payment_intent"), charge=call.form.get("charge"))


ROUTES: tuple[tuple[str, str, Callable[[Call], Object]], ...] = (
    ("POST", "/v1/customers", _new_customer),
    ("GET", "/v1/customers", lambda call: _list(call, "customer", email=call.form.get("email"))),
    ("GET", r"/v1/customers/(\w+)", lambda call: call.thing("customer")),
    ("POST", r"/v1/customers/(\w+)", _change_customer),
    ("GET", r"/v1/customers/(\w+)/payment_methods", _methods_of),
    ("POST", "/v1/payment_methods", lambda call: methods.described(call.account, call.form)),
    ("GET", "/v1/payment_methods", _methods_of),
    ("GET", r"/v1/payment_methods/(\w+)", lambda call: call.thing("payment_method")),
    ("POST", r"/v1/payment_methods/(\w+)/attach", _attach),
    ("POST", r"/v1/payment_methods/(\w+)/detach", lambda c: methods.detach(c.account, c.thing("payment_method"))),
    ("POST", "/v1/setup_intents", lambda call: methods.set_up(call.account, call.form, call.base)),
    ("GET", r"/v1/setup_intents/(\w+)", lambda call: call.thing("setup_intent")),
    ("POST", r"/v1/setup_intents/(\w+)/confirm", _confirm_setup),
    ("POST", "/v1/payment_intents", lambda call: intents.create(call.account, call.form, call.base)),
    ("GET", "/v1/payment_intents", lambda c: _list(c, "payment_intent", customer=c.form.get("customer"))),
    ("GET", r"/v1/payment_intents/(\w+)", lambda call: call.thing("payment_intent")),
    ("POST", r"/v1/payment_intents/(\w+)/confirm", _confirm),
    (
        "POST",
        r"/v1/payment_intents/(\w+)/cancel",
        lambda c: intents.cancel(c.account, c.thing("payment_intent"), c.form),
    ),
    ("POST", "/v1/refunds", lambda call: refunds.create(call.account, call.form)),
    ("GET", "/v1/refunds", _refunds),
    ("GET", r"/v1/refunds/(\w+)", lambda call: call.thing("refund")),
    ("GET", "/v1/charges", lambda c: _list(c, "charge", payment_intent=c.form.get("payment_intent"))),
    ("GET", r"/v1/charges/(\w+)", lambda call: call.thing("charge")),
    ("GET", "/v1/disputes", lambda c: _list(c, "dispute", payment_intent=c.form.get("payment_intent"))),
    ("GET", r"/v1/disputes/(\w+)", lambda call: call.thing("dispute")),
    ("POST", r"/v1/disputes/(\w+)", lambda c: refunds.answer_dispute(c.account, c.thing("dispute"), c.form)),
    ("POST", r"/v1/disputes/(\w+)/close", _close),
    ("GET", "/v1/events", lambda call: _list(call, "event", type=call.form.get("type"))),
    ("GET", r"/v1/events/(\w+)", lambda call: call.thing("event")),
)
