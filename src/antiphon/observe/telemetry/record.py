"""The record of a request whose calls have metrics and traces."""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Self

from msgspec import Struct, field

from antiphon.engine.hosted.items import has_failed, tool_name
from antiphon.engine.ports import HostedCall
from antiphon.errors import AntiphonError
from antiphon.observe.record import Record
from antiphon.observe.telemetry.calls import ModelCall, ToolRun
from antiphon.wire.chat import ChatRequest
from antiphon.wire.responses import Response

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from antiphon.observe.telemetry.metrics import Metrics
    from antiphon.observe.telemetry.traces import Traces

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "WS"})
RUN = "RUN"
"""Method of the record of an execution in the background."""


class Sinks(Struct, frozen=True):
    """The receivers of the facts of a record."""

    metrics: "Metrics | None"
    """None if `/metrics` is off."""
    traces: "Traces | None"
    """None if traces are off."""
    route_of: Callable[[str], str]
    """Returns the route of a path."""


class ObservedRecord(Record, eq=False, kw_only=True):
    """A record that writes metrics and spans at the end of calls and of the request.

    Its method is `WS` for frames and connections, and `RUN` for executions.
    """

    sinks: Sinks
    """The receivers."""
    trace: Mapping[str, str]
    """The headers with the trace of the client."""
    is_connection: bool = False
    """Whether the request opens a WebSocket, whose frames have records of their own."""
    _is_counted: bool = False
    _is_queued: bool = False
    _model: str | None = None
    _began_at: float = field(default_factory=time.time)
    _span: "Span | None" = None
    _parent: "Context | None" = None

    def __post_init__(self) -> None:
        Record.__post_init__(self)
        if self.sinks.traces is not None:
            from antiphon.observe.telemetry.traces import context_of

            self._parent = context_of(self.trace)

    def answered(self, status: int, *, is_stream: bool) -> None:
        """Note the head of the response."""
        Record.answered(self, status, is_stream=is_stream)
        if self.sinks.metrics is not None and is_stream:
            self._is_counted = True
            self.sinks.metrics.streams.inc()

    def opened(self) -> None:
        """Note that a WebSocket connection is open."""
        if self.sinks.metrics is not None:
            self._is_counted = True
            self.sinks.metrics.websockets.inc()

    def responded(self, response: Response, error: AntiphonError | None) -> None:
        """Note the current state of the response, and begin its span."""
        is_first = self.response is None
        Record.responded(self, response, error)
        if not is_first:
            return
        if self.sinks.metrics is not None and not self._is_queued:
            self.sinks.metrics.responses_open.inc()
        traces = self.sinks.traces
        if traces is not None and self._parent is not None:
            if self._span is None:
                self._span = traces.begin_response(self._parent, is_queued=False)
            traces.describe_response(self._span, response)

    def ended(self) -> None:
        """Note the end of the request: write its metrics, and end its span."""
        seconds = time.monotonic() - self.began
        if self.sinks.metrics is not None:
            self._count(self.sinks.metrics, seconds)
        traces = self.sinks.traces
        if traces is None or self._parent is None:
            return
        if self._span is not None:
            traces.end_response(self._span, self.response, self.error, seconds)
        elif self.fetched is not None:
            traces.fetched(self.fetched, self._parent, self._began_at, self.error)

    def carried(self) -> dict[str, str]:
        """Return the headers with the trace, for an execution that continues it.

        They name the span of the submission, which begins here.
        """
        self._is_queued = True
        traces = self.sinks.traces
        if traces is None or self._parent is None:
            return {}
        if self._span is None:
            self._span = traces.begin_response(self._parent, is_queued=True)
        from antiphon.observe.telemetry.traces import headers_of, inside

        return headers_of(inside(self._span, self._parent))

    def begin_call(self, model: str, request: ChatRequest, operation: str = "chat") -> "ActiveCall":
        """Begin a model call."""
        self._model = model
        traces = self.sinks.traces
        keeps_reply = traces is not None and traces.has_content
        call = ModelCall(model, request, keeps_reply=keeps_reply, operation=operation)
        context = self._context()
        if traces is None or context is None:
            return ActiveCall(call, self.sinks, None, None)
        return ActiveCall(call, self.sinks, traces.begin_call(call, context), context)

    async def run_tool(self, call: HostedCall, run: Callable[[], Awaitable[None]]) -> None:
        """Run a call of a hosted tool."""
        name = tool_name(call.item)
        if name is None or call.ends_turn:  # An approval that the client has to give
            await run()
            return
        with ActiveTool(call, name, self.sinks, self._context()):
            await run()

    def _context(self) -> "Context | None":
        if self._span is None or self._parent is None:
            return self._parent
        from antiphon.observe.telemetry.traces import inside

        return inside(self._span, self._parent)

    def _count(self, metrics: "Metrics", seconds: float) -> None:
        if self._is_counted:
            (metrics.websockets if self.is_connection else metrics.streams).dec()
        if self.response is not None and not self._is_queued:
            metrics.responses_open.dec()
            metrics.response(self.response.model, self.response.status)
        if self.error is not None:
            metrics.failure(self._model, self.error)
        if self.method != RUN and not (self.is_connection and self._is_counted):
            method = self.method if self.method in _METHODS else "other"
            metrics.request(method, self.sinks.route_of(self.path), self.status, seconds)


class ActiveCall:
    """A block with a model call in progress, and its span."""

    def __init__(self, call: ModelCall, sinks: Sinks, span: "Span | None", parent: "Context | None") -> None:
        self.call = call
        self._sinks = sinks
        self._span = span
        self._parent = parent

    def as_current(self) -> AbstractContextManager[None]:
        """Return a block in which the span of the call is the current one."""
        return _current(self._span, self._parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        call = self.call
        call.ended = time.monotonic()
        if kind is not GeneratorExit:  # Otherwise, the engine has read as much as it needs.
            call.error = error
        if self._sinks.metrics is not None:
            self._sinks.metrics.model_call(call)
        if self._sinks.traces is not None and self._span is not None:
            self._sinks.traces.end_call(self._span, call)


class ActiveTool:
    """A block with a hosted tool call in progress, whose span is the current one."""

    def __init__(self, call: HostedCall, name: str, sinks: Sinks, parent: "Context | None") -> None:
        self._call = call
        self._name = name
        self._sinks = sinks
        self._began = time.monotonic()
        self._span: Span | None = None
        if sinks.traces is not None and parent is not None:
            self._span = sinks.traces.begin_tool(call, name, parent)
        self._block = _current(self._span, parent)

    def __enter__(self) -> None:
        self._block.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._block.__exit__(None, None, None)
        seconds = time.monotonic() - self._began
        run = ToolRun(self._name, seconds, error is not None or has_failed(self._call.item))
        if self._sinks.metrics is not None:
            self._sinks.metrics.tool_run(run)
        if self._sinks.traces is not None and self._span is not None:
            self._sinks.traces.end_tool(self._span, self._call, run, error)


def _current(span: "Span | None", parent: "Context | None") -> AbstractContextManager[None]:
    if span is None or parent is None:
        return nullcontext()
    from antiphon.observe.telemetry.traces import attached, inside

    return attached(inside(span, parent))
