"""How an answer leaves: in the coding the caller likes best, whole or as a stream that keeps the caller's pace."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nexuscore.kernel.http.answers import Headers, Reply
from nexuscore.kernel.http.encoding import (
    LEAST,
    Accepted,
    Packer,
    as_asked,
    negotiate,
    pack,
    packer,
    packs,
    with_coding,
    worth,
)
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.log import get_logger

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_log = get_logger(__name__)
_PLAIN = Accepted(None, True)
_VARY = (b"vary", b"Accept-Encoding")


@dataclass(slots=True)
class Sent:
    """What left: how many bytes, and what kept the rest from leaving."""

    size: int = 0
    cut: str | None = None


class _Begun(AsyncIterator[bytes]):
    """A stream whose first chunk has been taken already."""

    def __init__(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self._first: bytes | None = first
        self._rest = rest

    async def __anext__(self) -> bytes:
        if self._first is None:
            return await anext(self._rest)
        first, self._first = self._first, None
        return first

    async def aclose(self) -> None:
        await _close(self._rest)


async def begun(reply: Reply, seconds: float) -> Reply:
    """The reply once its first chunk is there, so that what fails at once is still answered as an error."""
    if reply.stream is not None:
        async with asyncio.timeout(seconds):
            reply.stream = _Begun(await anext(reply.stream, b""), reply.stream)
    return reply


async def send_reply(exchange: Exchange, reply: Reply, common: Headers, send: Send, *, stall: float) -> Sent:
    """Send it; a stream ends early when the caller goes away, or reads nothing for `stall` seconds."""
    headers = [*common, *reply.headers]
    accepted = _PLAIN
    if reply.body or reply.stream is not None:
        headers.append((b"content-type", reply.media.encode()))
        if packs(reply.media):
            _vary(headers)
            if not exchange.secret and worth(reply, cookies="cookie" in exchange.headers):
                accepted = negotiate(exchange.headers.get("accept-encoding", ""))
    elif reply.status == 304:
        _vary(headers)
        _retag(headers, lambda tag: as_asked(tag, exchange.etags_asked))
    if reply.stream is not None:
        return await _send_stream(exchange, reply, reply.stream, headers, accepted.coding, send, stall)
    body = await _packed(reply.body, accepted, headers)
    if reply.status not in (204, 304):
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if exchange.method == "HEAD" else body})
    return Sent(len(body))


async def _packed(body: bytes, accepted: Accepted, headers: Headers) -> bytes:
    """The body in the coding that was negotiated, with its headers, when that is shorter or plain is refused."""
    coding = accepted.coding
    if coding is None or (len(body) < LEAST and accepted.plain):
        return body
    packed = await pack(body, coding)
    if len(packed) >= len(body) and accepted.plain:
        return body
    _mark(headers, coding)
    return packed


def _mark(headers: Headers, coding: str) -> None:
    headers.append((b"content-encoding", coding.encode()))
    _retag(headers, lambda tag: with_coding(tag, coding))


def _retag(headers: Headers, change: Callable[[str], str]) -> None:
    for at, (name, value) in enumerate(headers):
        if name == b"etag":
            headers[at] = (name, change(value.decode("latin-1")).encode("latin-1"))


def _vary(headers: Headers) -> None:
    """Tell caches that the answer depends on what the caller accepts."""
    for at, (name, value) in enumerate(headers):
        if name == b"vary":
            if b"accept-encoding" not in value.lower() and value.strip() != b"*":
                headers[at] = (name, value + b", Accept-Encoding")
            return
    headers.append(_VARY)


# --- streams --------------------------------------------------------------------------------------


async def _send_stream(
    exchange: Exchange,
    reply: Reply,
    stream: AsyncIterator[bytes],
    headers: Headers,
    coding: str | None,
    send: Send,
    stall: float,
) -> Sent:
    sent = Sent()
    try:
        if coding is not None:
            headers = [each for each in headers if each[0] != b"content-length"]
            _mark(headers, coding)
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if exchange.method == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return sent
        await _until_gone(exchange, _pour(stream, packer(coding) if coding else None, send, stall, sent), sent)
    finally:
        await _close(stream)
    return sent


async def _pour(stream: AsyncIterator[bytes], packing: Packer | None, send: Send, stall: float, sent: Sent) -> None:
    """Every chunk, each only once the one before has gone into the network."""
    async for chunk in stream:
        if chunk:
            await _put(chunk if packing is None else packing.feed(chunk), send, stall, sent)
    if packing is not None:
        await _put(packing.end(), send, stall, sent)
    await send({"type": "http.response.body", "body": b""})


async def _put(chunk: bytes, send: Send, stall: float, sent: Sent) -> None:
    async with asyncio.timeout(stall):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    sent.size += len(chunk)
    await asyncio.sleep(0)  # neither a source nor a caller that never waits keeps others waiting


async def _until_gone(exchange: Exchange, work: Any, sent: Sent) -> None:
    """Run it while somebody listens. What fails in the middle cuts the connection: only that tells the caller."""
    pouring = asyncio.create_task(work)
    gone = asyncio.create_task(exchange.gone())
    try:
        await asyncio.wait({pouring, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not pouring.done():
            sent.cut = "client_gone"
    finally:
        for task in (pouring, gone):
            task.cancel()
        await asyncio.wait({pouring, gone})
    if pouring.cancelled():
        return
    error = pouring.exception()
    if isinstance(error, TimeoutError):
        sent.cut = "client_stalled"
    elif error is not None:
        sent.cut = "stream_failed"
    if error is not None:
        _log.error("stream_failed", request_id=exchange.request_id, route=exchange.route, cut=sent.cut, exc_info=error)


async def _close(stream: AsyncIterator[bytes]) -> None:
    """Let the stream's own `finally` run now, not whenever it is collected."""
    close = getattr(stream, "aclose", None)
    if close is not None:
        with suppress(RuntimeError):  # it is being closed already
            await close()
