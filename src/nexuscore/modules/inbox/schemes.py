"""How providers sign: every check is over the bytes as they came, with each secret, in constant time.

A signature that holds says who wrote the body. Where the scheme signs a time, it must be within five minutes.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic_core import from_json, to_json

from nexuscore.kernel.crypto import same
from nexuscore.modules.inbox.errors import BadSignature, Unreadable
from nexuscore.modules.inbox.slots import Received, Verify

TOLERANCE_S = 300
_ID = re.compile(r"[\x21-\x7e]{1,255}")
_TYPE = re.compile(r"[\x21-\x7e]{1,200}")
_TIME = re.compile(r"[0-9]{1,12}")


def stripe(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> list[Received]:
    """`Stripe-Signature: t=…,v1=…`: hex HMAC-SHA256 of `t.body`. Versions other than v1 do not count."""
    pairs = [part.strip().partition("=")[::2] for part in headers.get("stripe-signature", "").split(",")]
    times = [value for name, value in pairs if name == "t"]
    if len(times) != 1:
        raise BadSignature
    _check_time(times[0], now)
    signed = times[0].encode() + b"." + body
    _check_hex((value for name, value in pairs if name == "v1"), signed, secrets)
    event = _object(body)
    return [_received(event.get("id"), event.get("type"), body)]


def standard_webhooks(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> list[Received]:
    """Standard Webhooks: `webhook-signature: v1,…`, base64 HMAC-SHA256 of `id.timestamp.body`."""
    id, time = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not _ID.fullmatch(id) or "." in id:
        raise BadSignature
    _check_time(time, now)
    signed = f"{id}.{time}.".encode() + body
    given = [each.removeprefix("v1,") for each in headers.get("webhook-signature", "").split(" ") if each[:3] == "v1,"]
    expected = [
        base64.b64encode(hmac.digest(base64.b64decode(secret.removeprefix("whsec_") + "=="), signed, "sha256")).decode()
        for secret in secrets
    ]
    _check_any(given, expected)
    event = _object(body)
    return [_received(id, event.get("type", "unknown"), body)]


def github(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> list[Received]:
    """`X-Hub-Signature-256: sha256=…` of the body. The type is the event and its action: `issues.opened`.

    GitHub signs neither the delivery's id nor a time: somebody who has seen a delivery can send it again under
    another id. Handlers bear that, as they must bear repetition anyway.
    """
    given = headers.get("x-hub-signature-256", "")
    _check_hex([given.removeprefix("sha256=")] if given.startswith("sha256=") else [], body, secrets)
    event = _object(body)
    type, action = headers.get("x-github-event"), event.get("action")
    if type and isinstance(action, str):
        type = f"{type}.{action}"
    return [_received(headers.get("x-github-delivery"), type, body)]


def sendgrid(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> list[Received]:
    """SendGrid's signed event webhook: ECDSA over timestamp and body; the secret is the public key it shows.

    One request carries many events, each with an id of its own.
    """
    time = headers.get("x-twilio-email-event-webhook-timestamp", "")
    _check_time(time, now)
    try:
        signature = base64.b64decode(headers.get("x-twilio-email-event-webhook-signature", ""), validate=True)
    except binascii.Error:
        raise BadSignature from None
    if not any(_signed_by(key, signature, time.encode() + body) for key in secrets):
        raise BadSignature
    events = _json(body)
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise Unreadable
    return [_received(event.get("sg_event_id"), event.get("event"), to_json(event)) for event in events]


def telegram(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> list[Received]:
    """Telegram sends the secret token itself: `X-Telegram-Bot-Api-Secret-Token`. The type is the update's kind."""
    _check_any([headers.get("x-telegram-bot-api-secret-token", "")], secrets)
    update = _object(body)
    kinds = [name for name in update if name != "update_id"]
    id = update.get("update_id")
    return [_received(str(id) if type(id) is int else None, kinds[0] if kinds else None, body)]


def hmac_signed(signature: str, timestamp: str | None = None, *, id: str = "id", type: str = "type") -> Verify:
    """A scheme for everybody else: hex HMAC-SHA256, with or without `sha256=` before it, in the header `signature`.

    With a `timestamp` header, `timestamp.body` is signed and the time must be near; without one, the body alone.
    `id` and `type` are the fields of the body that hold them.
    """

    def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> list[Received]:
        signed = body
        if timestamp is not None:
            time = headers.get(timestamp, "")
            _check_time(time, now)
            signed = time.encode() + b"." + body
        _check_hex([headers.get(signature, "").removeprefix("sha256=")], signed, secrets)
        event = _object(body)
        return [_received(event.get(id), event.get(type), body)]

    return verify


def _check_time(text: str, now: datetime) -> None:
    if not _TIME.fullmatch(text) or abs(now.timestamp() - int(text)) > TOLERANCE_S:
        raise BadSignature


def _check_hex(given: Iterable[str], signed: bytes, secrets: Sequence[str]) -> None:
    _check_any(given, [hmac.digest(secret.encode(), signed, "sha256").hex() for secret in secrets])


def _check_any(given: Iterable[str], expected: Sequence[str]) -> None:
    """Refuse unless one of the given signatures is one of the expected; every pair is compared."""
    pairs = [same(one, other) for one in given if one for other in expected if other]
    if not any(pairs):
        raise BadSignature


def _signed_by(key: str, signature: bytes, signed: bytes) -> bool:
    public = load_der_public_key(base64.b64decode(key))
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return False
    try:
        public.verify(signature, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _json(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        raise Unreadable from None


def _object(body: bytes) -> dict[str, Any]:
    event = _json(body)
    if not isinstance(event, dict):
        raise Unreadable
    return event


def _received(id: Any, type: Any, raw: bytes) -> Received:
    if isinstance(id, str) and isinstance(type, str) and _ID.fullmatch(id) and _TYPE.fullmatch(type):
        return Received(id, type, raw)
    raise Unreadable
