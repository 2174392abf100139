"""A receiver of OTLP over HTTP with protobuf, as Langfuse and Phoenix have."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from antiphon.wire.json import JSON


@dataclass
class Received:
    """Spans and metrics that have arrived; `url` is for `OTEL_EXPORTER_OTLP_ENDPOINT`."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, JSON]] = field(default_factory=list)
    metrics: set[str] = field(default_factory=set)
    headers: list[dict[str, str]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def named(self, name: str) -> list[Span]:
        """Return the spans with a name."""
        return [span for span in self.spans if span.name == name]

    def wait_for(self, name: str, count: int = 1) -> list[Span]:
        """Return the spans with a name once there are enough of them."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.named(name)) >= count, timeout=30), name
        return self.named(name)


def attributes(pairs: "list[KeyValue]") -> dict[str, JSON]:
    """Return attributes as Python's values; lists of texts as lists."""
    found: dict[str, JSON] = {}
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, str(kind))
        found[pair.key] = [each.string_value for each in value.values] if kind == "array_value" else value
    return found


@contextmanager
def receiver() -> Iterator[Received]:
    """Run a receiver until the block ends."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            with received.arrived:
                received.headers.append({name.lower(): value for name, value in self.headers.items()})
                if self.path == "/v1/traces":
                    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                        received.resources.append(attributes(list(resource.resource.attributes)))
                        received.spans += [span for scope in resource.scope_spans for span in scope.spans]
                elif self.path == "/v1/metrics":
                    for each in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                        received.metrics |= {m.name for scope in each.scope_metrics for m in scope.metrics}
                received.arrived.notify_all()
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Ignore clients that were killed."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    received.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
