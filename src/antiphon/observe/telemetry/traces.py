"""Spans and OTLP metrics of responses, model calls and tool calls, through OpenTelemetry's API."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import msgspec
from opentelemetry import context as contexts
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from antiphon import __version__
from antiphon.engine.ports import HostedCall
from antiphon.errors import AntiphonError
from antiphon.observe.record import Fetched
from antiphon.observe.telemetry import names
from antiphon.observe.telemetry.calls import ModelCall, ToolRun
from antiphon.observe.telemetry.content import encode, input_messages, output_messages
from antiphon.observe.telemetry.names import Conventions, Name
from antiphon.wire.json import JSON
from antiphon.wire.responses import Response

Attributes = dict[str, AttributeValue]
Record = Callable[[float, Attributes], None]
"""Function that records a value of a metric with its attributes."""

_AGENT = "antiphon"
_SCOPE = "antiphon"
_propagator = TraceContextTextMapPropagator()


class Traces:
    """The tracer of a server, and its OTLP metrics.

    Args:
        conventions: The version of the names.
        has_content: Whether spans have messages, arguments and results.
    """

    def __init__(self, conventions: Conventions, *, has_content: bool) -> None:
        self.has_content = has_content
        self._conventions = conventions
        self._tracer = trace.get_tracer(_SCOPE, __version__)
        self._instruments = _instruments(conventions)

    def begin_response(self, parent: Context, *, is_queued: bool) -> Span:
        """Begin the span of a response, or of the submission of one that runs in the background."""
        name = (names.ENQUEUE_RESPONSE if is_queued else names.INVOKE_AGENT).name
        kind = SpanKind.PRODUCER if is_queued else SpanKind.INTERNAL
        attributes = self._named({names.OPERATION: name, names.AGENT_NAME: _AGENT})
        return self._tracer.start_span(name, parent, kind, attributes)

    def describe_response(self, span: Span, response: Response) -> None:
        """Add the attributes of a response that has begun to its span."""
        attributes = {
            names.PROVIDER: response.model.partition("/")[0],
            names.REQUEST_MODEL: response.model,
            names.RESPONSE_ID: response.id,
            names.PREVIOUS_RESPONSE: response.previous_response_id,
            names.CONVERSATION: response.conversation.id if response.conversation else None,
        }
        span.set_attributes(self._named(attributes))

    def end_response(
        self, span: Span, response: Response | None, error: BaseException | None, seconds: float
    ) -> None:
        """End the span of a response; None if it was refused."""
        if response is not None:
            attributes: dict[Name, JSON] = {names.RESPONSE_STATUS: response.status}
            if (usage := response.usage) is not None:
                attributes[names.INPUT_TOKENS] = usage.input_tokens
                attributes[names.OUTPUT_TOKENS] = usage.output_tokens
            span.set_attributes(self._named(attributes))
        _fail(span, error)
        span.end()
        if response is not None and response.status != "queued":
            self._measure(names.AGENT_DURATION, seconds, {names.AGENT_NAME.name: _AGENT, **_failed(error)})

    def begin_call(self, call: ModelCall, parent: Context) -> Span:
        """Begin the span of a model call."""
        request = call.request
        attributes = {
            names.OPERATION: call.operation,
            names.PROVIDER: call.backend,
            names.REQUEST_MODEL: call.model,
            names.REQUEST_STREAM: call.is_stream or None,
            names.REQUEST_MAX_TOKENS: request.get("max_completion_tokens", request.get("max_tokens")),
            names.REQUEST_TEMPERATURE: request.get("temperature"),
            names.REQUEST_TOP_P: request.get("top_p"),
            names.REASONING_LEVEL: request.get("reasoning_effort"),
        }
        if self.has_content and "messages" in request:
            attributes[names.INPUT_MESSAGES] = input_messages(call)
        name = f"{call.operation} {call.model}"
        return self._tracer.start_span(name, parent, SpanKind.CLIENT, self._named(attributes))

    def end_call(self, span: Span, call: ModelCall) -> None:
        """End the span of a model call."""
        attributes: dict[Name, JSON] = {
            names.RESPONSE_ID: call.reply_id,
            names.RESPONSE_MODEL: call.reply_model,
            names.FINISH_REASONS: None if call.finish_reason is None else [call.finish_reason],
            names.FIRST_CHUNK: call.seconds_to_first,
        }
        if (usage := call.usage) is not None:
            attributes |= {
                names.INPUT_TOKENS: usage.input_tokens,
                names.OUTPUT_TOKENS: usage.output_tokens,
                names.CACHED_TOKENS: usage.input_tokens_details.cached_tokens or None,
                names.REASONING_TOKENS: usage.output_tokens_details.reasoning_tokens or None,
            }
        if self.has_content and call.reply:
            attributes[names.OUTPUT_MESSAGES] = output_messages(call)
        span.set_attributes(self._named(attributes))
        _fail(span, call.error)
        span.end()
        self._measure_call(call)

    def begin_tool(self, call: HostedCall, name: str, parent: Context) -> Span:
        """Begin the span of a hosted tool call."""
        attributes = {
            names.OPERATION: names.EXECUTE_TOOL.name.partition(" ")[0],
            names.TOOL_NAME: name,
            names.TOOL_TYPE: "extension",
            names.TOOL_CALL_ID: getattr(call.item, "id", None),
        }
        if self.has_content:
            attributes[names.TOOL_ARGUMENTS] = getattr(call.item, "arguments", None)
        return self._tracer.start_span(
            f"execute_tool {name}", parent, SpanKind.INTERNAL, self._named(attributes)
        )

    def end_tool(self, span: Span, call: HostedCall, run: ToolRun, error: BaseException | None) -> None:
        """End the span of a hosted tool call."""
        if self.has_content:
            span.set_attributes(self._named({names.TOOL_RESULT: encode(_result(call))}))
        if error is None and run.has_failed:
            span.set_attribute(names.ERROR_TYPE.name, "tool_error")
            span.set_status(Status(StatusCode.ERROR))
        _fail(span, error)
        span.end()
        labels: Attributes = {names.TOOL_NAME.name: run.name, **_failed(error)}
        self._measure(names.TOOL_DURATION, run.seconds, labels)

    def fetched(self, fetched: Fetched, parent: Context, began: float, error: BaseException | None) -> None:
        """Write the span of a stored response that was fetched.

        Args:
            fetched: The response.
            parent: The context of the client.
            began: When the request began, in seconds since 1970.
            error: The error of the request.
        """
        attributes = {
            names.OPERATION: names.FETCH_RESPONSE.name,
            names.RESPONSE_ID: fetched.response_id,
            names.RESPONSE_STATUS: fetched.status,
            names.STREAM_CURSOR: fetched.cursor,
        }
        span = self._tracer.start_span(
            names.FETCH_RESPONSE.name,
            parent,
            SpanKind.INTERNAL,
            self._named(attributes),
            start_time=int(began * 1e9),
        )
        _fail(span, error)
        span.end()

    def _measure_call(self, call: ModelCall) -> None:
        labels: Attributes = {
            names.OPERATION.name: call.operation,
            names.PROVIDER.name: call.backend,
            names.REQUEST_MODEL.name: call.model,
            **_failed(call.error),
        }
        self._measure(names.CALL_DURATION, call.seconds, labels)
        if (first := call.seconds_to_first) is not None:
            self._measure(names.CALL_FIRST_CHUNK, first, labels)
            if (per_chunk := call.seconds_per_chunk) is not None:
                self._measure(names.CALL_PER_CHUNK, per_chunk, labels)
        if (usage := call.usage) is not None:
            has_type = not self._conventions.are_latest
            for name, kind, count in (
                (names.CALL_INPUT_TOKENS, "input", usage.input_tokens),
                (names.CALL_OUTPUT_TOKENS, "output", usage.output_tokens),
            ):
                typed = {names.TOKEN_TYPE: kind} if has_type else {}
                self._measure(name, count, {**labels, **typed})

    def _measure(self, name: Name, value: float, labels: Attributes) -> None:
        self._instruments[name](value, labels)

    def _named(self, attributes: Mapping[Name, JSON]) -> Attributes:
        return {name.of(self._conventions): value for name, value in attributes.items() if value is not None}


def context_of(headers: Mapping[str, str]) -> Context:
    """Return the context that `traceparent` and `tracestate` name; an empty one without them."""
    return _propagator.extract(headers, Context())


def headers_of(context: Context) -> dict[str, str]:
    """Return `traceparent` and `tracestate` for a context."""
    headers: dict[str, str] = {}
    _propagator.inject(headers, context)
    return headers


def current_headers() -> dict[str, str]:
    """Return `traceparent` and `tracestate` for the code that runs now."""
    return headers_of(contexts.get_current())


def inside(span: Span, parent: Context) -> Context:
    """Return a context in which a span is the current one."""
    return trace.set_span_in_context(span, parent)


@contextmanager
def attached(context: Context) -> Iterator[None]:
    """Make a context the current one until the block ends, in the same task."""
    token = contexts.attach(context)
    try:
        yield
    finally:
        contexts.detach(token)


def _instruments(conventions: Conventions) -> "dict[Name, Record]":
    meter = metrics.get_meter(_SCOPE, __version__)
    made: dict[Name, Record] = {}
    for each in names.OTLP_METRICS:
        name = each.of(conventions)
        if conventions.are_latest and each in (names.CALL_INPUT_TOKENS, names.CALL_OUTPUT_TOKENS):
            made[each] = meter.create_counter(name, unit=each.unit, description=each.meaning).add
        else:
            histogram = meter.create_histogram(
                name,
                unit=each.unit,
                description=each.meaning,
                explicit_bucket_boundaries_advisory=list(each.buckets),
            )
            made[each] = histogram.record
    return made


def _failed(error: BaseException | None) -> Attributes:
    return {} if error is None else {names.ERROR_TYPE.name: _type_of(error)}


def _fail(span: Span, error: BaseException | None) -> None:
    """Note the error of a span, without its text, which may quote the client."""
    if error is not None:
        span.set_attribute(names.ERROR_TYPE.name, _type_of(error))
        span.set_status(Status(StatusCode.ERROR))


def _type_of(error: BaseException) -> str:
    if isinstance(error, AntiphonError):
        return error.code or error.type
    return type(error).__name__


def _result(call: HostedCall) -> JSON:
    """Return the result in the item of a call, by the field that its kind has."""
    for field in ("output", "results", "outputs", "tools"):
        value: JSON = getattr(call.item, field, None)
        if value:
            return msgspec.to_builtins(value)
    return None
