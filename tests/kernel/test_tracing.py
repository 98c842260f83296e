"""One trace through a request, its job and the call the job makes; as OTLP on the wire, read by its own schema."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanOnTheWire

from nexuscore.kernel import tracing
from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.http import Public, Routes
from nexuscore.kernel.jobs import Job, outcall
from nexuscore.kernel.log import parse_traceparent
from nexuscore.kernel.module import Module
from nexuscore.kernel.outbound import Outbound, Policy
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.testing import Client, House

pytestmark = pytest.mark.anyio
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
routes = Routes("/traced", tag="Traced")


@dataclass
class Receiver:
    """A real HTTP server: it takes traces at /v1/traces, and anything else as a call."""

    port: int = 0
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                body = await reader.readexactly(int(re.search(r"(?i)content-length: (\d+)", head)[1]))  # type: ignore[index]  # both clients send it
                if head.startswith("POST /v1/traces "):
                    assert "application/x-protobuf" in head
                    self.requests.append(ExportTraceServiceRequest.FromString(body))
                else:
                    self.calls.append(head)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @property
    def spans(self) -> list[SpanOnTheWire]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def span(self, name: str) -> SpanOnTheWire:
        (found,) = [each for each in self.spans if each.name == name]
        return found


CALLED: list[Receiver] = []


class Ring(Job, name="traced.ring"):
    """Call the receiver."""


@outcall(Ring)
async def ring(ctx: Ctx, job: Ring) -> int:
    return CALLED[-1].port


@ring.call
async def call(app: App, port: int) -> int:
    client = Outbound(Policy(loopback=True))
    try:
        return (await client.request("POST", f"http://127.0.0.1:{port}/bell", purpose="bell")).status
    finally:
        await client.aclose()


@ring.record
async def record(ctx: Ctx, port: int, status: int) -> None:
    assert status == 200


@routes.post("")
async def queue_ring(ctx: Annotated[Ctx, Public("a test")]) -> None:
    """Queue a call."""
    ctx.enqueue(Ring())


@routes.get("/{which}")
async def fail_traced(ctx: Annotated[Ctx, Public("a test")], which: str) -> None:
    """Fail."""
    raise RuntimeError(which)


traced = Module(name="traced", package=None, routes=(routes,), workers=(ring,))


@pytest.fixture(scope="session")
def modules() -> Sequence[Module]:
    return [traced]


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    found = Receiver()
    CALLED.append(found)
    server = await asyncio.start_server(found.talk, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


@pytest.fixture
def settings(receiver: Receiver) -> dict[str, str]:
    return {"NEXUS_OTEL_ENDPOINT": f"http://127.0.0.1:{receiver.port}", "NEXUS_OTEL_SERVICE": "acme"}


async def exported(house: House) -> None:
    assert house.app.tracing is not None
    assert await asyncio.to_thread(house.app.tracing._provider.force_flush, 5000)


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


async def test_one_trace_goes_through_request_job_and_call(house: House, nobody: Client, receiver: Receiver) -> None:
    answer = await nobody.post("/traced", headers=SENT)
    assert await house.drain() == 1
    await exported(house)
    request, job, bell = receiver.span("POST /api/v1/traced"), receiver.span("job traced.ring"), receiver.span("bell")
    assert {span.trace_id.hex() for span in receiver.spans} == {TRACE}
    assert request.parent_span_id.hex() == PARENT
    assert job.parent_span_id == request.span_id
    assert bell.parent_span_id == job.span_id
    assert (request.kind, job.kind, bell.kind) == (2, 5, 3), "server, consumer, client"
    assert request.trace_state == "vendor=1"
    assert answer.headers["traceparent"] == f"00-{TRACE}-{request.span_id.hex()}-01"
    facts = attributes(request)
    assert (facts["http.route"], facts["http.response.status_code"]) == ("/api/v1/traced", 200)
    assert facts["nexus.request_id"] == answer.headers["x-request-id"]
    (head,) = receiver.calls
    assert f"traceparent: 00-{TRACE}-{bell.span_id.hex()}-01" in head
    assert "tracestate" not in head, "what is vendors' business is not told to strangers"
    statements = [span for span in receiver.spans if span.parent_span_id == request.span_id and span.kind == 3]
    assert [attributes(span)["db.query.text"].split()[0] for span in statements] == ["INSERT"]
    for inner in (*statements, bell):
        assert inner.end_time_unix_nano >= inner.start_time_unix_nano > 0
    (service,) = {
        each.value.string_value
        for each in receiver.requests[0].resource_spans[0].resource.attributes
        if each.key == "service.name"
    }
    assert service == "acme"


async def test_a_failed_request_is_a_failed_span_and_says_no_secret(
    house: House, nobody: Client, receiver: Receiver
) -> None:
    assert (await nobody.get("/traced/hunter2-token")).status_code == 500
    await exported(house)
    span = receiver.span("GET /api/v1/traced/{which}")
    assert (span.status.code, attributes(span)["error.type"]) == (2, "500")
    assert all(b"hunter2" not in request.SerializeToString() for request in receiver.requests)


async def test_who_is_not_sampled_sends_nothing_and_the_trace_goes_on(
    house: House, nobody: Client, receiver: Receiver
) -> None:
    answer = await nobody.post("/traced", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    await house.drain()
    await exported(house)
    assert receiver.spans == []
    assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert answer.headers["traceparent"].endswith("-00")
    assert f"traceparent: 00-{TRACE}-" in receiver.calls[0]


async def test_spans_of_requests_at_once_do_not_mix(house: House, nobody: Client, receiver: Receiver) -> None:
    traces = [f"{number:032x}" for number in range(1, 21)]
    await asyncio.gather(*(nobody.post("/traced", headers={"traceparent": f"00-{t}-{PARENT}-01"}) for t in traces))
    await exported(house)
    requests = {span.span_id: span for span in receiver.spans if span.kind == 2}
    assert sorted(span.trace_id.hex() for span in requests.values()) == traces
    for span in receiver.spans:
        if span.kind == 3:
            assert requests[span.parent_span_id].trace_id == span.trace_id


class TestOff:
    """Without an endpoint the ids travel all the same, and nothing is loaded for it."""

    @pytest.fixture
    def settings(self) -> dict[str, str]:
        return {}

    async def test_the_ids_still_travel(self, house: House, nobody: Client, receiver: Receiver) -> None:
        answer = await nobody.post("/traced", headers=SENT)
        await house.drain()
        assert house.app.tracing is None
        assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")
        (head,) = receiver.calls
        found = parse_traceparent(re.search(r"traceparent: (\S+)", head)[1])  # type: ignore[index]  # it is there
        assert found is not None
        assert found[0] == TRACE
        assert found[1] not in {PARENT, answer.headers["traceparent"][36:52]}, "the job has a span of its own"
        assert receiver.requests == []


def test_nothing_is_imported_until_it_is_wanted() -> None:
    """Neither OpenTelemetry's SDK nor what packs answers (brotli, httpx2 loads if it finds it)."""
    heavy = "opentelemetry.sdk", "opentelemetry.exporter", "google.protobuf", "zstandard"
    code = f"import sys, nexuscore.main; print(sorted(set(sys.modules) & set({heavy!r})))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "[]"


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    environ = {"NEXUS_OTEL_ENDPOINT": "http://127.0.0.1:1"}
    with pytest.raises(ConfigurationError, match=r"pip install 'nexuscore\[otel\]'"):
        tracing.start(load([KernelSettings], environ=environ, env_file=None)[KernelSettings])
