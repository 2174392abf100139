"""An in-memory exporter of spans, for servers in this process."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class _Exporter(InMemorySpanExporter):
    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Condition()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self.arrived:
            result = super().export(spans)
            self.arrived.notify_all()
            return result


_exporter = _Exporter()


class Spans:
    """The spans of a test."""

    def all(self) -> list[ReadableSpan]:
        """Return the spans that have ended."""
        return list(_exporter.get_finished_spans())

    def one(self, name: str) -> ReadableSpan:
        """Return the only span with a name, which may end a little later than the response."""
        with _exporter.arrived:
            _exporter.arrived.wait_for(lambda: any(span.name == name for span in self.all()), timeout=10)
        (found,) = [span for span in self.all() if span.name == name]
        return found


@contextmanager
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    """Turn traces on for servers that are started in the block; nothing leaves the process."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(_exporter))
        trace.set_tracer_provider(provider)  # Once in a process; without the variable, nothing uses it.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    _exporter.clear()
    yield Spans()
    _exporter.clear()
