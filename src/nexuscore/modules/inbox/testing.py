"""For tests of handlers: requests signed as each provider signs them."""

import base64
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nexuscore.kernel import clock
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.inbox import service
from nexuscore.modules.inbox.slots import Received

Headers = dict[str, str]


def signed_by_stripe(secret: str, body: bytes, at: datetime | None = None) -> Headers:
    """The headers of an event of Stripe."""
    time = _time(at)
    return {"stripe-signature": f"t={time},v1={_hex(secret, time.encode() + b'.' + body)}"}


def signed_by_standard(secret: str, body: bytes, at: datetime | None = None, *, id: str = "msg_1") -> Headers:
    """The headers of Standard Webhooks."""
    time, key = _time(at), base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"{id}.{time}.".encode() + body, "sha256")).decode()
    return {"webhook-id": id, "webhook-timestamp": time, "webhook-signature": f"v1,{signature}"}


def signed_by_github(secret: str, body: bytes, *, event: str = "push", id: str = "delivery-1") -> Headers:
    """The headers of a delivery of GitHub."""
    return {
        "x-hub-signature-256": f"sha256={_hex(secret, body)}",
        "x-github-event": event,
        "x-github-delivery": id,
    }


def signed_by_sendgrid(key: ec.EllipticCurvePrivateKey, body: bytes, at: datetime | None = None) -> Headers:
    """The headers of SendGrid's signed event webhook."""
    time = _time(at)
    signature = base64.b64encode(key.sign(time.encode() + body, ec.ECDSA(SHA256()))).decode()
    prefix = "x-twilio-email-event-webhook-"
    return {f"{prefix}timestamp": time, f"{prefix}signature": signature}


def public_key(key: ec.EllipticCurvePrivateKey) -> str:
    """The key as SendGrid shows it."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(public).decode()


def signed_by_generic(secret: str, body: bytes, at: datetime | None = None) -> Headers:
    """The headers of `/hooks/generic`."""
    time = _time(at)
    signature = f"sha256={_hex(secret, time.encode() + b'.' + body)}"
    return {"x-webhook-timestamp": time, "x-webhook-signature": signature}


async def post(house: House, provider: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, object]]:
    """Post it to `/hooks/{provider}`, as nobody; the status and the answer."""
    sent = {"content-type": "application/json", **headers}
    answer = await house.client().request("POST", f"/hooks/{provider}", content=body, headers=sent)
    return answer.status_code, answer.json()


def _time(at: datetime | None) -> str:
    return str(int((at or clock.now()).timestamp()))


def _hex(secret: str, signed: bytes) -> str:
    return hmac.digest(secret.encode(), signed, "sha256").hex()


# --- probes: what tests/isolation needs to call every operation -----------------------------------

Made = tuple[dict[str, Any], Any]


def _message(body: Any = None) -> Callable[[House, Client], Awaitable[Made]]:
    """A message that came in a moment ago."""

    async def probe(house: House, client: Client) -> Made:
        event = Received(event_id=uuid4().hex, type="probe", raw=b"{}")
        async with house.app.context() as ctx:
            await service.store(ctx, "generic", [event])
        listed = (await client.get("/inbox/messages?limit=1")).json()["data"]
        return {"message_id": listed[0]["id"]}, body

    return probe


PROBES = {
    "read_message": _message(),
    "replay_message": _message(),
    "mark_message_processed": _message(),
    "mark_message_failed": _message({"error": "probe"}),
    "inbox_message_page": _message(),
    "replay_inbox_message_page": _message(),
    "mark_inbox_message_processed_page": _message(),
    "mark_inbox_message_failed_page": _message({"error": "probe"}),
}
