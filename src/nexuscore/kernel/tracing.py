"""Traces, for those who want them: OpenTelemetry spans of requests, jobs, statements and calls outside.

The ids always travel, by W3C `traceparent`: through requests, jobs, webhooks and calls. Spans are made and sent only
with `NEXUS_OTEL_ENDPOINT`, which needs `pip install nexuscore[otel]`; without it nothing of the SDK is imported.
"""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any, Literal

import nexuscore
from nexuscore.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as Inner

    from nexuscore.kernel.settings import KernelSettings

Kind = Literal["server", "consumer"]
Facts = dict[str, Any]


class Span:
    """The open span of a request or job. `sight` tells it what happens inside."""

    def __init__(self, tracing: Tracing, inner: Inner) -> None:
        self._tracing = tracing
        self._inner = inner
        self._within = tracing.within(inner)
        self._token = tracing.attach(self._within)
        self.traceparent = tracing.traceparent(inner)

    def query(self, sql: str, ended_ns: int, seconds: float) -> None:
        """A statement that has just ended. Values are never in its text: they go beside it."""
        if not self._inner.is_recording():
            return
        facts = {"db.system.name": "postgresql", "db.query.text": sql}
        name = sql.split(None, 1)[0].upper()
        started = ended_ns - int(seconds * 1e9)
        self._tracing.client(name, self._within, facts, started).end(end_time=ended_ns)

    def call(self, purpose: str) -> Call:
        """A call to the outside that begins now."""
        return Call(self._tracing, self._tracing.client(purpose, self._within, {"nexus.purpose": purpose}, time_ns()))

    def end(self, name: str, facts: Facts, error: str | None) -> None:
        """It is over; only now is it known what it was."""
        self._inner.update_name(name)
        _close(self._tracing, self._inner, facts, error)
        self._tracing.detach(self._token)


class Call:
    """A call to the outside, as a span."""

    def __init__(self, tracing: Tracing, inner: Inner) -> None:
        self._tracing = tracing
        self._inner = inner
        self.traceparent = tracing.traceparent(inner)

    def end(self, status: int | None, error: str | None) -> None:
        """It is over."""
        facts: Facts = {} if status is None else {"http.response.status_code": status}
        _close(
            self._tracing, self._inner, facts, error or (str(status) if status is not None and status >= 400 else None)
        )


def _close(tracing: Tracing, inner: Inner, facts: Facts, error: str | None) -> None:
    inner.set_attributes({name: value for name, value in facts.items() if value is not None})
    if error is not None:
        inner.set_attribute("error.type", error)
        inner.set_status(tracing.failed)
    inner.end()


class Tracing:
    """OpenTelemetry's SDK, of one app."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import context
        from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("nexuscore", nexuscore.__version__)
        self._read = TraceContextTextMapPropagator().extract
        self._client = SpanKind.CLIENT
        self._kinds = {"server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER}
        self._nowhere = context.Context()
        self.failed = StatusCode.ERROR
        self.within = set_span_in_context
        self.attach = context.attach
        self.detach = context.detach

    def begin(self, kind: Kind, traceparent: str | None, tracestate: str = "") -> Span:
        """The span of a request or job that begins here, in the trace it was sent in."""
        carrier = {"traceparent": traceparent or "", "tracestate": tracestate}
        parent = self._read(carrier, self._nowhere) if traceparent else self._nowhere
        return Span(self, self._tracer.start_span(kind, parent, self._kinds[kind]))

    def client(self, name: str, within: Any, facts: Facts, started_ns: int) -> Inner:
        """A span of something we ask of others."""
        return self._tracer.start_span(name, within, self._client, facts, start_time=started_ns)

    @staticmethod
    def traceparent(inner: Inner) -> str:
        """What others are told, so that theirs are in the same trace."""
        found = inner.get_span_context()
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"

    def stop(self) -> None:
        """Send what waits, and end; it may take a few seconds, so not on the event loop."""
        self._provider.force_flush(3000)
        self._provider.shutdown()


def start(settings: KernelSettings) -> Tracing | None:
    """Traces as the settings ask for; None without."""
    if settings.otel_endpoint is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as error:
        raise ConfigurationError(
            "NEXUS_OTEL_ENDPOINT is set, but OpenTelemetry is not installed: pip install 'nexuscore[otel]'"
        ) from error
    about = {SERVICE_NAME: settings.otel_service, SERVICE_VERSION: nexuscore.__version__}
    about["deployment.environment.name"] = settings.env
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.otel_sample)), resource=Resource.create(about)
    )
    exporter = OTLPSpanExporter(endpoint=f"{settings.otel_endpoint}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)
