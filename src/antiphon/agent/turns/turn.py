"""One turn of an agent without I/O: its requests, the events of its responses, and its result."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias

import msgspec

from antiphon.agent.errors import TurnError
from antiphon.agent.events import (
    AgentEvent,
    ApprovalRequest,
    StepCompleted,
    StepMetadata,
    StepResult,
    StepStarted,
    ToolCall,
    ToolExecutionStepResult,
    ToolResponse,
    TurnCompleted,
    TurnFailed,
    TurnStarted,
)
from antiphon.agent.fields import list_field, plain, text_field, texts_of
from antiphon.agent.functions.schemas import decode
from antiphon.agent.plan import AgentSettings
from antiphon.agent.turns.response import Failure, ResponseSteps
from antiphon.agent.turns.steps import Steps
from antiphon.wire.json import JSON, JSONObject

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=None)
else:
    from typing import TypeVar

    T = TypeVar("T")

Input: TypeAlias = str | Sequence[Mapping[str, JSON]]
"""Text of the user, or items such as `{"role": "user", "content": "..."}`."""

_FREE_CHOICES = (None, "auto", "none")
_NOT_EXECUTED = "The tool was not executed, because the turn ended before."


@dataclass(frozen=True)
class Turn(Generic[T]):
    """Completed turn; `str()` is its final text."""

    turn_id: str
    session_id: str | None
    final_text: str
    """Text of the last response."""
    output: T
    """Value of the agent's `output_type`; None without one."""
    steps: Sequence[StepResult]
    response_ids: Sequence[str]
    response: JSON
    """Last response, as the client library returned it."""

    def __str__(self) -> str:
        return self.final_text


class TurnRun(Generic[T]):
    """Turn in progress."""

    def __init__(self, settings: AgentSettings[T], given: Input, session_id: str | None) -> None:
        self.session_id = session_id
        self.response_ids: list[str] = []
        self.failure: Failure | None = None
        self._settings = settings
        self._steps = Steps()
        self._response = ResponseSteps(self._steps)
        self._input: list[JSONObject] | None = _items(given)
        self._sent: list[JSONObject] = []
        """Input of the latest request."""
        self._history: list[JSONObject] = []
        """Items so far, for a server that stores nothing."""
        self._requests = 0
        self._output: T | None = None

    @property
    def calls(self) -> list[ToolCall]:
        """Function calls of the latest response, if it is complete."""
        return [] if self.failure else self._response.function_calls

    @property
    def approval_requests(self) -> list[ApprovalRequest]:
        """Approvals that the latest response waits for, if it is complete."""
        return [] if self.failure else self._response.approval_requests

    def start(self, unanswered: Sequence[JSONObject]) -> TurnStarted:
        """Start the turn, with outputs of function calls that an earlier turn of the session left open."""
        self._input = [*unanswered, *(self._input or [])]
        return TurnStarted(turn_id=self._steps.turn_id, session_id=self.session_id)

    def next_request(self) -> JSONObject | None:
        """Return the parameters of the next request, or None at the end of the turn."""
        if self.failure or self._input is None:
            return None
        limit = self._settings.max_responses
        if self._requests == limit:
            self.failure = Failure(f"The turn has no answer after {limit} responses.", "max_responses")
            return None
        body = {**self._settings.body, "input": self._input}
        if self._requests and body.get("tool_choice") not in _FREE_CHOICES:
            del body["tool_choice"]  # A forced call in each response would never lead to an answer.
        self._history += self._input
        if self.session_id is not None:
            body["conversation"] = self.session_id
        elif self._requests and body.get("store") is not False and self._response.response_id:
            body["previous_response_id"] = self._response.response_id
        else:
            body["input"] = list(self._history)
        self._requests += 1
        self._sent, self._input = self._input, None
        self._response = ResponseSteps(self._steps)
        return body

    def feed(self, event: object) -> Iterator[AgentEvent]:
        """Yield the agent's events for one event of the response."""
        yield from self._response.feed(event)
        if self._response.ended:
            self._end_response()

    def fail(self, failure: Failure) -> Iterator[AgentEvent]:
        """Fail the turn, with the steps of the response that are open."""
        if not self._response.ended:
            yield from self._response.fail(failure)
            self._end_response()
        self.failure = self.failure or failure

    def start_tools(self) -> StepStarted:
        """Start the step that executes the functions."""
        names = ", ".join(dict.fromkeys(call.tool_name for call in self.calls))
        metadata = StepMetadata(server_side=False, tool_type="function", tool_name=names)
        return self._steps.start("tool_execution", metadata)

    def complete_tools(self, step: StepStarted, responses: Sequence[ToolResponse]) -> StepCompleted:
        """End the step that executes the functions; the outputs become input of the next request."""
        self._add([_output_item(each["call_id"], each["content"]) for each in responses])
        result = ToolExecutionStepResult(
            step_id=step.step_id, tool_calls=self.calls, tool_responses=responses
        )
        return self._steps.complete(step, result)

    def answer(self, request: ApprovalRequest, approved: bool) -> None:
        """Add the answer to an approval request to the next request."""
        answer = {"type": "mcp_approval_response", "approval_request_id": request.id, "approve": approved}
        self._add([answer])

    def end(self) -> TurnCompleted | TurnFailed:
        """End the turn."""
        turn_id = self._steps.turn_id
        if self.failure is None:
            return TurnCompleted(
                turn_id=turn_id,
                session_id=self.session_id,
                final_text=self._response.text,
                response_ids=list(self.response_ids),
                num_steps=len(self._steps.results),
            )
        return TurnFailed(
            turn_id=turn_id,
            session_id=self.session_id,
            error_message=self.failure.message,
            code=self.failure.code,
        )

    def result(self) -> Turn[T]:
        """Return the completed turn.

        Raises:
            TurnError: The turn failed.
        """
        if self.failure is not None:
            message, code = self.failure.message, self.failure.code
            raise TurnError(message, code, self._steps.results, self.response_ids) from self.failure.cause
        return Turn(
            turn_id=self._steps.turn_id,
            session_id=self.session_id,
            final_text=self._response.text,
            output=self._output,  # type: ignore[arg-type]  # None exactly if T is None.
            steps=self._steps.results,
            response_ids=self.response_ids,
            response=self._response.response,
        )

    def unanswered(self) -> list[JSONObject]:
        """Return outputs for the function calls in the session that have none.

        A failed response adds nothing to its conversation, so the outputs in its request are still missing.
        """
        waiting = _outputs(self._input or [])
        is_ended = text_field(self._response.response, "status") in ("completed", "incomplete")
        if not (self._response.ended and is_ended):
            return _outputs(self._sent) + waiting
        answered = {item["call_id"] for item in waiting}
        stored = [item for item in self._response.output if text_field(item, "type") == "function_call"]
        called = [text_field(item, "call_id") for item in stored]
        called += [call.call_id for call in self._response.function_calls]
        missing = [call_id for call_id in dict.fromkeys(called) if call_id not in answered]
        return waiting + [_output_item(call_id, _NOT_EXECUTED) for call_id in missing]

    def _add(self, items: list[JSONObject]) -> None:
        self._input = [*(self._input or []), *items]

    def _end_response(self) -> None:
        if self._response.response_id and self._response.response_id not in self.response_ids:
            self.response_ids.append(self._response.response_id)
        self.failure = self._response.failure
        if self.failure is not None:
            return
        self._history += [plain(item) for item in self._response.output]
        if not self._response.function_calls and not self._response.approval_requests:
            self._decode_output()

    def _decode_output(self) -> None:
        """Decode the last message; an earlier one can be a comment of the model."""
        kind = self._settings.output_type
        if kind is None:
            return
        messages = [item for item in self._response.output if text_field(item, "type") == "message"]
        parts = [part for message in messages[-1:] for part in list_field(message, "content")]
        if any(text_field(part, "type") == "refusal" for part in parts):
            self.failure = Failure(f"The model refused: {texts_of(messages[-1])}", "refusal")
            return
        try:
            self._output = decode(texts_of(messages[-1]) if messages else "", kind)
        except (msgspec.DecodeError, RecursionError) as error:
            self.failure = Failure(f"The text doesn't fit {kind.__name__}: {error}", "invalid_output")


def no_approval(request: ApprovalRequest) -> Failure:
    """Return the failure of an agent that can't answer an approval request."""
    return Failure(
        f"MCP server {request.server_label!r} needs an approval for {request.tool_name!r}. Pass 'approve' to "
        "the agent.",
        "approval_required",
    )


def _items(given: Input) -> list[JSONObject]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return [dict(item) for item in given]


def _outputs(items: list[JSONObject]) -> list[JSONObject]:
    return [item for item in items if item.get("type") == "function_call_output"]


def _output_item(call_id: str, output: JSON) -> JSONObject:
    return {"type": "function_call_output", "call_id": call_id, "output": output}
