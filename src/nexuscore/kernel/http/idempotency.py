"""`Idempotency-Key`: a request sent twice has one effect and one answer.

The answer is stored in the transaction of the effect, so a crash leaves both or neither. While the
first request runs it holds an advisory lock on the key, which dies with its connection; nothing
says "processing" that could be left behind. Stored answers are sealed: some of them show a secret.
"""

import base64
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json
from sqlalchemy import Index, LargeBinary, Text, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import ConflictError, Fault, MalformedRequest, NexusError, ValidationError
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.tables import Table

HEADER = "idempotency-key"
LIFE = timedelta(hours=24)
_PURPOSE = "idempotency"


class IdempotencyKeyRequired(MalformedRequest):
    """The operation moves money, so it must not be sent without a key."""

    code = "idempotency_key_required"
    message = "This operation needs an Idempotency-Key header, so that it cannot happen twice."


class IdempotencyKeyReused(ValidationError):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    message = "This Idempotency-Key was already used for a different request."


class IdempotencyConflict(ConflictError):
    """The first request with this key is still running."""

    code = "idempotency_conflict"
    message = "A request with this Idempotency-Key is still running. Try again in a moment."


class StoredAnswer(Table):
    """The answer a key was given, until it expires."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_expires_at", "expires_at"),)

    scope: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    method: Mapped[str] = mapped_column(Text, primary_key=True)
    route: Mapped[str] = mapped_column(Text, primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str]
    answer: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Claim:
    """A key held by this request for the rest of its transaction."""

    scope: UUID
    key: str
    method: str
    route: str
    request_hash: bytes

    @property
    def lock(self) -> int:
        """The advisory lock's number: 64 bits of everything that makes the key one."""
        whole = "\0".join((str(self.scope), self.key, self.method, self.route))
        return int.from_bytes(hashlib.sha256(whole.encode()).digest()[:8], "big", signed=True)

    @property
    def context(self) -> str:
        """What the stored answer is sealed to, so that it opens nowhere else."""
        return f"{self.scope}:{self.method}:{self.route}:{self.key}"


async def claim(ctx: Ctx, exchange: Exchange) -> Claim | None:
    """What this request's key stands for, or None when it sent none."""
    key = exchange.headers.get(HEADER)
    scope = ctx.org or ctx.actor.id
    if key is None or scope is None:
        return None
    if not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise ValidationError.of([Fault(HEADER, "malformed", "Use 1 to 255 printable ASCII characters.")])
    body = await exchange.body()
    return Claim(scope, key, exchange.method, exchange.route, _hash(ctx.actor.id, exchange, body))


def _hash(actor: UUID | None, exchange: Exchange, body: bytes) -> bytes:
    """SHA-256 of who asks for what, however the JSON and the query were ordered."""
    with suppress(ValueError):  # not JSON: the bytes themselves count
        body = to_json(_sorted(from_json(body)))
    query = to_json(sorted(exchange.query))
    whole = (str(actor).encode(), exchange.path.encode(), query, body)
    return hashlib.sha256(b"\0".join(whole)).digest()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(each) for each in value]
    return value


_HOLD = (
    "SELECT pg_try_advisory_xact_lock($1) AS held, s.state, s.request_hash, s.answer"
    " FROM (SELECT 1) AS one LEFT JOIN idempotency AS s"
    " ON s.scope = $2 AND s.key = $3 AND s.method = $4 AND s.route = $5 AND s.expires_at > $6"
)
# A request that committed between our look and our lock shows up here: its row is not ours to replace.
_STORE = (
    "INSERT INTO idempotency AS s (scope, key, method, route, request_hash, state, answer, created_at, expires_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (scope, key, method, route) DO UPDATE"
    " SET request_hash = excluded.request_hash, state = excluded.state, answer = excluded.answer,"
    " created_at = excluded.created_at, expires_at = excluded.expires_at"
    " WHERE s.expires_at <= excluded.created_at OR s.state = 'failed' RETURNING s.key"
)


async def replay(ctx: Ctx, claim: Claim) -> Reply | None:
    """Hold the key for this transaction; the stored answer, if there is one."""
    found = (await ctx.db.raw(_HOLD, claim.lock, claim.scope, claim.key, claim.method, claim.route, ctx.now))[0]
    if found.state is not None and found.request_hash != claim.request_hash:
        raise IdempotencyKeyReused
    if found.state == "completed":
        return _open(ctx, claim, found.answer)
    if not found.held:
        raise IdempotencyConflict(headers={"retry-after": "1"})
    return None


async def store(ctx: Ctx, claim: Claim, answer: Reply | NexusError) -> None:
    """Keep the answer with the effect. A failed outcome is kept on record and may be tried again."""
    if isinstance(answer, Reply) and answer.stream is not None:
        raise TypeError("a stream cannot be kept for an Idempotency-Key: declare the operation unrepeatable")
    failed = isinstance(answer, NexusError)
    reply = Reply(answer.status) if isinstance(answer, NexusError) else answer
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in reply.headers]
    body = base64.b64encode(reply.body).decode()
    plain = to_json({"status": reply.status, "media": reply.media, "headers": headers, "body": body})
    kept = await ctx.db.raw(
        _STORE,
        claim.scope,
        claim.key,
        claim.method,
        claim.route,
        claim.request_hash,
        "failed" if failed else "completed",
        ctx.app.keyring.seal(_PURPOSE, plain, context=claim.context),
        ctx.now,
        ctx.now + LIFE,
    )
    if not kept:
        raise IdempotencyConflict(headers={"retry-after": "1"})


def _open(ctx: Ctx, claim: Claim, answer: str) -> Reply:
    stored = from_json(ctx.app.keyring.open_sealed(_PURPOSE, answer, context=claim.context))
    reply = Reply(stored["status"], base64.b64decode(stored["body"]), stored["media"])
    for name, value in stored["headers"]:
        reply.header(name, value)
    return reply.header("idempotent-replayed", "true")
