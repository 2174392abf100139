"""Steps of one response, read from the events of its stream.

The stream can come from any Responses server. Servers differ in the events that they send. Each fact is taken
from the first event that has it, and the terminal event supplies the rest.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from antiphon.agent.events import (
    AgentEvent,
    ApprovalRequest,
    InferenceStepResult,
    StepMetadata,
    StepStarted,
    StopReason,
    TextDelta,
    ToolCall,
    ToolCallCompletedDelta,
    ToolCallDelta,
    ToolCallIssuedDelta,
    ToolExecutionStepResult,
    ToolResponse,
)
from antiphon.agent.fields import (
    field,
    is_hosted_call,
    list_field,
    plain,
    response_of,
    text_field,
    texts_of,
    tool_type_of,
)
from antiphon.agent.turns.steps import Steps
from antiphon.wire.json import JSONObject

Key = str | int


@dataclass(frozen=True)
class Failure:
    """End of a turn without an answer."""

    message: str
    code: str
    cause: BaseException | None = None


@dataclass
class _Call:
    """Tool call, with its step if the server executes it."""

    call_id: str
    tool_type: str
    tool_name: str
    arguments: str
    step: StepStarted | None = None

    def as_tool_call(self) -> ToolCall:
        return ToolCall(self.call_id, self.tool_name, self.arguments or "{}")


class ResponseSteps:
    """Steps of one response."""

    def __init__(self, steps: Steps) -> None:
        self.response: object = None
        """Response of the latest event that has one."""
        self.response_id = ""
        self.failure: Failure | None = None
        self.ended = False
        self._steps = steps
        self._inference: StepStarted | None = None
        self._text: list[str] = []
        self._streamed: list[str] = []
        self._calls: dict[Key, _Call] = {}
        self._open: dict[Key, _Call] = {}
        """Calls that the server executes now."""
        self._executed: list[JSONObject] = []
        self._approvals: dict[str, ApprovalRequest] = {}
        self._handlers: dict[str, Callable[[object], Iterator[AgentEvent]]] = {
            "response.output_item.added": self._added,
            "response.output_item.done": self._done,
            "response.output_text.delta": self._text_delta,
            "response.refusal.delta": self._text_delta,
            "response.function_call_arguments.delta": self._arguments_delta,
            "response.mcp_call_arguments.delta": self._arguments_delta,
            "response.mcp_call.arguments.delta": self._arguments_delta,
            "response.completed": self._completed,
            "response.incomplete": self._incomplete,
            "response.failed": self._failed,
            "response.cancelled": self._failed,
            "error": self._error,
        }

    @property
    def function_calls(self) -> list[ToolCall]:
        """Calls that the agent executes."""
        return [call.as_tool_call() for call in self._calls.values() if call.tool_type == "function"]

    @property
    def approval_requests(self) -> list[ApprovalRequest]:
        """MCP calls that wait for an approval."""
        return list(self._approvals.values())

    @property
    def output(self) -> list[object]:
        """Output items of the response."""
        return list_field(self.response, "output")

    @property
    def text(self) -> str:
        """Text of all messages, or the text of the deltas if the server sent no messages at the end."""
        messages = [texts_of(item) for item in self.output if text_field(item, "type") == "message"]
        return "".join(messages or self._streamed)

    def feed(self, event: object) -> Iterator[AgentEvent]:
        """Yield the agent's events for one event of the stream."""
        if self.ended:
            return
        if (response := response_of(event)) is not None:
            self.response = response
            self.response_id = text_field(response, "id") or self.response_id
        if not self._open:
            yield from self._ensure_inference()
        handler = self._handlers.get(text_field(event, "type"))
        if handler is not None:
            yield from handler(event)

    def fail(self, failure: Failure, reason: StopReason = "failed") -> Iterator[AgentEvent]:
        """End the response and its open steps, without an answer."""
        self.failure = failure
        self.ended = True
        for key in list(self._open):
            yield from self._end_execution(key, None)
        if self._inference is not None:
            yield self._end_inference(reason)

    def _ensure_inference(self) -> Iterator[AgentEvent]:
        """Start an inference step unless one is open."""
        if self._inference is None:
            self._inference = self._steps.start("inference")
            self._text = []
            yield self._inference

    def _end_inference(self, reason: StopReason) -> AgentEvent:
        step, self._inference = self._inference, None
        assert step is not None
        result = InferenceStepResult(
            step_id=step.step_id,
            response_id=self.response_id,
            text_content="".join(self._text),
            function_calls=self.function_calls if reason == "tool_calls" else [],
            server_tool_executions=list(self._executed),
            stop_reason=reason,
        )
        return self._steps.complete(step, result)

    def _text_delta(self, event: object) -> Iterator[AgentEvent]:
        yield from self._add_text(text_field(event, "delta"))

    def _add_text(self, text: str) -> Iterator[AgentEvent]:
        if not text:
            return
        yield from self._ensure_inference()
        assert self._inference is not None
        self._text.append(text)
        self._streamed.append(text)
        yield self._steps.progress(self._inference, TextDelta(text=text))

    def _added(self, event: object) -> Iterator[AgentEvent]:
        item = field(event, "item")
        item_type = text_field(item, "type")
        key = _key(event, item)
        if is_hosted_call(item_type):
            yield from self._start_execution(key, item)
        elif item_type == "function_call":
            yield from self._issue(key, _Call(*_identity(item), text_field(item, "arguments")))

    def _done(self, event: object) -> Iterator[AgentEvent]:
        item = field(event, "item")
        yield from self._item_done(_key(event, item), item)

    def _item_done(self, key: Key, item: object) -> Iterator[AgentEvent]:
        item_type = text_field(item, "type")
        if is_hosted_call(item_type):
            if key not in self._calls:
                yield from self._start_execution(key, item)
            yield from self._end_execution(key, item)
        elif item_type == "function_call":
            if key not in self._calls:
                yield from self._issue(key, _Call(*_identity(item), text_field(item, "arguments")))
            self._calls[key].arguments = text_field(item, "arguments") or self._calls[key].arguments
        elif item_type == "mcp_approval_request":
            yield from self._request_approval(item)

    def _issue(self, key: Key, call: _Call) -> Iterator[AgentEvent]:
        self._calls[key] = call
        if call.step is None:
            yield from self._ensure_inference()
        step = call.step or self._inference
        assert step is not None
        issued = ToolCallIssuedDelta(
            call_id=call.call_id,
            tool_type=call.tool_type,
            tool_name=call.tool_name,
            arguments=call.arguments or "{}",
        )
        yield self._steps.progress(step, issued)

    def _arguments_delta(self, event: object) -> Iterator[AgentEvent]:
        call = self._calls.get(_key(event, None))
        delta = text_field(event, "delta")
        step = self._inference if call is None else call.step or self._inference
        if call is None or step is None or not delta:
            return
        call.arguments += delta
        yield self._steps.progress(step, ToolCallDelta(call_id=call.call_id, arguments_delta=delta))

    def _start_execution(self, key: Key, item: object) -> Iterator[AgentEvent]:
        if self._inference is not None:
            yield self._end_inference("server_tool_call")
        call = _Call(*_identity(item), text_field(item, "arguments"))
        metadata = StepMetadata(server_side=True, tool_type=call.tool_type, tool_name=call.tool_name)
        call.step = self._steps.start("tool_execution", metadata)
        self._open[key] = call
        yield call.step
        yield from self._issue(key, call)

    def _end_execution(self, key: Key, item: object) -> Iterator[AgentEvent]:
        call = self._open.pop(key, None)
        if call is None or call.step is None:
            return
        call.arguments = text_field(item, "arguments") or call.arguments
        result = plain(item)
        is_error = item is None or text_field(item, "status") == "failed" or bool(field(item, "error"))
        response = ToolResponse(
            call_id=call.call_id, tool_name=call.tool_name, content=result, is_error=is_error
        )
        if item is not None:
            done = ToolCallCompletedDelta(
                call_id=call.call_id, tool_type=call.tool_type, tool_name=call.tool_name, result=result
            )
            yield self._steps.progress(call.step, done)
            self._executed.append({"tool_type": call.tool_type, **response})
        yield self._steps.complete(
            call.step,
            ToolExecutionStepResult(
                step_id=call.step.step_id, tool_calls=[call.as_tool_call()], tool_responses=[response]
            ),
        )
        if not self._open and not self.ended:
            yield from self._ensure_inference()

    def _request_approval(self, item: object) -> Iterator[AgentEvent]:
        request = ApprovalRequest(
            text_field(item, "id"),
            text_field(item, "server_label"),
            text_field(item, "name"),
            text_field(item, "arguments"),
        )
        if request.id in self._approvals:
            return
        self._approvals[request.id] = request
        yield from self._ensure_inference()
        assert self._inference is not None
        issued = ToolCallIssuedDelta(
            call_id=request.id,
            tool_type="mcp_approval_request",
            tool_name=request.tool_name,
            arguments=request.arguments or "{}",
        )
        yield self._steps.progress(self._inference, issued)

    def _completed(self, event: object) -> Iterator[AgentEvent]:
        # Some servers end every stream with `response.completed`; the status is what counts.
        status = text_field(self.response, "status")
        if status in ("failed", "cancelled"):
            yield from self._failed(event)
            return
        if status == "incomplete":
            yield from self._incomplete(event)
            return
        for index, item in enumerate(self.output):
            key = text_field(item, "id") or index
            if key in self._open or not is_hosted_call(text_field(item, "type")):
                yield from self._item_done(key, item)
        for key in list(self._open):
            yield from self._end_execution(key, None)
        if not self._streamed:
            yield from self._add_text(self.text)
        self.ended = True
        reason: StopReason = "approval_request" if self._approvals else "end_of_turn"
        yield self._end_inference("tool_calls" if self.function_calls else reason)

    def _incomplete(self, _: object) -> Iterator[AgentEvent]:
        reason = text_field(field(self.response, "incomplete_details"), "reason")
        cause = f": {reason}" if reason else ""
        yield from self.fail(
            Failure(f"The response is incomplete{cause}.", reason or "incomplete"), "incomplete"
        )

    def _failed(self, _: object) -> Iterator[AgentEvent]:
        status = text_field(self.response, "status") or "failed"
        yield from self.fail(failure_of(field(self.response, "error"), f"The response is {status}.", status))

    def _error(self, event: object) -> Iterator[AgentEvent]:
        yield from self.fail(failure_of(field(event, "error") or event, "The server sent an error.", "error"))


def failure_of(error: object, message: str, code: str) -> Failure:
    """Return the failure that an error object of the API describes, with defaults."""
    return Failure(text_field(error, "message") or message, text_field(error, "code") or code)


def _identity(item: object) -> tuple[str, str, str]:
    """Return the call's id, the tool's type and the tool's name."""
    item_type = text_field(item, "type")
    call_id = text_field(item, "call_id") or text_field(item, "id")
    return call_id, tool_type_of(item_type), text_field(item, "name") or item_type


def _key(event: object, item: object) -> Key:
    """Return the id of an event's item, or its position in the output if the server sends no ids."""
    index = field(event, "output_index")
    return text_field(event, "item_id") or text_field(item, "id") or (index if isinstance(index, int) else "")
