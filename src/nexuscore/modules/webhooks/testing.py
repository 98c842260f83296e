"""For tests about webhooks: a receiver that is really called, and time that passes at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from nexuscore.kernel.db import Scope
from nexuscore.kernel.testing import Client, House


@dataclass(frozen=True, slots=True)
class Heard:
    """A request the receiver got. Header names are lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The `webhook-id`, the same in every attempt."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        """The body."""
        return from_json(self.body)


@dataclass(frozen=True, slots=True)
class Say:
    """What the receiver answers, and after how many seconds."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    after: float = 0.0

    def wire(self) -> bytes:
        """It as it goes over the wire."""
        lines = [f"HTTP/1.1 {self.status} Said", f"content-length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join((*lines, "", "")).encode("latin-1") + self.body


class Receiver:
    """An HTTP server on this machine. Set `say` to decide what it answers to what it hears."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.say: Callable[[Heard], Say] = lambda heard: Say()
        self.url = ""
        self.under_way = 0
        self._open: set[asyncio.StreamWriter] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        self._open.add(writer)
        try:
            while True:
                heard = await _read(reader)
                self.heard.append(heard)
                self.under_way += 1
                try:
                    said = self.say(heard)
                    if said.after:
                        await asyncio.sleep(said.after)
                finally:
                    self.under_way -= 1
                writer.write(said.wire())
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    def hang_up(self) -> None:
        """End every connection."""
        for writer in list(self._open):
            writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Heard:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Heard(head[0].split(" ")[1], headers, body)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver, listening while the block runs."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.talk, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()
        receiver.hang_up()
        await asyncio.sleep(0.01)


async def hurry(house: House) -> None:
    """Let the time of every delivery that waits come, and of every queued job; then run them."""
    async with house.app.database.transaction(Scope(across=True)) as db:
        await db.raw("UPDATE webhook_deliveries SET next_try_at = '2000-01-01' WHERE next_try_at IS NOT NULL")
        await db.raw("UPDATE webhook_endpoints SET rest_until = NULL")
        await db.raw("UPDATE pgqueuer SET execute_after = now() WHERE status = 'queued'")
    await house.drain()


# --- probes: what tests/isolation needs to call every operation -----------------------------------

Made = tuple[dict[str, Any], Any]


async def _new_endpoint(house: House, client: Client) -> Made:
    return {}, {"url": "https://example.com/hook", "filters": ["*"]}


def _endpoint(body: Any = None) -> Callable[[House, Client], Awaitable[Made]]:
    async def probe(house: House, client: Client) -> Made:
        made = await client.post("/webhooks/endpoints", (await _new_endpoint(house, client))[1])
        assert made.status_code == 201, made.text
        return {"endpoint_id": made.json()["id"]}, body

    return probe


async def _delivery(house: House, client: Client) -> Made:
    path, _ = await _endpoint()(house, client)
    sent = await client.post(f"/webhooks/endpoints/{path['endpoint_id']}/test", {})
    assert sent.status_code == 201, sent.text
    return {"delivery_id": sent.json()["id"]}, None


async def _event_type(house: House, client: Client) -> Made:
    return {"type": (await client.get("/webhooks/event-types")).json()[0]["type"]}, None


PROBES = {
    "preview_event_type": _event_type,
    "create_endpoint": _new_endpoint,
    "read_endpoint": _endpoint(),
    "change_endpoint": _endpoint({"description": "changed"}),
    "delete_endpoint": _endpoint(),
    "rotate_endpoint_secret": _endpoint({}),
    "enable_endpoint": _endpoint(),
    "disable_endpoint": _endpoint(),
    "test_endpoint": _endpoint({}),
    "recover_endpoint": _endpoint({"since": "2026-01-01T00:00:00Z"}),
    "replay_endpoint": _endpoint({"since": "2026-01-01T00:00:00Z"}),
    "read_endpoint_stats": _endpoint(),
    "read_delivery": _delivery,
    "list_attempts": _delivery,
    "retry_delivery": _delivery,
    "cancel_delivery": _delivery,
    "create_endpoint_page": _new_endpoint,
    "endpoint_page": _endpoint(),
    "change_endpoint_page": _endpoint({"description": "changed"}),
    "delete_endpoint_page": _endpoint(),
    "rotate_endpoint_page": _endpoint({}),
    "enable_endpoint_page": _endpoint(),
    "disable_endpoint_page": _endpoint(),
    "test_endpoint_page": _endpoint({}),
    "recover_endpoint_page": _endpoint({"days": 1}),
    "replay_endpoint_page": _endpoint({"days": 1}),
    "event_type_page": _event_type,
    "delivery_page": _delivery,
    "retry_delivery_page": _delivery,
    "cancel_delivery_page": _delivery,
}
