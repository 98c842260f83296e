"""The client: keep-alive connections that ask again as soon as they are answered. Any answer but a 2xx or a 304 ends
the run.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from time import perf_counter
from typing import cast

CONNECTIONS = 16  # busy, and no more than each server has connections to the database
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class LoadError(Exception):
    """A server answered with something else than a 2xx, or not in a way this client reads."""


@dataclass(frozen=True, slots=True)
class Slice:
    """How much was answered, and how long that took."""

    requests: int
    seconds: float


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """One request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench"]
    lines += [f"{name}: {value}" for name, value in {"Accept": "application/json", **headers}.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def load(port: int, requests: Sequence[bytes], seconds: float) -> Slice:
    """Ask for `seconds` on every connection, taking the requests in turn; the last answers are waited for."""
    loop = asyncio.get_running_loop()
    turns = cycle(requests)
    callers = [_Caller(turns) for _ in range(CONNECTIONS)]
    for caller in callers:
        await loop.create_connection(partial(_itself, caller), "127.0.0.1", port)
    started = perf_counter()
    try:
        await asyncio.gather(*(caller.ask_until(started + seconds) for caller in callers))
        ended = perf_counter()
    finally:
        for caller in callers:
            caller.close()
    return Slice(sum(caller.answered for caller in callers), ended - started)


def _itself(caller: "_Caller") -> "_Caller":
    return caller


class _Caller(asyncio.Protocol):
    """One connection. Bytes are compared, not parsed: the client shares the cores with what it measures."""

    def __init__(self, turns: Iterator[bytes]) -> None:
        self.answered = 0
        self._turns = turns
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._until = 0.0
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class does not say it is one

    async def ask_until(self, until: float) -> None:
        """Ask, and ask again after each answer, until that moment."""
        self._until = until
        self._ask()
        await self._done

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _ask(self) -> None:
        assert self._transport is not None
        self._transport.write(next(self._turns))

    def data_received(self, data: bytes) -> None:
        answer = self._waiting + data if self._waiting else data
        head = answer.find(b"\r\n\r\n")
        unchanged = answer[9:12] == b"304"  # has no body, and says nothing of its length
        length = _LENGTH.search(answer, 0, head) if head >= 0 else None
        if head >= 0 and length is None and not unchanged:
            self._fail(f"an answer without Content-Length: {answer[:head]!r}")
        elif head < 0 or (length is not None and len(answer) < head + 4 + int(length[1])):
            self._waiting = answer
        elif answer[9:10] != b"2" and not unchanged:
            self._fail(answer.decode(errors="replace")[:1000])
        else:
            self._waiting = b""
            self.answered += 1
            if perf_counter() < self._until:
                self._ask()
            elif not self._done.done():
                self._done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"the server hung up: {error}")

    def _fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(LoadError(why))
