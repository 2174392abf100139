"""Metrics and traces of a server: what is on, and the objects that other packages call."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from antiphon.engine.ports import HostedTools, ModelCatalogue
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError
from antiphon.observe.telemetry import export
from antiphon.observe.telemetry.names import Conventions
from antiphon.observe.telemetry.ports import ObservedCatalogue, observed_tools
from antiphon.observe.telemetry.record import RUN, ObservedRecord, Sinks
from antiphon.settings.schema import Settings

if TYPE_CHECKING:
    from antiphon.observe.telemetry.export import Export
    from antiphon.observe.telemetry.metrics import Metrics

log = logging.getLogger("antiphon.server")

_TRACE = (b"traceparent", b"tracestate")
_MAX_HEADER = 1024
_PATIENCE = 2.0
"""Seconds that a scrape waits for the database."""
_RESPONSES = "/v1/responses"


class Telemetry:
    """The metrics and traces of a server.

    Args:
        sinks: The receivers of the facts of each record.
        exporting: The export of traces; None if they are off.
    """

    def __init__(self, sinks: Sinks, exporting: "Export | None") -> None:
        self._sinks = sinks
        self._export = exporting

    @property
    def metrics(self) -> "Metrics | None":
        """The metrics; None if they are off."""
        return self._sinks.metrics

    def record(
        self, method: str, path: str, headers: Sequence[tuple[bytes, bytes]], *, is_connection: bool = False
    ) -> ObservedRecord:
        """Return the record of a new request."""
        trace = {
            name.decode(): value.decode("latin-1")
            for name, value in headers
            if name in _TRACE and len(value) <= _MAX_HEADER
        }
        return ObservedRecord(method, path, sinks=self._sinks, trace=trace, is_connection=is_connection)

    def execution(self, trace: Mapping[str, str]) -> ObservedRecord:
        """Return the record of an execution in the background, which continues a trace."""
        return ObservedRecord(RUN, _RESPONSES, sinks=self._sinks, trace=trace)

    def models(self, inner: ModelCatalogue) -> ModelCatalogue:
        """Return the models, with the record of each request around their calls."""
        return ObservedCatalogue(inner)

    def tools(self, inner: HostedTools, context: RequestContext) -> HostedTools:
        """Return the hosted tools of a request, with its record around their calls."""
        return observed_tools(inner, context)

    @property
    def trace_headers(self) -> Callable[[], dict[str, str]] | None:
        """The function that returns the trace for requests to backends; None if traces are off."""
        if self._sinks.traces is None:
            return None
        from antiphon.observe.telemetry.traces import current_headers

        return current_headers

    async def text(self, runs: Callable[[], Awaitable[tuple[int, int]]]) -> bytes:
        """Return the metrics in Prometheus' text format.

        Args:
            runs: Returns the number of background responses that wait, and of those that run.
        """
        assert self._sinks.metrics is not None
        counts: tuple[int, int] | None = None
        try:
            async with asyncio.timeout(_PATIENCE):
                counts = await runs()
        except (AntiphonError, TimeoutError):
            log.warning("Failed to count background responses for the metrics")
        return self._sinks.metrics.text(counts)

    async def close(self) -> None:
        """Send the spans that wait."""
        if self._export is not None:
            await self._export.flush()


def open_telemetry(settings: Settings, route_of: Callable[[str], str]) -> Telemetry | None:
    """Return the telemetry of a server; None if all of it is off.

    Args:
        settings: The settings in effect.
        route_of: Returns the route of a path.
    """
    metrics = exporting = traces = None
    if settings.metrics:
        from antiphon.observe.telemetry.metrics import Metrics

        metrics = Metrics()
    if export.is_wanted(os.environ):
        problem = export.problem(os.environ)
        if problem is None:
            from antiphon.observe.telemetry.traces import Traces

            exporting = export.Export(os.environ)
            traces = Traces(Conventions.of(os.environ), has_content=settings.trace_content)
        else:
            log.warning("%s", problem)
    if metrics is None and traces is None:
        return None
    return Telemetry(Sinks(metrics, traces, route_of), exporting)
