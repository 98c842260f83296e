"""Outgoing calls: what is refused before a connection, and what an answer may cost.

Every attack of HOSTILE reaches the canary through `careless`, a client as people write it: parse with the standard
library, resolve, connect. So a hole in ours would be seen.
"""

import asyncio
import socket
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

import pytest

from nexuscore.kernel.outbound import Address, Connection, Outbound, OutboundError, Policy, TargetRefused, target
from nexuscore.kernel.outbound.testing import CONTROL, HOSTILE, PUBLIC, Town

pytestmark = pytest.mark.anyio
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@asynccontextmanager
async def serving(talk: Talk, town: Town | None = None) -> AsyncIterator[int]:
    """A server on this machine; with `town`, in TLS, and the place where all its addresses lead."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=town.certificate if town else None)
    port: int = server.sockets[0].getsockname()[1]
    if town is not None:
        town.port = port
    try:
        yield port
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    size = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return head + await reader.readexactly(size)


def saying(answer: bytes, *, heard: list[bytes] | None = None, hang: bool = False) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await read_request(reader)
            if heard is not None:
                heard.append(request)
            writer.write(answer)
            await writer.drain()
            if hang:
                await asyncio.sleep(30)

    return talk


def in_town(town: Town, policy: Policy | None = None) -> Outbound:
    return Outbound(policy or Policy(), resolve=town.resolve, dial_at=town.dial, tls=town.trust)


async def careless(town: Town, url: str) -> None:
    """What a webhook sender looks like when nobody has thought of it."""
    parts = urlsplit(url.replace("\\", "/"))
    host = unicodedata.normalize("NFKC", unquote(parts.hostname or "")).replace("。", ".").rstrip(".")
    try:
        found: Address = ip_address(host)
    except ValueError:
        try:
            found = ip_address(socket.inet_aton(host))
        except OSError:
            found = (await town.resolve(host, 443))[-1]
    await town.dial(Connection(), found, parts.port or 443, None, host)


@pytest.fixture
def town() -> Town:
    found = Town()
    for url, addresses in HOSTILE:
        if addresses:
            host = unicodedata.normalize("NFKC", urlsplit(url).hostname or "").rstrip(".")
            found.names[host] = [addresses]
    return found


def test_there_are_sixty_hostile_targets() -> None:
    assert len(dict(HOSTILE)) >= 60


@pytest.mark.parametrize("url", [url for url, _ in HOSTILE])
async def test_a_hostile_target_is_not_connected_to_and_would_be_by_a_careless_client(url: str, town: Town) -> None:
    async with serving(saying(OK)) as port:
        town.port = port
        client = in_town(town)
        with pytest.raises(TargetRefused):
            await client.request("POST", url)
        assert town.dialled == []
        await careless(town, url)
        assert len(town.dialled) == 1


async def test_the_public_control_is_answered_under_its_name(town: Town) -> None:
    heard: list[bytes] = []
    async with serving(saying(OK, heard=heard), town):
        client = in_town(town)
        answer = await client.request("POST", CONTROL, headers=[("x-one", "1")], body=b"hello")
        await client.aclose()
    assert (answer.status, answer.body, answer.complete) == (200, b"ok", True)
    assert town.dialled == [PUBLIC]
    assert heard[0].startswith(b"POST /hook HTTP/1.1\r\nhost: control.example.com\r\n")
    assert heard[0].endswith(b"\r\nx-one: 1\r\n\r\nhello")


async def test_a_certificate_for_another_name_is_not_believed(town: Town) -> None:
    town.names["control.example.org"] = [(PUBLIC,)]
    async with serving(saying(OK), town):
        with pytest.raises(OutboundError) as error:
            await in_town(town).request("GET", "https://control.example.org/")
    assert error.value.code == "tls_failed"


async def test_a_name_that_changes_its_mind_is_asked_once(town: Town) -> None:
    """Rebinding: public when it is checked, loopback when it is connected to. Asking twice would connect there."""
    town.names["control.example.com"] = [(PUBLIC,), ("127.0.0.1",)]
    async with serving(saying(OK), town):
        client = in_town(town)
        await client.request("POST", CONTROL)
        await client.aclose()
    assert (town.asked, town.dialled) == (["control.example.com"], [PUBLIC])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(status: int, town: Town) -> None:
    answer = b"HTTP/1.1 %d Moved\r\nlocation: https://127.0.0.1/\r\ncontent-length: 0\r\n\r\n" % status
    async with serving(saying(answer), town):
        client = in_town(town)
        found = await client.request("POST", CONTROL)
        await client.aclose()
    assert (found.status, town.dialled) == (status, [PUBLIC])


async def test_proxies_of_the_environment_are_ignored(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    proxied: list[bytes] = []
    async with serving(saying(OK, heard=proxied)) as proxy, serving(saying(OK), town):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        client = in_town(town)
        assert (await client.request("POST", CONTROL)).status == 200
        await client.aclose()
    assert proxied == []


async def test_development_may_call_this_machine_and_nothing_else_inside() -> None:
    policy = Policy(loopback=True)
    async with serving(saying(OK)) as port:
        client = Outbound(policy)
        assert (await client.request("POST", f"http://127.0.0.1:{port}/")).status == 200
        assert (await client.request("POST", f"http://localhost:{port}/")).status == 200
        await client.aclose()
    refused = ("http://10.0.0.1/", "http://192.168.0.1:8080/", "http://example.com/", "https://[::ffff:127.0.0.1]/")
    for url in refused:
        with pytest.raises(TargetRefused):
            target(url, policy)


async def test_a_connection_is_used_again_and_a_dead_one_replaced(town: Town) -> None:
    accepted = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        for _ in range(2):
            await read_request(reader)
            writer.write(OK)
        await read_request(reader)  # the third is read by nobody: the connection just ends

    async with serving(once, town):
        client = in_town(town)
        for _ in range(3):
            assert (await client.request("POST", CONTROL)).status == 200
        await client.aclose()
    assert accepted == 2


async def test_a_body_is_cut_at_the_limit_and_the_rest_not_read(town: Town) -> None:
    endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1000\r\n%s\r\n" % (b"x" * 4096) * 64
    async with serving(saying(endless, hang=True), town):
        answer = await in_town(town).request("POST", CONTROL, limit=5000)
    assert (len(answer.body), answer.complete) == (5000, False)


async def test_an_answer_that_comes_drop_by_drop_is_cut_in_time(town: Town) -> None:
    """A time-out per read would never fire: a byte comes every 20 ms."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 10_000:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)

    async with serving(drip, town):
        with pytest.raises(OutboundError) as error:
            await in_town(town).request("POST", CONTROL, seconds=0.5)
    assert error.value.code == "timed_out"


async def test_a_name_server_that_hangs_is_cut_in_time_and_asked_once_for_all(town: Town) -> None:
    asked = 0

    async def never(host: str, port: int) -> list[Address]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(30)
        return []

    client = Outbound(Policy(), resolve=never)
    calls = [client.request("POST", CONTROL, seconds=0.2) for _ in range(5)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    await client.aclose()
    assert [getattr(each, "code", None) for each in results] == ["timed_out"] * 5
    assert asked == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "connection_lost"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "answer_malformed"),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhello", "answer_malformed"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 40_000, "answer_malformed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", "connection_lost"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "answer_malformed",
        ),
    ],
)
async def test_what_is_not_a_whole_answer_is_an_error(answer: bytes, code: str, town: Town) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        await writer.drain()

    async with serving(talk, town):
        with pytest.raises(OutboundError) as error:
            await in_town(town).request("POST", CONTROL)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
async def test_answers_in_every_form_are_read(answer: bytes, body: bytes, town: Town) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        await writer.drain()

    async with serving(talk, town):
        client = in_town(town)
        found = await client.request("POST", CONTROL)
        await client.aclose()
    assert (found.body, found.complete, found.header("link")) == (body, True, None)


async def test_a_header_cannot_end_its_line(town: Town) -> None:
    client = in_town(town)
    for name, value in (("x", "a\r\nhost: b"), ("x\r\nhost", "b"), ("x y", "b"), ("", "b"), ("x", "a\nb")):
        with pytest.raises(ValueError, match="does not belong"):
            await client.request("POST", CONTROL, headers=[(name, value)])


async def test_the_next_address_is_tried_when_one_does_not_answer(town: Town) -> None:
    town.names["control.example.com"] = [("93.184.215.15", PUBLIC)]
    plain = town.dial

    async def first_is_down(connection: Connection, address: Address, *rest: object) -> None:
        if str(address) != PUBLIC:
            town.dialled.append(str(address))
            raise ConnectionRefusedError
        await plain(connection, address, *rest)  # type: ignore[arg-type]  # passed on as they came

    async with serving(saying(OK), town):
        client = Outbound(Policy(), resolve=town.resolve, dial_at=first_is_down, tls=town.trust)
        assert (await client.request("POST", CONTROL)).status == 200
        await client.aclose()
    assert town.dialled == ["93.184.215.15", PUBLIC]


async def test_names_that_do_not_exist_and_ports_nobody_hears_on_are_errors(town: Town) -> None:
    with pytest.raises(OutboundError) as error:
        await in_town(town).request("POST", "https://nowhere.example.com/")
    assert error.value.code == "name_not_resolved"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(OutboundError) as error:
            await Outbound(Policy(loopback=True)).request("POST", f"http://127.0.0.1:{closed.getsockname()[1]}/")
    assert error.value.code == "connection_failed"


def test_a_url_is_taken_apart_once() -> None:
    found = target("https://München.example.com:8443/a b?c=d".replace(" ", "%20") + "&e=ü", Policy())
    assert found.authority == "xn--mnchen-3ya.example.com:8443"
    assert found.path == "/a%20b?c=d&e=%C3%BC"
    assert target("https://example.com?x=1", Policy()).path == "/?x=1"
    assert target("https://[2606:4700::1111]/", Policy()).authority == "[2606:4700::1111]"
