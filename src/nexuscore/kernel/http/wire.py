"""Answers on the wire: what is written in one turn of the event loop leaves in one system call.

uvicorn writes an answer's head and its body one after the other. Each write costs more than most of what we do for a
request, and the caller is woken by half an answer.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ENOUGH = 64 * 1024  # bytes: then they leave at once, so that a slow reader is noticed


class Protocol(HttpToolsProtocol):
    """uvicorn's, on a transport that gathers."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(cast(asyncio.Transport, Gathering(transport, asyncio.get_running_loop())))


class Gathering:
    """A transport that waits with what is written until the turn ends."""

    __slots__ = ("_loop", "_size", "_transport", "_waiting")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it with what else this turn writes."""
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(data)
        self._size += len(data)
        if self._size > _ENOUGH:
            self._send()

    def close(self) -> None:
        """Send what waits, then close."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._waiting:
            data = b"".join(self._waiting)
            self._waiting.clear()
            self._size = 0
            if not self._transport.is_closing():
                self._transport.write(data)
