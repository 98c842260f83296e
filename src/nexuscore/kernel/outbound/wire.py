"""One HTTP/1.1 connection of ours. llhttp reads the answers; what it cannot read ends the connection.

httpx2 does all this and more for ten times the processor time, and webhooks are sent by the thousand.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import httptools

from nexuscore.kernel.outbound.targets import OutboundError, Target

_LONGEST_HEAD = 32 * 1024
_NOT_IN_A_NAME = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_NOT_IN_A_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is cut at the limit of the call; `complete` says whether that was all of it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    complete: bool

    def header(self, name: str) -> str | None:
        """The first header called `name`, in lower case."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(slots=True)
class Reply:
    """An answer as it comes in."""

    limit: int
    done: asyncio.Future[None]
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    head_size: int = 0
    headed: bool = False
    complete: bool = False
    reusable: bool = False

    def end(self, error: Exception | None = None) -> None:
        """It is whole, or will never be."""
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    def answer(self) -> Answer:
        """It as the caller gets it."""
        return Answer(self.status, self.headers, bytes(self.body), self.complete)


class Connection(asyncio.Protocol):
    """One connection, for one exchange at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._reply: Reply | None = None
        self.on_lost: Callable[[], None] | None = None
        self.heard = False  # whether a byte of the present answer has come

    @property
    def open(self) -> bool:
        """Whether it can be used again."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, request: bytes, limit: int) -> Reply:
        """Send a request and wait for its answer, of whose body `limit` bytes are kept."""
        if self._transport is None:
            raise _lost()
        self._reply = reply = Reply(limit, asyncio.get_running_loop().create_future())
        self._parser = httptools.HttpResponseParser(self)
        self.heard = False
        self._transport.write(request)
        try:
            await reply.done
        finally:
            self._reply = None
        return reply

    # what asyncio and llhttp tell us

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        reply, parser = self._reply, self._parser
        if reply is None or parser is None or reply.done.done():
            self.close()  # nobody asked
            return
        self.heard = True
        if not reply.headed:
            reply.head_size += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._give_up(reply)
        if not reply.headed and reply.head_size > _LONGEST_HEAD:
            self._give_up(reply)

    def _give_up(self, reply: Reply) -> None:
        reply.end(OutboundError("The answer cannot be read.", code="answer_malformed"))
        self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reply is not None:
            self._reply.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        reply, parser = self._reply, self._parser
        if reply is None or parser is None:
            return
        reply.status = parser.get_status_code()
        if reply.status >= 200:
            reply.headed = True
        else:
            reply.headers.clear()  # the real answer follows

    def on_body(self, data: bytes) -> None:
        reply = self._reply
        if reply is None or reply.done.done():
            return
        reply.body += data
        if len(reply.body) > reply.limit:
            del reply.body[reply.limit :]
            reply.end()
            self.close()

    def on_message_complete(self) -> None:
        reply, parser = self._reply, self._parser
        if reply is None or parser is None or not reply.headed or reply.done.done():
            return
        reply.complete = True
        reply.reusable = parser.should_keep_alive()
        reply.end()

    def connection_lost(self, error: Exception | None) -> None:
        reply = self._reply
        if reply is not None:
            sized = any(name in ("content-length", "transfer-encoding") for name, _ in reply.headers)
            if reply.headed and error is None and not sized:
                reply.complete = True  # such an answer ends with its connection
                reply.end()
            else:
                reply.end(_lost())
        if self.on_lost is not None:
            self.on_lost()


def _lost() -> OutboundError:
    return OutboundError("The connection ended before the answer did.", code="connection_lost")


def written(method: str, place: Target, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """The request as it goes over the wire; a header can end neither its line nor the head."""
    lines = [f"{method} {place.path} HTTP/1.1", f"host: {place.authority}", f"content-length: {len(body)}"]
    for name, value in headers:
        if not name or _NOT_IN_A_NAME.search(name) or _NOT_IN_A_VALUE.search(value):
            raise ValueError(f"header {name!r} has a character that does not belong there")
        lines.append(f"{name}: {value}")
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body
