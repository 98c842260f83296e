"""The Redis (or Valkey) that processes share, if there is one: asked quickly, and done without when it does not answer.

found = await app.redis.call("GET", app.redis.key("greeting"))   # bytes, or None

`app.redis` is None without `NEXUS_REDIS_URL`. Whoever asks it says what happens when it is away: every call ends within
`redis_timeout_ms`, in an answer or in `RedisDown`; after five failures in a row it is left alone for `redis_retry_s`.
"""

import asyncio
import hashlib
import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from nexuscore.kernel.breaker import Breaker
from nexuscore.kernel.log import get_logger

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

Word = str | bytes | int | float
_log = get_logger(__name__)

CONNECT_WITHIN = 2.0  # in the background; who waits for it waits no longer than for an answer
SILENT_FOR = 1.0  # a subscription that hears nothing for so long is asked whether it lives, and has as long to answer
PAUSE = 0.5  # before the next try to subscribe


class RedisDown(Exception):
    """Redis did not answer in time or not as it should, or is left alone because it did not before."""


class Script:
    """A Lua script that runs there, all or nothing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Redis:
    """One connection for commands, opened when it is needed, and one for each subscription."""

    def __init__(self, url: SecretStr, *, prefix: str, timeout: float, retry: float) -> None:
        self.url = url
        self.breaker = Breaker("redis", wait=retry)
        self._prefix = prefix
        self._timeout = timeout
        self._line: _Line | None = None
        self._opening: asyncio.Task[_Line] | None = None

    def key(self, *parts: object) -> str:
        """The name of a key of ours there."""
        return ":".join((self._prefix, *map(str, parts)))

    async def call(self, *command: Word) -> Any:
        """What Redis answers to one command; `RedisDown` when it does not, soon enough."""
        if not self.breaker.allows():
            raise RedisDown("it is left alone for a while")
        try:
            line = self._line
            if line is None or line.broken:
                line = await self._opened()
            answer = await line.ask(command, self._timeout)
        except RedisDown as error:
            self._failed(error)
            raise
        if isinstance(answer, Exception) and not _is_unknown_script(answer):
            self._failed(answer)
            raise RedisDown(str(answer)) from answer
        self.breaker.succeeded()
        return answer

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Word] = ()) -> Any:
        """What a script answers. Its text is sent only to a server that has not seen it."""
        answer = await self.call("EVALSHA", script.sha, len(keys), *keys, *arguments)
        if isinstance(answer, Exception):
            answer = await self.call("EVAL", script.text, len(keys), *keys, *arguments)
        return answer

    async def insist_on(self, script: Script, keys: Sequence[str], arguments: Sequence[Word] = ()) -> Any:
        """`run`, also while Redis is left alone: for what must get there, tried again and again by whoever can wait."""
        self.breaker.probe_now()
        return await self.run(script, keys, arguments)

    async def follow(self, channel: str, heard: Callable[[bytes], None], connected: Callable[[bool], None]) -> None:
        """Pass on what is published, until cancelled. `connected` is told when messages may have been lost, and when
        none are lost any more."""
        while True:
            connection = None
            try:
                connection = await self._connect()
                await connection.send_command("SUBSCRIBE", channel)
                await self._listen(connection, heard, connected)
            except (OSError, RedisDown, _errors()) as error:
                _log.debug("subscription_lost", channel=channel, error=str(error))
            finally:
                connected(False)
                if connection is not None:
                    await _close(connection)
            await asyncio.sleep(PAUSE)

    async def _listen(
        self, connection: "AbstractConnection", heard: Callable[[bytes], None], connected: Callable[[bool], None]
    ) -> None:
        asked = False
        while True:
            message = await connection.read_response(timeout=SILENT_FOR)
            if message is None:
                if asked:
                    raise RedisDown("the subscription is silent")
                await connection.send_command("PING")
                asked = True
                continue
            asked = False
            if message[0] == b"subscribe":
                connected(True)
            elif message[0] == b"message":
                heard(message[2])

    async def start(self) -> None:
        """Connect, so that the first request need not. A Redis that is away is no reason not to start."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                self._line = await _Line.open(await self._connect())
        except (TimeoutError, OSError, _errors()) as error:
            _log.warning("redis_unreachable", error=str(error) or type(error).__name__)

    async def stop(self) -> None:
        """Close the connection."""
        if self._opening is not None:
            self._opening.cancel()
            with suppress(asyncio.CancelledError, RedisDown):
                await self._opening
            self._opening = None
        if self._line is not None:
            await self._line.close()
            self._line = None

    def _failed(self, error: Exception) -> None:
        self.breaker.failed(error)
        if self.breaker.state != "closed" and self._line is not None:
            self._line.drop(error)
            self._line = None

    async def _opened(self) -> "_Line":
        """The line for commands, which one of those who wait opens for all."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
        done, _ = await asyncio.wait({self._opening}, timeout=self._timeout)
        if not done:
            raise RedisDown("no connection in time")
        return self._opening.result()

    async def _open(self) -> "_Line":
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                self._line = await _Line.open(await self._connect())
        except (TimeoutError, OSError, _errors()) as error:
            raise RedisDown(f"no connection: {error or type(error).__name__}") from error
        return self._line

    async def _connect(self) -> "AbstractConnection":
        from redis.asyncio.connection import Connection, parse_url  # half a second that few need

        given: dict[str, Any] = dict(parse_url(self.url.get_secret_value()))
        kind = given.pop("connection_class", Connection)
        connection: AbstractConnection = kind(
            **{**given, "protocol": 2, "socket_timeout": None, "socket_connect_timeout": CONNECT_WITHIN}
        )
        await connection.connect()  # type: ignore[no-untyped-call]  # the library has not typed it
        return connection


class _Line:
    """A connection on which commands follow each other without waiting, answered in their order.

    Who stops waiting leaves their place in the row, so that nobody is handed another's answer.
    """

    def __init__(self, connection: "AbstractConnection") -> None:
        self.broken = False
        self._connection = connection
        self._row: deque[asyncio.Future[Any]] = deque()
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, connection: "AbstractConnection") -> "_Line":
        """The line on a connection that is open."""
        line = cls(connection)
        line._reading = asyncio.create_task(line._read())
        return line

    async def ask(self, command: Sequence[Word], seconds: float) -> Any:
        """The answer, an exception if it is an error, or `RedisDown` when there is none in time."""
        loop = asyncio.get_running_loop()
        place: asyncio.Future[Any] = loop.create_future()
        writer = self._connection._writer  # sending by the library waits for a full buffer, however long
        if self.broken or writer is None:
            raise RedisDown("the connection is lost")
        packed = self._connection.pack_command(*command)
        self._row.append(place)
        writer.writelines(packed)
        timer = loop.call_later(seconds, _look_again, loop, place)
        try:
            return await place
        finally:
            timer.cancel()

    async def _read(self) -> None:
        error: Exception = RedisDown("the connection is lost")
        try:
            while True:
                try:
                    answer = await self._connection.read_response(timeout=math.inf)
                except _refusals() as refusal:
                    answer = refusal
                place = self._row.popleft()
                if not place.done():
                    place.set_result(answer)
        except (OSError, IndexError, _errors()) as lost:
            error = lost
        finally:
            self.drop(error)

    def drop(self, error: Exception) -> None:
        """Give up: whoever waits is told, and the connection is closed."""
        if self.broken:
            return
        self.broken = True
        for place in self._row:
            if not place.done():
                place.set_exception(RedisDown(str(error) or type(error).__name__))
        self._row.clear()
        if self._connection._writer is not None:
            self._connection._writer.transport.abort()
            self._connection._close()  # type: ignore[no-untyped-call]  # as above
        if self._reading is not None and self._reading is not asyncio.current_task():
            self._reading.cancel()

    async def close(self) -> None:
        """Close in order."""
        self.drop(RedisDown("we are stopping"))
        if self._reading is not None:
            with suppress(asyncio.CancelledError):
                await self._reading
        await _close(self._connection)


def _look_again(loop: asyncio.AbstractEventLoop, place: "asyncio.Future[Any]", turns: int = 3) -> None:
    """Time is over; but an answer that came while we were busy elsewhere is read first."""
    if place.done():
        return
    if turns:
        loop.call_soon(_look_again, loop, place, turns - 1)
    else:
        place.set_exception(RedisDown("no answer in time"))


async def _close(connection: "AbstractConnection") -> None:
    with suppress(OSError, _errors()):
        await connection.disconnect(nowait=True)


def _errors() -> type[Exception]:
    from redis.exceptions import RedisError

    return RedisError


def _refusals() -> type[Exception]:
    from redis.exceptions import ResponseError

    return ResponseError


def _is_unknown_script(answer: Exception) -> bool:
    from redis.exceptions import NoScriptError

    return isinstance(answer, NoScriptError)
