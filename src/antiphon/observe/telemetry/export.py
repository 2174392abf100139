"""Export of traces and metrics by OTLP, configured by OpenTelemetry's standard variables."""

import asyncio
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from antiphon import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

_PATIENCE = 3.0
"""Seconds that a stopping server waits for the receiver."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_METRICS_ENDPOINT = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
_EXPORTERS = ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER")
_PROTOCOLS = (
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
)


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Return whether a variable names a receiver or an exporter."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    named = any(environment.get(name) for name in (*_ENDPOINTS, _METRICS_ENDPOINT))
    chosen = any(environment.get(name, "none") not in ("", "none") for name in _EXPORTERS)
    return named or chosen


def problem(environment: Mapping[str, str]) -> str | None:
    """Return why the wanted export is impossible, as a notice for the operator; None if it is possible."""
    for name in _PROTOCOLS:
        if environment.get(name, "http/protobuf") != "http/protobuf":
            return f"{name}: only http/protobuf is supported; traces are off"
    for name in _EXPORTERS:
        if environment.get(name, "otlp") not in ("otlp", "console", "none", ""):
            return f"{name}: use otlp, console or none; traces are off"
    try:
        import opentelemetry.exporter.otlp.proto.http
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError:
        return "OTEL_EXPORTER_OTLP_ENDPOINT is set, but traces are off; install antiphon[otel]"
    return None


class Export:
    """The SDK's providers of this process, which send spans and metrics in threads of their own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        from opentelemetry import metrics, trace
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.trace import TracerProvider

        # A program that embeds the server, or opentelemetry-instrument, may have made providers.
        spans = trace.get_tracer_provider()
        if not isinstance(spans, TracerProvider):
            spans = _tracer_provider(environment)
            trace.set_tracer_provider(spans)
        if not isinstance(metrics.get_meter_provider(), MeterProvider):
            values = _meter_provider(environment)
            if values is not None:
                metrics.set_meter_provider(values)
        self._spans = spans
        self._values = metrics.get_meter_provider()

    async def flush(self) -> None:
        """Send the spans and metrics that wait, for at most some seconds."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._flush()
            with suppress(RuntimeError):  # The loop has been closed since.
                loop.call_soon_threadsafe(sent.set)

        # The SDK repeats failed requests for longer than its time limit for a flush. The end of the process
        # waits for every other kind of thread.
        threading.Thread(target=send, name="antiphon-export", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await sent.wait()

    def _flush(self) -> None:
        from opentelemetry.sdk.metrics import MeterProvider

        self._spans.force_flush()
        if isinstance(self._values, MeterProvider):
            self._values.force_flush()


def _resource() -> "Resource":
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES replace these values.
    ours = {"service.name": "antiphon", "service.version": __version__}
    return Resource(ours).merge(OTELResourceDetector().detect())


def _tracer_provider(environment: Mapping[str, str]) -> "TracerProvider":
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

    # At the exit of the process, the SDK would wait for the receiver, without a limit that holds.
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    kind = environment.get("OTEL_TRACES_EXPORTER") or "otlp"
    if kind == "console":
        provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
    elif kind == "otlp":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter: SpanExporter = OTLPSpanExporter()
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _meter_provider(environment: Mapping[str, str]) -> "MeterProvider | None":
    """Return the provider of metrics; None unless they are chosen: some receivers take only traces."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

    named = environment.get(_METRICS_ENDPOINT)
    kind = environment.get("OTEL_METRICS_EXPORTER") or ("otlp" if named else "none")
    if kind == "none":
        return None
    if kind == "console":
        reader = PeriodicExportingMetricReader(ConsoleMetricExporter())
    else:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    return MeterProvider(metric_readers=[reader], resource=_resource(), shutdown_on_exit=False)
