"""The state of the stand-in: objects by id, events, the answers of idempotency keys; in a file if it has one."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any

from nexuscore.kernel import clock
from nexuscore.modules.payments.fake.forms import Refused

VERSION = "2026-10-28.endive"
Object = dict[str, Any]


@dataclass(slots=True)
class Delivery:
    """An event on its way to the webhook endpoint: not before `at`, so many times."""

    event: str
    at: float
    copies: int = 1


@dataclass(slots=True)
class Later:
    """Something that happens by itself, not before `at`."""

    what: str
    id: str
    at: float


@dataclass(slots=True)
class Account:
    """Everything Stripe would know of us."""

    path: Path | None = None
    objects: dict[str, Object] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    later: list[Later] = field(default_factory=list)
    lock: RLock = field(default_factory=RLock, repr=False)

    @classmethod
    def opened(cls, path: Path) -> "Account":
        """The account kept in a file; a new one when there is none."""
        account = cls(path)
        if path.is_file():
            kept = json.loads(path.read_text(encoding="utf-8"))
            account.objects, account.keys = kept["objects"], kept["keys"]
            account.deliveries = [Delivery(**each) for each in kept["deliveries"]]
            account.later = [Later(**each) for each in kept["later"]]
        return account

    def save(self) -> None:
        """Write it down, whole or not at all."""
        if self.path is None:
            return
        whole = {
            "objects": self.objects,
            "keys": self.keys,
            "deliveries": [asdict(each) for each in self.deliveries],
            "later": [asdict(each) for each in self.later],
        }
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps(whole), encoding="utf-8")
        draft.replace(self.path)

    def new_id(self, prefix: str) -> str:
        """An id as Stripe makes them."""
        return f"{prefix}_{secrets.token_hex(12)}"

    def now(self) -> int:
        """The time in the form of every `created`."""
        return int(clock.seconds())

    def put(self, thing: Object) -> Object:
        """Keep an object."""
        self.objects[thing["id"]] = thing
        return thing

    def get(self, kind: str, id: str) -> Object:
        """An object of a kind; the error Stripe answers when there is none."""
        found = self.objects.get(id)
        if found is None or found["object"] != kind:
            raise Refused(f"No such {kind}: '{id}'", status=404, code="resource_missing", param="id")
        return found

    def all(self, kind: str) -> Iterator[Object]:
        """Every object of a kind, the newest first."""
        return (each for each in reversed(self.objects.values()) if each["object"] == kind)

    def tell(self, type: str, thing: Object, *, delay: float = 0.0, copies: int = 1) -> Object:
        """An event about an object as it is now, queued for delivery."""
        event = self.put(
            {
                "id": self.new_id("evt"),
                "object": "event",
                "account": None,
                "api_version": VERSION,
                "context": None,
                "created": self.now(),
                "data": {"object": json.loads(json.dumps(thing)), "previous_attributes": None},
                "livemode": False,
                "pending_webhooks": 1,
                "request": {"id": None, "idempotency_key": None},
                "type": type,
            }
        )
        self.deliveries.append(Delivery(event["id"], clock.seconds() + delay, copies))
        return event

    def due(self) -> list[bytes]:
        """The bodies to post now, taken off the queue; one that is to come thrice is there three times."""
        with self.lock:
            now = clock.seconds()
            ready = [each for each in self.deliveries if each.at <= now]
            self.deliveries = [each for each in self.deliveries if each.at > now]
            bodies = []
            for each in ready:
                self.objects[each.event]["pending_webhooks"] = 0
                bodies += [json.dumps(self.objects[each.event]).encode()] * each.copies
            self.save()
            return bodies


def signature(secret: str, body: bytes) -> str:
    """The `Stripe-Signature` of a body, signed now."""
    time = str(int(clock.seconds()))
    signed = hmac.new(secret.encode(), f"{time}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={time},v1={signed}"
