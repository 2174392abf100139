"""Recordings of api.openai.com: those that the engine is compared with, and reasons for the others.

A recording holds exchanges, one for each HTTP request: the request, and the body or the events of the
response.
"""

from functools import cache
from typing import NamedTuple

import msgspec

from antiphon.wire.json import JSON, JSONObject
from tests.support.shared import shared

DIRECTORY = "recordings/openai-responses"

COVERED = (
    "a-context_length_exceeded-stream",
    "a-context_length_exceeded",
    "a-max-tool-calls-code-interpreter-stream-v2-zero",
    "a-missing_required_parameter",
    "a-text-max_output_tokens-incomplete-stream",
    "a-text-max_output_tokens-incomplete",
    "a-text-single-stream",
    "a-text-single",
    "a-tool-function-stream",
    "a-tool-function-tool_loop-step1-stream",
    "a-tool-function-tool_loop-step1",
    "a-tool-function-tool_loop-step2-mixed-input-step1",
    "a-tool-function-tool_loop-step2-mixed-input",
    "a-tool-function-tool_loop-step2-omit-tools-stream",
    "a-tool-function-tool_loop-step2-omit-tools",
    "a-tool-function-tool_loop-step2-tool_choice-without-tools-400",
    "a-tool-function",
    "b-background_mode_streaming_continuation_vcr",
    "b-background_mode_streaming_vcr",
    "b-gpt5_pro",
    "b-native_output",
    "b-native_output_multiple",
    "b-openai_conversation_id_auto_without_history",
    "b-openai_conversation_id_explicit_and_auto",
    "b-openai_conversation_id_streaming_provider_details",
    "b-openai_conversation_id_tool_call_continuation",
    "b-openai_include_raw_annotations_streaming",
    "b-openai_previous_response_id_seed_auto_chains_through_retries",
    "b-openai_responses_compact_messages",
    "b-openai_responses_compact_messages_direct",
    "b-openai_responses_compact_with_auto_previous_response_id",
    "b-openai_responses_compact_with_instructions",
    "b-openai_responses_document_as_binary_content_input",
    "b-openai_responses_gpt_5_5_drops_sampling_params_by_default",
    "b-openai_responses_gpt_5_6_minimal_thinking_uses_low_effort",
    "b-openai_responses_history_with_combined_tool_call_id",
    "b-openai_responses_model_http_error",
    "b-openai_responses_model_mcp_server_tool",
    "b-openai_responses_model_retry",
    "b-openai_responses_model_simple_response_with_tool_call",
    "b-openai_responses_model_thinking_part",
    "b-openai_responses_moderation_block_policy",
    "b-openai_responses_moderation_stream",
    "b-openai_responses_output_type",
    "b-openai_responses_phase_live",
    "b-openai_responses_reasoning_context_default_wire_contract-default-supported",
    "b-openai_responses_reasoning_context_default_wire_contract-explicit-auto-wins",
    "b-openai_responses_reasoning_effort",
    "b-openai_responses_reasoning_mode_pro",
    "b-openai_responses_requires_function_call_status_none",
    "b-openai_responses_stream",
    "b-openai_responses_streaming_usage",
    "b-openai_responses_text_document_url_input",
    "b-openai_responses_thinking_part_from_other_model",
    "b-openai_responses_thinking_with_tool_calls",
    "b-prompted_output_multiple",
    "b-reasoning_model_with_temperature",
    "b-responses_usage_limit_not_exceeded",
    "b-text_output_function",
)
"""Recordings with at least one exchange that the engine is compared with."""

HOSTED = (
    "a-builtin-tool-code_interpreter",
    "a-builtin-tool-code_interpreter-function",
    "a-builtin-tool-code_interpreter-function-stream",
    "a-builtin-tool-code_interpreter-stream",
    "a-builtin-tool-web_search",
    "a-builtin-tool-web_search-find_in_page",
    "a-builtin-tool-web_search-open_page",
    "a-builtin-tool-web_search-open_page-sources",
    "a-builtin-tool-web_search-sources",
    "a-builtin-tool-web_search-stream",
    "a-max-tool-calls-code-interpreter-stream-v1",
    "a-max-tool-calls-code-interpreter-stream-v3-two",
    "a-max-tool-calls-web-search-v1",
    "a-max-tool-calls-web-search-v2",
    "b-openai_include_raw_annotations_streaming",
    "b-openai_responses_code_execution_return_image",
    "b-openai_responses_image_generation_jpeg",
    "b-openai_responses_model_builtin_tools_web_search",
    "b-openai_responses_model_file_search_tool",
    "b-openai_responses_model_file_search_tool_with_results",
    "b-openai_responses_model_mcp_list_tools_stream_backfills_missing_results",
    "b-openai_responses_model_mcp_server_tool",
    "b-openai_responses_model_mcp_server_tool_with_connector",
    "b-openai_responses_model_web_search_tool_stream",
    "b-openai_responses_model_web_search_tool_with_allowed_domains",
    "b-openai_responses_model_web_search_tool_with_user_location",
    "b-openai_responses_thinking_with_code_execution_tool",
    "b-openai_responses_thinking_with_code_execution_tool_stream",
)
"""Recordings with at least one exchange that the engine and its hosted tools are compared with."""

_SWITCHED_OFF = "web search without access to the web, which this server omits"
_BACKGROUND = "background responses without a stream, whose output is in another exchange"
_TOKENS = "counting input tokens"
_MADE_UP = "written by hand, not recorded: its status is `complete`, which the API does not know"
_SHORTENED = "shortened by hand: its message has a text, but no deltas and no role"

LEFT_OUT = {
    "a-builtin-tool-code_interpreter-outputs-multi-stream": _SHORTENED,
    "b-background_mode_reasoning_vcr": _BACKGROUND,
    "b-background_mode_streaming_without_starting_after_vcr": _BACKGROUND,
    "b-background_mode_with_tool_vcr": _BACKGROUND,
    "b-openai_previous_response_id": _MADE_UP,
    "b-openai_responses_model_web_search_tool_without_external_access": _SWITCHED_OFF,
    "b-openai_responses_verbosity": _MADE_UP,
    "b-responses_count_tokens": _TOKENS,
    "b-responses_count_tokens_with_tools": _TOKENS,
}
"""Recordings without any exchange to compare the engine with, and their subjects."""


class Exchange(NamedTuple):
    """A request and its response: the `events` of a stream, or a `body`."""

    recording: str
    number: int
    method: str
    path: str
    request: JSON
    status: int
    events: list[JSONObject]
    body: JSON

    @property
    def name(self) -> str:
        return f"{self.recording} [{self.number}]"

    def output(self) -> list[JSONObject]:
        """Return the output items of a response."""
        body = self.events[-1].get("response", {}) if self.events else self.body
        output: list[JSONObject] = body.get("output", []) if isinstance(body, dict) else []
        return output


ENGINE_ITEMS = {"message", "reasoning", "function_call"}
"""Items of a model call; hosted tools make the other items."""
HOSTED_ITEMS = {
    *("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"),
    *("mcp_list_tools", "mcp_call"),
}
"""Items that the hosted tools of this server make."""

_UNTRANSLATED = {"compaction"}
"""Items in the input that the engine doesn't translate."""


def recording_names() -> list[str]:
    """Return the names of all recordings."""
    return sorted(path.stem for path in shared(DIRECTORY).glob("*.json"))


@cache
def exchanges(recording: str) -> list[Exchange]:
    """Return every exchange of a recording."""
    document = msgspec.json.decode((shared(DIRECTORY) / f"{recording}.json").read_bytes())
    return [
        Exchange(
            recording,
            number,
            entry["request"]["method"],
            entry["request"]["path"],
            entry["request"].get("body"),
            entry["response"]["status"],
            entry["response"].get("events") or [],
            entry["response"].get("body"),
        )
        for number, entry in enumerate(document["exchanges"])
    ]


def engine_exchanges(recording: str) -> list[Exchange]:
    """Return the exchanges of a recording that one run of the engine answers.

    These are POST /v1/responses without hosted tool calls in the output, without items in the input that the
    engine does not translate, and not queued in the background without a stream.
    """
    return [
        exchange
        for exchange in map(_without_queue, exchanges(recording))
        if _is_one_response(exchange) and {item["type"] for item in exchange.output()} <= ENGINE_ITEMS
    ]


def hosted_exchanges(recording: str) -> list[Exchange]:
    """Return the exchanges of a recording that the engine answers with this server's hosted tools."""
    return [
        exchange
        for exchange in exchanges(recording)
        if _is_one_response(exchange)
        and (kinds := {item["type"] for item in exchange.output()}) <= ENGINE_ITEMS | HOSTED_ITEMS
        and kinds & HOSTED_ITEMS
    ]


def _without_queue(exchange: Exchange) -> Exchange:
    """Return a background stream without its time in the queue, of which the engine knows nothing."""
    kinds = [event["type"] for event in exchange.events]
    if "response.queued" not in kinds:
        return exchange
    events = [event for event in exchange.events if event["type"] != "response.queued"]
    events = [event | {"sequence_number": number} for number, event in enumerate(events)]
    events[0] = events[0] | {"response": events[0]["response"] | {"status": "in_progress"}}
    return exchange._replace(events=events)


def _is_one_response(exchange: Exchange) -> bool:
    if (exchange.method, exchange.path) != ("POST", "/v1/responses"):
        return False
    sent = exchange.request["input"]
    kinds = {item.get("type", "message") for item in sent} if isinstance(sent, list) else set()
    is_queued = exchange.request.get("background") and not exchange.events
    return not is_queued and not kinds & _UNTRANSLATED
