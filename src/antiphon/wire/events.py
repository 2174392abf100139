"""Events of a response's stream, as this server sends them.

`sequence_number` is set once, when the event is added to the stream. See
https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from collections.abc import Sequence

from msgspec import Struct

from antiphon.wire.content import Annotation, Logprob, OutputText, ReasoningText, Refusal, SummaryText
from antiphon.wire.errors import ErrorBody
from antiphon.wire.items import Item
from antiphon.wire.responses import Response
from antiphon.wire.tool_events import (
    ApplyPatchCallOperationDiffDelta,
    ApplyPatchCallOperationDiffDone,
    CodeInterpreterCallCodeDelta,
    CodeInterpreterCallCodeDone,
    CodeInterpreterCallCompleted,
    CodeInterpreterCallInProgress,
    CodeInterpreterCallInterpreting,
    FileSearchCallCompleted,
    FileSearchCallInProgress,
    FileSearchCallSearching,
    ImageGenerationCallCompleted,
    ImageGenerationCallGenerating,
    ImageGenerationCallInProgress,
    ImageGenerationCallPartialImage,
    McpCallArgumentsDelta,
    McpCallArgumentsDone,
    McpCallCompleted,
    McpCallFailed,
    McpCallInProgress,
    McpListToolsCompleted,
    McpListToolsFailed,
    McpListToolsInProgress,
    ShellCallCommandAdded,
    ShellCallCommandDelta,
    ShellCallCommandDone,
    WebSearchCallCompleted,
    WebSearchCallInProgress,
    WebSearchCallSearching,
)

NO_LOGPROBS: Sequence[Logprob] = ()
"""The logprobs of events without any."""


class ResponseCreated(Struct, tag="response.created"):
    """First event of a stream, with the new response."""

    response: Response
    sequence_number: int = 0


class ResponseInProgress(Struct, tag="response.in_progress"):
    """Start of work on the response."""

    response: Response
    sequence_number: int = 0


class ResponseQueued(Struct, tag="response.queued"):
    """Background response in the queue."""

    response: Response
    sequence_number: int = 0


class ResponseCompleted(Struct, tag="response.completed"):
    """Completed response, the last event of its stream."""

    response: Response
    sequence_number: int = 0


class ResponseIncomplete(Struct, tag="response.incomplete"):
    """Incomplete response, the last event of its stream."""

    response: Response
    sequence_number: int = 0


class ResponseFailed(Struct, tag="response.failed"):
    """Failed response, the last event of its stream."""

    response: Response
    sequence_number: int = 0


class OutputItemAdded(Struct, tag="response.output_item.added"):
    """Start of an output item."""

    output_index: int
    item: Item
    sequence_number: int = 0


class OutputItemDone(Struct, tag="response.output_item.done"):
    """Completed output item."""

    output_index: int
    item: Item
    sequence_number: int = 0


class ContentPartAdded(Struct, tag="response.content_part.added"):
    """Start of a content part."""

    item_id: str
    output_index: int
    content_index: int
    part: OutputText | Refusal | ReasoningText
    sequence_number: int = 0


class ContentPartDone(Struct, tag="response.content_part.done"):
    """Completed content part."""

    item_id: str
    output_index: int
    content_index: int
    part: OutputText | Refusal | ReasoningText
    sequence_number: int = 0


class OutputTextDelta(Struct, gc=False, tag="response.output_text.delta"):
    """Piece of output text."""

    item_id: str
    output_index: int
    content_index: int
    delta: str
    logprobs: Sequence[Logprob]
    sequence_number: int = 0


class OutputTextDone(Struct, tag="response.output_text.done"):
    """Complete output text."""

    item_id: str
    output_index: int
    content_index: int
    text: str
    logprobs: Sequence[Logprob]
    sequence_number: int = 0


class RefusalDelta(Struct, tag="response.refusal.delta"):
    """Piece of a refusal."""

    item_id: str
    output_index: int
    content_index: int
    delta: str
    sequence_number: int = 0


class RefusalDone(Struct, tag="response.refusal.done"):
    """Complete refusal."""

    item_id: str
    output_index: int
    content_index: int
    refusal: str
    sequence_number: int = 0


class ReasoningTextDelta(Struct, tag="response.reasoning_text.delta"):
    """Piece of raw reasoning."""

    item_id: str
    output_index: int
    content_index: int
    delta: str
    sequence_number: int = 0


class ReasoningTextDone(Struct, tag="response.reasoning_text.done"):
    """Complete raw reasoning."""

    item_id: str
    output_index: int
    content_index: int
    text: str
    sequence_number: int = 0


class ReasoningDelta(Struct, tag="response.reasoning.delta"):
    """Piece of raw reasoning, in Open Responses' form."""

    item_id: str
    output_index: int
    content_index: int
    delta: str
    sequence_number: int = 0


class ReasoningDone(Struct, tag="response.reasoning.done"):
    """Complete raw reasoning, in Open Responses' form."""

    item_id: str
    output_index: int
    content_index: int
    text: str
    sequence_number: int = 0


class ReasoningSummaryPartAdded(Struct, tag="response.reasoning_summary_part.added"):
    """Start of a part of a reasoning summary."""

    item_id: str
    output_index: int
    summary_index: int
    part: SummaryText
    sequence_number: int = 0


class ReasoningSummaryPartDone(Struct, tag="response.reasoning_summary_part.done"):
    """Completed part of a reasoning summary."""

    item_id: str
    output_index: int
    summary_index: int
    part: SummaryText
    sequence_number: int = 0


class ReasoningSummaryTextDelta(Struct, tag="response.reasoning_summary_text.delta"):
    """Piece of a reasoning summary."""

    item_id: str
    output_index: int
    summary_index: int
    delta: str
    sequence_number: int = 0


class ReasoningSummaryTextDone(Struct, tag="response.reasoning_summary_text.done"):
    """Complete text of a part of a reasoning summary."""

    item_id: str
    output_index: int
    summary_index: int
    text: str
    sequence_number: int = 0


class FunctionCallArgumentsDelta(Struct, tag="response.function_call_arguments.delta"):
    """Piece of a function call's arguments."""

    item_id: str
    output_index: int
    delta: str
    sequence_number: int = 0


class FunctionCallArgumentsDone(Struct, tag="response.function_call_arguments.done"):
    """Complete arguments of a function call.

    OpenAI's OpenAPI description requires `name`, although api.openai.com did not send it up to October 2026.
    """

    item_id: str
    output_index: int
    name: str
    arguments: str
    sequence_number: int = 0


class CustomToolCallInputDelta(Struct, tag="response.custom_tool_call_input.delta"):
    """Piece of a custom tool call's input."""

    item_id: str
    output_index: int
    delta: str
    sequence_number: int = 0


class CustomToolCallInputDone(Struct, tag="response.custom_tool_call_input.done"):
    """Complete input of a custom tool call."""

    item_id: str
    output_index: int
    input: str
    sequence_number: int = 0


class OutputTextAnnotationAdded(Struct, tag="response.output_text.annotation.added"):
    """New annotation of output text."""

    item_id: str
    output_index: int
    content_index: int
    annotation_index: int
    annotation: Annotation
    sequence_number: int = 0


class CompactionCompacting(Struct, tag="response.compaction.compacting"):
    """Start of the summary in a response that is only a compaction."""

    item_id: str
    output_index: int
    sequence_number: int = 0


class ErrorEvent(Struct, tag="error"):
    """Error, nested as at api.openai.com; its OpenAPI description has a flat form."""

    error: ErrorBody
    sequence_number: int = 0


Terminal = ResponseCompleted | ResponseIncomplete | ResponseFailed
"""Last event of a stream."""

Event = (
    ResponseCreated
    | ResponseQueued
    | ResponseInProgress
    | Terminal
    | OutputItemAdded
    | OutputItemDone
    | ContentPartAdded
    | ContentPartDone
    | OutputTextDelta
    | OutputTextDone
    | RefusalDelta
    | RefusalDone
    | ReasoningTextDelta
    | ReasoningTextDone
    | ReasoningDelta
    | ReasoningDone
    | ReasoningSummaryPartAdded
    | ReasoningSummaryPartDone
    | ReasoningSummaryTextDelta
    | ReasoningSummaryTextDone
    | FunctionCallArgumentsDelta
    | FunctionCallArgumentsDone
    | CustomToolCallInputDelta
    | CustomToolCallInputDone
    | OutputTextAnnotationAdded
    | CompactionCompacting
    | WebSearchCallInProgress
    | WebSearchCallSearching
    | WebSearchCallCompleted
    | FileSearchCallInProgress
    | FileSearchCallSearching
    | FileSearchCallCompleted
    | CodeInterpreterCallInProgress
    | CodeInterpreterCallCodeDelta
    | CodeInterpreterCallCodeDone
    | CodeInterpreterCallInterpreting
    | CodeInterpreterCallCompleted
    | McpListToolsInProgress
    | McpListToolsCompleted
    | McpListToolsFailed
    | McpCallInProgress
    | McpCallCompleted
    | McpCallFailed
    | McpCallArgumentsDelta
    | McpCallArgumentsDone
    | ImageGenerationCallInProgress
    | ImageGenerationCallGenerating
    | ImageGenerationCallPartialImage
    | ImageGenerationCallCompleted
    | ShellCallCommandAdded
    | ShellCallCommandDelta
    | ShellCallCommandDone
    | ApplyPatchCallOperationDiffDelta
    | ApplyPatchCallOperationDiffDone
    | ErrorEvent
)
"""Event of a stream."""
