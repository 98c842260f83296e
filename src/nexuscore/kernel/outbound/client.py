"""The client: resolve once, check every address, connect to one of those."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

from nexuscore.kernel import sight
from nexuscore.kernel.outbound.targets import Address, OutboundError, Policy, Target, TargetRefused, target
from nexuscore.kernel.outbound.wire import Answer, Connection, Reply, written

Resolve = Callable[[str, int], Coroutine[Any, Any, Sequence[Address]]]
Dial = Callable[[Connection, Address, int, ssl.SSLContext | None, str], Awaitable[None]]

_MOST_ADDRESSES = 4  # tried one after the other,
_DIAL_S = 4.0  # this long each
_IDLE_S = 5.0
_MOST_IDLE = 32  # connections to one origin

_resolvers = ThreadPoolExecutor(16, thread_name_prefix="resolve")  # slow name servers keep these busy, not the app's
_contexts: list[ssl.SSLContext] = []


class Outbound:
    """Belongs to one event loop, and keeps connections open for a few seconds after their use."""

    def __init__(
        self,
        policy: Policy,
        *,
        resolve: Resolve | None = None,
        dial_at: Dial | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`resolve`, `dial_at` and `tls` are for tests: a name server, the way to an address, trust."""
        self.policy = policy
        self._resolve = resolve or lookup
        self._dial = dial_at or dial
        self._tls = tls
        self._idle: dict[tuple[str, str, int], list[tuple[Connection, asyncio.TimerHandle]]] = {}
        self._looking: dict[tuple[str, int], asyncio.Task[Sequence[Address]]] = {}

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        seconds: float = 15.0,
        limit: int = 64 * 1024,
        purpose: str = "other",
    ) -> Answer:
        """Send it and wait for the answer, at most so long for everything; `OutboundError` when none comes.

        `purpose` is the word the call is counted under. The trace goes along by its id alone: whoever is called was
        chosen by somebody else.
        """
        place = target(url, self.policy)
        with sight.outside(purpose) as call:
            traceparent = [] if _names(headers, "traceparent") else call.traceparent
            request = written(method, place, [*headers, *traceparent], body)
            try:
                async with asyncio.timeout(seconds):
                    answer = (await self._exchange(place, request, limit)).answer()
            except TimeoutError:
                raise _too_late() from None
            call.status = answer.status
            return answer

    async def aclose(self) -> None:
        """Close what is idle, and stop asking for names."""
        for kept in self._idle.values():
            for connection, timer in kept:
                timer.cancel()
                connection.on_lost = None
                connection.close()
        self._idle.clear()
        for task in self._looking.values():
            task.cancel()
        await asyncio.sleep(0)  # closed connections are let go on the next turn of the loop

    async def _exchange(self, place: Target, request: bytes, limit: int) -> Reply:
        connection = self._take(place)
        if connection is not None:
            try:
                return await self._use(place, connection, request, limit)
            except OutboundError as error:
                if error.code != "connection_lost" or connection.heard:
                    raise  # else it was closed while idle, and nobody read the request
        return await self._use(place, await self._connect(place), request, limit)

    async def _use(self, place: Target, connection: Connection, request: bytes, limit: int) -> Reply:
        try:
            reply = await connection.exchange(request, limit)
        except BaseException:
            connection.close()
            raise
        if reply.reusable and connection.open:
            self._keep(place, connection)
        else:
            connection.close()
        return reply

    async def _connect(self, place: Target) -> Connection:
        addresses = await self._addresses(place) if place.address is None else [place.address]
        for address in addresses:
            refused = self.policy.refuses(address)
            if refused is not None:
                raise refused
            if place.scheme == "http" and not address.is_loopback:
                raise TargetRefused("The address must start with https://.")
        tls = (self._tls or trusted()) if place.scheme == "https" else None
        failed: Exception | None = None
        for address in addresses[:_MOST_ADDRESSES]:
            connection = Connection()
            try:
                async with asyncio.timeout(_DIAL_S):
                    await self._dial(connection, address, place.port, tls, place.host)
                return connection
            except OSError as error:  # TLS errors and time-outs too
                failed = error
                connection.close()
        if isinstance(failed, TimeoutError):
            raise _too_late() from failed
        if isinstance(failed, ssl.SSLError):
            raise OutboundError("No secure connection could be made.", code="tls_failed") from failed
        raise OutboundError("No connection could be made.", code="connection_failed") from failed

    async def _addresses(self, place: Target) -> Sequence[Address]:
        """Where the name leads, asked once for all that wait for it."""
        key = (place.host, place.port)
        task = self._looking.get(key)
        if task is None:
            task = self._looking[key] = asyncio.create_task(self._resolve(*key))
            task.add_done_callback(lambda done: self._forget(key, done))
        try:
            addresses = await asyncio.shield(task)
        except OSError as error:
            raise _no_name() from error
        if not addresses:
            raise _no_name()
        return addresses

    def _forget(self, key: tuple[str, int], task: "asyncio.Task[Sequence[Address]]") -> None:
        self._looking.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen, also when everybody who waited has gone

    def _take(self, place: Target) -> Connection | None:
        idle = self._idle.get(place.origin, [])
        while idle:
            connection, timer = idle.pop()
            timer.cancel()
            connection.on_lost = None
            if connection.open:
                return connection
        return None

    def _keep(self, place: Target, connection: Connection) -> None:
        idle = self._idle.setdefault(place.origin, [])
        if len(idle) >= _MOST_IDLE:
            connection.close()
            return

        def drop() -> None:
            idle[:] = [each for each in idle if each[0] is not connection]
            if not idle and self._idle.get(place.origin) is idle:
                del self._idle[place.origin]
            connection.close()

        connection.on_lost = drop
        idle.append((connection, asyncio.get_running_loop().call_later(_IDLE_S, drop)))


def _names(headers: Sequence[tuple[str, str]], name: str) -> bool:
    return any(each.lower() == name for each, _ in headers)


def _too_late() -> OutboundError:
    return OutboundError("There was no answer in time.", code="timed_out")


def _no_name() -> OutboundError:
    return OutboundError("The name could not be resolved.", code="name_not_resolved")


def trusted() -> ssl.SSLContext:
    """Whom we believe: the certificate authorities of the system, whatever the environment says."""
    if not _contexts:
        import httpx2  # heavy, and a process that calls nobody never needs it

        _contexts.append(httpx2.create_ssl_context(trust_env=False))
    return _contexts[0]


async def lookup(host: str, port: int) -> list[Address]:
    """Every address of a name, as the system resolves it."""
    found = await asyncio.get_running_loop().run_in_executor(
        _resolvers, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    return list(dict.fromkeys(ip_address(str(each[4][0])) for each in found))


async def dial(connection: Connection, address: Address, port: int, tls: ssl.SSLContext | None, name: str) -> None:
    """Connect to the address itself; `name` is what the certificate must be for."""
    await asyncio.get_running_loop().create_connection(
        lambda: connection, str(address), port, ssl=tls, server_hostname=name if tls else None
    )
