"""The events of a response's stream, as this server sends them.

`sequence_number` is set once, when the event takes its place in the stream.
"""

from msgspec import Struct

from antiphon.wire.content import Annotation, Logprob, OutputText, ReasoningText, Refusal, SummaryText
from antiphon.wire.errors import ErrorBody
from antiphon.wire.items import Item
from antiphon.wire.responses import Response

NO_LOGPROBS: list[Logprob] = []
"""Shared by all events without logprobs; never changed."""


class ResponseCreated(Struct, tag="response.created"):
    response: Response
    sequence_number: int = 0


class ResponseInProgress(Struct, tag="response.in_progress"):
    response: Response
    sequence_number: int = 0


class ResponseCompleted(Struct, tag="response.completed"):
    response: Response
    sequence_number: int = 0


class ResponseIncomplete(Struct, tag="response.incomplete"):
    response: Response
    sequence_number: int = 0


class ResponseFailed(Struct, tag="response.failed"):
    response: Response
    sequence_number: int = 0


class OutputItemAdded(Struct, tag="response.output_item.added"):
    output_index: int
    item: Item
    sequence_number: int = 0


class OutputItemDone(Struct, tag="response.output_item.done"):
    output_index: int
    item: Item
    sequence_number: int = 0


class ContentPartAdded(Struct, tag="response.content_part.added"):
    item_id: str
    output_index: int
    content_index: int
    part: OutputText | Refusal | ReasoningText
    sequence_number: int = 0


class ContentPartDone(Struct, tag="response.content_part.done"):
    item_id: str
    output_index: int
    content_index: int
    part: OutputText | Refusal | ReasoningText
    sequence_number: int = 0


class OutputTextDelta(Struct, gc=False, tag="response.output_text.delta"):
    item_id: str
    output_index: int
    content_index: int
    delta: str
    logprobs: list[Logprob]
    sequence_number: int = 0


class OutputTextDone(Struct, tag="response.output_text.done"):
    item_id: str
    output_index: int
    content_index: int
    text: str
    logprobs: list[Logprob]
    sequence_number: int = 0


class RefusalDelta(Struct, tag="response.refusal.delta"):
    item_id: str
    output_index: int
    content_index: int
    delta: str
    sequence_number: int = 0


class RefusalDone(Struct, tag="response.refusal.done"):
    item_id: str
    output_index: int
    content_index: int
    refusal: str
    sequence_number: int = 0


class ReasoningTextDelta(Struct, tag="response.reasoning_text.delta"):
    item_id: str
    output_index: int
    content_index: int
    delta: str
    sequence_number: int = 0


class ReasoningTextDone(Struct, tag="response.reasoning_text.done"):
    item_id: str
    output_index: int
    content_index: int
    text: str
    sequence_number: int = 0


class ReasoningDelta(Struct, tag="response.reasoning.delta"):
    """What Open Responses has in place of `ReasoningTextDelta`."""

    item_id: str
    output_index: int
    content_index: int
    delta: str
    sequence_number: int = 0


class ReasoningDone(Struct, tag="response.reasoning.done"):
    """What Open Responses has in place of `ReasoningTextDone`."""

    item_id: str
    output_index: int
    content_index: int
    text: str
    sequence_number: int = 0


class ReasoningSummaryPartAdded(Struct, tag="response.reasoning_summary_part.added"):
    item_id: str
    output_index: int
    summary_index: int
    part: SummaryText
    sequence_number: int = 0


class ReasoningSummaryPartDone(Struct, tag="response.reasoning_summary_part.done"):
    item_id: str
    output_index: int
    summary_index: int
    part: SummaryText
    sequence_number: int = 0


class ReasoningSummaryTextDelta(Struct, tag="response.reasoning_summary_text.delta"):
    item_id: str
    output_index: int
    summary_index: int
    delta: str
    sequence_number: int = 0


class ReasoningSummaryTextDone(Struct, tag="response.reasoning_summary_text.done"):
    item_id: str
    output_index: int
    summary_index: int
    text: str
    sequence_number: int = 0


class FunctionCallArgumentsDelta(Struct, tag="response.function_call_arguments.delta"):
    item_id: str
    output_index: int
    delta: str
    sequence_number: int = 0


class FunctionCallArgumentsDone(Struct, tag="response.function_call_arguments.done"):
    """`name` is required by the OpenAPI description, though no recording up to October 2026 has it."""

    item_id: str
    output_index: int
    name: str
    arguments: str
    sequence_number: int = 0


class CustomToolCallInputDelta(Struct, tag="response.custom_tool_call_input.delta"):
    item_id: str
    output_index: int
    delta: str
    sequence_number: int = 0


class CustomToolCallInputDone(Struct, tag="response.custom_tool_call_input.done"):
    item_id: str
    output_index: int
    input: str
    sequence_number: int = 0


class OutputTextAnnotationAdded(Struct, tag="response.output_text.annotation.added"):
    item_id: str
    output_index: int
    content_index: int
    annotation_index: int
    annotation: Annotation
    sequence_number: int = 0


class WebSearchCallInProgress(Struct, tag="response.web_search_call.in_progress"):
    item_id: str
    output_index: int
    sequence_number: int = 0


class WebSearchCallSearching(Struct, tag="response.web_search_call.searching"):
    item_id: str
    output_index: int
    sequence_number: int = 0


class WebSearchCallCompleted(Struct, tag="response.web_search_call.completed"):
    item_id: str
    output_index: int
    sequence_number: int = 0


class FileSearchCallInProgress(Struct, tag="response.file_search_call.in_progress"):
    item_id: str
    output_index: int
    sequence_number: int = 0


class FileSearchCallSearching(Struct, tag="response.file_search_call.searching"):
    item_id: str
    output_index: int
    sequence_number: int = 0


class FileSearchCallCompleted(Struct, tag="response.file_search_call.completed"):
    item_id: str
    output_index: int
    sequence_number: int = 0


class McpListToolsInProgress(Struct, tag="response.mcp_list_tools.in_progress"):
    item_id: str
    output_index: int
    sequence_number: int = 0


class McpListToolsCompleted(Struct, tag="response.mcp_list_tools.completed"):
    item_id: str
    output_index: int
    sequence_number: int = 0


class McpListToolsFailed(Struct, tag="response.mcp_list_tools.failed"):
    item_id: str
    output_index: int
    sequence_number: int = 0


class McpCallInProgress(Struct, tag="response.mcp_call.in_progress"):
    item_id: str
    output_index: int
    sequence_number: int = 0


class McpCallCompleted(Struct, tag="response.mcp_call.completed"):
    item_id: str
    output_index: int
    sequence_number: int = 0


class McpCallFailed(Struct, tag="response.mcp_call.failed"):
    item_id: str
    output_index: int
    sequence_number: int = 0


class McpCallArgumentsDelta(Struct, tag="response.mcp_call_arguments.delta"):
    item_id: str
    output_index: int
    delta: str
    sequence_number: int = 0


class McpCallArgumentsDone(Struct, tag="response.mcp_call_arguments.done"):
    item_id: str
    output_index: int
    arguments: str
    sequence_number: int = 0


class ErrorEvent(Struct, tag="error"):
    """Nested, as recorded at api.openai.com; the OpenAPI description shows a flat form."""

    error: ErrorBody
    sequence_number: int = 0


Terminal = ResponseCompleted | ResponseIncomplete | ResponseFailed

Event = (
    ResponseCreated
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
    | WebSearchCallInProgress
    | WebSearchCallSearching
    | WebSearchCallCompleted
    | FileSearchCallInProgress
    | FileSearchCallSearching
    | FileSearchCallCompleted
    | McpListToolsInProgress
    | McpListToolsCompleted
    | McpListToolsFailed
    | McpCallInProgress
    | McpCallCompleted
    | McpCallFailed
    | McpCallArgumentsDelta
    | McpCallArgumentsDone
    | ErrorEvent
)
