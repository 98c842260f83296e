"""How answers leave: packed as the caller likes it, streamed at the caller's pace, cut when nobody reads."""

import asyncio
import gzip
import json
import socket
import zlib
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import brotli  # type: ignore[import-untyped]  # it ships no types
import pytest
import uvicorn
import zstandard
from hypothesis import given, settings, strategies as st

from nexuscore.kernel.app import App, compose
from nexuscore.kernel.http import Exchange, Public, Reply, Routes
from nexuscore.kernel.http.answers import Schema
from nexuscore.kernel.http.wire import Protocol
from nexuscore.kernel.module import Module
from nexuscore.kernel.settings import KernelSettings, load

Anybody = Annotated[Exchange, Public("a test")]
routes = Routes("/sent", tag="Sent")
TEXT = b'{"text":"' + b"All work and no play. " * 100 + b'"}'


class Token(Schema):
    access_token: str


@dataclass
class Source:
    """What a stream gives, and what became of it."""

    given: int = 0
    closed: bool = False
    go: asyncio.Event = field(default_factory=asyncio.Event)


SOURCE: list[Source] = []


@routes.get("/text")
async def sent_text(exchange: Anybody, size: int = len(TEXT)) -> Reply:
    """A text of so many bytes."""
    return Reply(body=(TEXT * 8)[:size]).header("etag", '"v1"')


@routes.get("/unchanged")
async def sent_unchanged(exchange: Anybody) -> Reply:
    """What an operation sees of the tags the caller has; 304 if it has ours."""
    seen = exchange.headers.get("if-none-match", "")
    return Reply(304 if '"v1"' in seen else 200, b"" if '"v1"' in seen else TEXT).header("etag", '"v1"')


@routes.get("/varied")
async def sent_varied(exchange: Anybody) -> Reply:
    """What varies by something else too."""
    return Reply(body=TEXT).header("vary", "accept-language")


@routes.get("/picture")
async def sent_picture(exchange: Anybody) -> Reply:
    """A picture."""
    return Reply(body=TEXT, media="image/png")


@routes.get("/token", answer=Token)
async def sent_token(exchange: Anybody, echo: str) -> Reply:
    """A token, beside what the caller sent."""
    return Reply(body=b'{"access_token":"%s","echo":"%s"}' % (b"s3cret" * 300, echo.encode()))


@routes.get("/stream")
async def sent_stream(exchange: Anybody) -> Reply:
    """Ten chunks of a kilobyte, each when it is asked for."""
    return Reply(stream=_chunks(SOURCE[-1]), media="text/csv")


async def _chunks(source: Source) -> AsyncIterator[bytes]:
    try:
        for number in range(10):
            source.given = number + 1
            yield b"%03d" % number + b"," * 1000 + b"\n"
            if number == 4:
                await source.go.wait()
    finally:
        source.closed = True


@routes.get("/endless")
async def sent_endless(exchange: Anybody) -> Reply:
    """As much as the caller reads."""

    async def chunks(source: Source) -> AsyncIterator[bytes]:
        try:
            while True:
                source.given += 1
                yield b"x" * 65_536
        finally:
            source.closed = True

    return Reply(stream=chunks(SOURCE[-1]), media="text/csv")


@routes.get("/broken")
async def sent_broken(exchange: Anybody, after: int) -> Reply:
    """A stream that fails."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(after):
            yield b"a"
        raise RuntimeError("the source is broken")

    return Reply(stream=chunks(), media="text/csv")


MODULE = Module(name="sent", package=None, routes=(routes,))


def made(data: Path, **chosen: str) -> App:
    environ = {"NEXUS_ENV": "test", "NEXUS_LIMITS": "off", "NEXUS_DATA": str(data), **chosen}
    return compose([MODULE], settings=load([KernelSettings], environ=environ, env_file=None))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    return made(tmp_path_factory.mktemp("data"), NEXUS_STREAM_STALL_S="0.2")


@dataclass
class Caller:
    """One exchange over ASGI, of which a test decides when the caller reads and when it goes away."""

    gone: asyncio.Event = field(default_factory=asyncio.Event)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    ended: bool = False

    async def ask(self, app: App, path: str, method: str = "GET", **headers: str) -> "Caller":
        path, _, query = path.partition("?")
        asked = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {
            "type": "http", "method": method, "path": f"/api/v1/sent{path}", "query_string": query.encode(),
            "headers": asked, "client": ("127.0.0.1", 1),
        }  # fmt: skip
        await app(scope, self._receive, self._send)
        return self

    async def _receive(self) -> MutableMapping[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            for name, value in message["headers"]:
                assert name.decode() not in self.headers, f"{name!r} is there twice"
                self.headers[name.decode()] = value.decode("latin-1")
            return
        await self.reads.wait()
        self.chunks.append(message["body"])
        self.ended = not message.get("more_body", False)

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


async def ask(app: App, path: str, method: str = "GET", **headers: str) -> Caller:
    caller = Caller()
    caller.reads.set()
    return await caller.ask(app, path, method, **headers)


# --- whole ----------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    size=st.integers(1024, len(TEXT)), others=st.lists(st.sampled_from(["deflate", "compress", "x-odd"]), unique=True)
)
def test_p10_whoever_accepts_gzip_gets_gzip(app: App, size: int, others: list[str]) -> None:
    """Feature: premium-app-infrastructure, Property 10: Accept-Encoding gzip → gzip body."""

    async def both() -> tuple[Caller, Caller]:
        return await ask(app, f"/text?size={size}"), await ask(
            app, f"/text?size={size}", accept_encoding=", ".join(["gzip", *others])
        )

    plain, packed = asyncio.run(both())
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(plain.body) == size > len(packed.body) == int(packed.headers["content-length"])


@pytest.mark.anyio
async def test_each_coding_comes_with_its_headers(app: App) -> None:
    for coding, unpack in (
        ("gzip", gzip.decompress),
        ("br", brotli.decompress),
        ("zstd", zstandard.ZstdDecompressor().decompress),
    ):
        found = await ask(app, "/text", accept_encoding=coding)
        assert found.headers["content-encoding"] == coding
        assert "Accept-Encoding" in found.headers["vary"].split(", ")
        assert found.headers["etag"] == f'"v1-{coding}"'
        assert unpack(found.body) == TEXT
    plain = await ask(app, "/text")
    assert plain.headers["etag"] == '"v1"'
    assert "Accept-Encoding" in plain.headers["vary"].split(", ")


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/picture", "/text?size=1023", "/token?echo=a"])
async def test_what_is_not_worth_it_or_bears_a_secret_stays_plain(app: App, path: str) -> None:
    found = await ask(app, path, accept_encoding="gzip, br, zstd")
    assert "content-encoding" not in found.headers
    assert len(found.body) == int(found.headers["content-length"])


@pytest.mark.anyio
async def test_the_length_of_a_token_tells_nothing_of_it(app: App) -> None:
    """BREACH: packed, an answer that repeats a right guess is shorter. Seen red without `bears_secrets`."""
    right = await ask(app, "/token?echo=s3crets3cret", accept_encoding="gzip")
    wrong = await ask(app, "/token?echo=zq8vxj2mwk1p", accept_encoding="gzip")
    assert len(right.body) == len(wrong.body)


@pytest.mark.anyio
async def test_a_small_answer_is_packed_when_plain_is_refused(app: App) -> None:
    found = await ask(app, "/text?size=100", accept_encoding="gzip, identity;q=0")
    assert gzip.decompress(found.body) == TEXT[:100]


@pytest.mark.anyio
async def test_who_refuses_everything_is_told_before_anything_is_done(app: App) -> None:
    found = await ask(app, "/text", accept_encoding="identity;q=0, deflate")
    assert (found.status, json.loads(found.body)["error_code"]) == (406, "encoding_not_acceptable")


@pytest.mark.anyio
async def test_what_else_an_answer_varies_by_stays(app: App) -> None:
    found = await ask(app, "/varied", accept_encoding="gzip")
    assert {"accept-language", "Accept-Encoding"} <= set(found.headers["vary"].split(", "))


@pytest.mark.anyio
async def test_a_tag_of_any_coding_is_known_again(app: App) -> None:
    """The operation sees its own tag, the caller gets back the one it has."""
    for tag in ('"v1"', '"v1-gzip"', '"other", "v1-br"'):
        found = await ask(app, "/unchanged", accept_encoding="gzip, br", if_none_match=tag)
        assert found.status == 304
        assert found.headers["etag"] in tag
        assert "Accept-Encoding" in found.headers["vary"].split(", ")
        assert found.body == b""
    assert (await ask(app, "/unchanged", if_none_match='"v2-gzip"')).status == 200


@pytest.mark.anyio
async def test_head_says_what_get_would(app: App) -> None:
    get = await ask(app, "/text", accept_encoding="gzip")
    head = await ask(app, "/text", "HEAD", accept_encoding="gzip")
    assert head.body == b""
    for name in ("content-length", "content-encoding", "etag", "vary"):
        assert head.headers[name] == get.headers[name]


# --- streams --------------------------------------------------------------------------------------


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
def source() -> Source:
    SOURCE.append(Source())
    return SOURCE[-1]


@pytest.mark.anyio
async def test_a_stream_comes_whole_without_a_length(app: App, source: Source) -> None:
    source.go.set()
    found = await ask(app, "/stream")
    assert "content-length" not in found.headers
    assert [line[:3] for line in found.body.splitlines()] == [b"%03d" % number for number in range(10)]
    assert (found.ended, source.closed) == (True, True)


@pytest.mark.anyio
async def test_a_packed_stream_can_be_read_before_it_ends(app: App, source: Source) -> None:
    """Seen red with `feed` that does not flush: nothing of the first chunks had arrived."""
    caller = Caller()
    caller.reads.set()
    asking = asyncio.create_task(caller.ask(app, "/stream", accept_encoding="gzip"))
    await until(lambda: len(caller.chunks) == 5)
    assert zlib.decompressobj(wbits=31).decompress(caller.body).count(b"\n") == 5
    assert not caller.ended
    source.go.set()
    await asking
    assert gzip.decompress(caller.body).count(b"\n") == 10


@pytest.mark.anyio
async def test_nothing_is_made_that_nobody_reads(app: App, source: Source) -> None:
    """Back-pressure: while the caller reads nothing, the source is asked for no more than the next chunk."""
    source.go.set()
    caller = Caller()
    asking = asyncio.create_task(caller.ask(app, "/stream"))
    await until(lambda: caller.status)
    for _ in range(50):
        await asyncio.sleep(0)
    assert source.given == 1
    caller.reads.set()
    await asking
    assert source.given == 10


@pytest.mark.anyio
async def test_a_caller_that_goes_away_ends_the_stream_at_once(
    app: App, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen red without the look for a disconnect: the source was held for ever."""
    caller = Caller()
    caller.reads.set()
    asking = asyncio.create_task(caller.ask(app, "/stream"))
    await until(lambda: source.given == 5)
    caller.gone.set()
    await asyncio.wait_for(asking, 5)
    assert source.closed
    assert not caller.ended
    assert "client_gone" in capsys.readouterr().out


@pytest.mark.anyio
async def test_a_caller_that_never_reads_is_cut(app: App, source: Source, capsys: pytest.CaptureFixture[str]) -> None:
    await asyncio.wait_for(Caller().ask(app, "/stream"), 5)
    assert source.closed
    assert "client_stalled" in capsys.readouterr().out


@asynccontextmanager
async def served(app: App) -> AsyncIterator[int]:
    """The app behind the real server, and its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=Protocol, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[assignment,method-assign]  # pytest keeps its own
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await serving


@pytest.mark.anyio
async def test_over_a_real_connection_a_stream_keeps_the_callers_pace(tmp_path: Path, source: Source) -> None:
    """What is made stays within what the network holds until the caller reads on; gone is gone. Seen red without the
    pause in `_put`: once the caller had gone, a source that never waits held the whole process."""
    async with asyncio.timeout(20), served(made(tmp_path)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65_536)
        try:
            writer.write(b"GET /api/v1/sent/endless HTTP/1.1\r\nhost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            given = -1
            while given != source.given:  # until the buffers of both sides are full
                given = source.given
                await asyncio.sleep(0.05)
            assert given < 500
            await reader.readexactly(given * 65_536)
            await until(lambda: source.given > given)
            assert not source.closed
        finally:
            writer.close()
            await writer.wait_closed()
        await until(lambda: source.closed)


@pytest.mark.anyio
async def test_over_a_real_connection_a_broken_stream_is_seen_to_be_broken(app: App) -> None:
    async with served(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/v1/sent/broken?after=3 HTTP/1.1\r\nhost: a\r\n\r\n")
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert said.startswith(b"HTTP/1.1 200 ")
    assert not said.endswith(b"0\r\n\r\n"), "the end was announced, though there was none"


@pytest.mark.anyio
async def test_a_stream_that_fails_at_once_is_an_error_and_later_is_cut(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await ask(app, "/broken?after=0")
    assert (found.status, json.loads(found.body)["error_code"]) == (500, "internal_error")
    found = await ask(app, "/broken?after=3")
    assert (found.status, found.body, found.ended) == (200, b"aaa", False)
    assert "the source is broken" in capsys.readouterr().out


@pytest.mark.anyio
async def test_head_of_a_stream_reads_no_more_than_its_start(app: App, source: Source) -> None:
    found = await ask(app, "/stream", "HEAD")
    assert (found.status, found.body, source.given, source.closed) == (200, b"", 1, True)
