"""Names of spans, attributes and metrics, by OpenTelemetry's conventions for generative AI.

The conventions are in development: https://github.com/open-telemetry/semantic-conventions-genai. The variable
`OTEL_SEMCONV_STABILITY_OPT_IN` chooses between the names that dashboards read today and the latest ones.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

_OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"
_LATEST = "gen_ai_latest_experimental"


class Name(Struct, frozen=True):
    """A name with its meaning, for the documentation."""

    name: str
    """The name today."""
    meaning: str
    """The meaning in a few words."""
    latest: str | None = None
    """The name in the latest conventions, if it differs."""
    buckets: Sequence[float] = ()
    """The boundaries of a histogram."""
    unit: str = ""
    """The unit of a metric."""

    def of(self, conventions: "Conventions") -> str:
        """Return the name in the conventions of a server."""
        return self.latest if conventions.are_latest and self.latest is not None else self.name


class Conventions(Struct, frozen=True):
    """The version of the conventions that a server follows."""

    are_latest: bool = False
    """Whether the names are those of the latest conventions."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Conventions":
        """Return the version that the environment chooses."""
        return cls(_LATEST in [entry.strip() for entry in environment.get(_OPT_IN, "").split(",")])


INVOKE_AGENT = Name("invoke_agent", "One response from its first to its last step. INTERNAL.")
CHAT = Name("chat {model}", "One model call, with its retries. CLIENT.")
EXECUTE_TOOL = Name("execute_tool {name}", "One call of a hosted tool. INTERNAL.")
FETCH_RESPONSE = Name("fetch_response", "One GET of a stored response, also as a stream. INTERNAL.")
ENQUEUE_RESPONSE = Name(
    "enqueue_response",
    "Submission of a background response or batch, the parent of its executions. PRODUCER; Antiphon's own.",
)
SPANS = (INVOKE_AGENT, CHAT, EXECUTE_TOOL, FETCH_RESPONSE, ENQUEUE_RESPONSE)
"""All spans."""

OPERATION = Name("gen_ai.operation.name", "`chat`, `invoke_agent`, `execute_tool` or `fetch_response`")
PROVIDER = Name("gen_ai.provider.name", "Name of the backend")
AGENT_NAME = Name("gen_ai.agent.name", "`antiphon`")
CONVERSATION = Name("gen_ai.conversation.id", "ID of the conversation")
PREVIOUS_RESPONSE = Name("gen_ai.request.previous_response.id", "`previous_response_id` of the request")
REQUEST_MODEL = Name("gen_ai.request.model", "Model of the request, as `backend/model`")
REQUEST_STREAM = Name("gen_ai.request.stream", "Whether the model call is a stream")
REQUEST_MAX_TOKENS = Name("gen_ai.request.max_tokens", "Limit of output tokens")
REQUEST_TEMPERATURE = Name("gen_ai.request.temperature", "Temperature")
REQUEST_TOP_P = Name("gen_ai.request.top_p", "Top-p")
REASONING_LEVEL = Name("gen_ai.request.reasoning.level", "Reasoning effort")
STREAM_CURSOR = Name("gen_ai.request.stream_cursor", "`starting_after` of the request")
RESPONSE_ID = Name("gen_ai.response.id", "ID of the response, or of the completion")
RESPONSE_MODEL = Name("gen_ai.response.model", "Model that the backend reports")
RESPONSE_STATUS = Name("gen_ai.response.status", "Status of the response")
FINISH_REASONS = Name("gen_ai.response.finish_reasons", "Reason for the end of the reply")
FIRST_CHUNK = Name("gen_ai.response.time_to_first_chunk", "Seconds until the first chunk")
INPUT_TOKENS = Name("gen_ai.usage.input_tokens", "Input tokens")
OUTPUT_TOKENS = Name("gen_ai.usage.output_tokens", "Output tokens")
CACHED_TOKENS = Name("gen_ai.usage.cache_read.input_tokens", "Input tokens from the backend's cache")
REASONING_TOKENS = Name("gen_ai.usage.reasoning.output_tokens", "Output tokens of reasoning")
TOOL_NAME = Name("gen_ai.tool.name", "Name of the tool")
TOOL_TYPE = Name("gen_ai.tool.type", "`extension`: the server runs the tool")
TOOL_CALL_ID = Name("gen_ai.tool.call.id", "ID of the item")
INPUT_MESSAGES = Name("gen_ai.input.messages", "Messages to the model as JSON, if content is on")
OUTPUT_MESSAGES = Name("gen_ai.output.messages", "Reply of the model as JSON, if content is on")
TOOL_ARGUMENTS = Name("gen_ai.tool.call.arguments", "Arguments of the call as JSON, if content is on")
TOOL_RESULT = Name("gen_ai.tool.call.result", "Result of the call as JSON, if content is on")
ERROR_TYPE = Name("error.type", "Code of the error, or its class")
REQUEST_ID = Name("antiphon.request.id", "Request ID, as in the log and in `x-request-id`")
ATTRIBUTES = (
    OPERATION,
    PROVIDER,
    AGENT_NAME,
    CONVERSATION,
    PREVIOUS_RESPONSE,
    REQUEST_MODEL,
    REQUEST_STREAM,
    REQUEST_MAX_TOKENS,
    REQUEST_TEMPERATURE,
    REQUEST_TOP_P,
    REASONING_LEVEL,
    STREAM_CURSOR,
    RESPONSE_ID,
    RESPONSE_MODEL,
    RESPONSE_STATUS,
    FINISH_REASONS,
    FIRST_CHUNK,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    CACHED_TOKENS,
    REASONING_TOKENS,
    TOOL_NAME,
    TOOL_TYPE,
    TOOL_CALL_ID,
    INPUT_MESSAGES,
    OUTPUT_MESSAGES,
    TOOL_ARGUMENTS,
    TOOL_RESULT,
    ERROR_TYPE,
    REQUEST_ID,
)
"""All attributes."""

TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 (no password)
"""Attribute of the token metric: `input` or `output`."""
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
_FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_PER_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
CALL_DURATION = Name(
    "gen_ai.client.operation.duration",
    "Duration of model calls",
    latest="gen_ai.client.inference.duration",
    buckets=_SECONDS,
    unit="s",
)
CALL_FIRST_CHUNK = Name(
    "gen_ai.client.operation.time_to_first_chunk",
    "Time to the first chunk of streamed model calls",
    latest="gen_ai.client.inference.time_to_first_chunk",
    buckets=_FIRST,
    unit="s",
)
CALL_PER_CHUNK = Name(
    "gen_ai.client.operation.time_per_output_chunk",
    "Time per chunk after the first, as an average of each model call",
    latest="gen_ai.client.inference.time_per_output_chunk",
    buckets=_PER_TOKEN,
    unit="s",
)
CALL_INPUT_TOKENS = Name(
    "gen_ai.client.token.usage",
    "Input tokens, with `gen_ai.token.type`; in the latest conventions a counter without it",
    latest="gen_ai.client.inference.usage.input_tokens",
    buckets=_TOKENS,
    unit="{token}",
)
CALL_OUTPUT_TOKENS = Name(
    "gen_ai.client.token.usage",
    "Output tokens, with `gen_ai.token.type`; in the latest conventions a counter without it",
    latest="gen_ai.client.inference.usage.output_tokens",
    buckets=_TOKENS,
    unit="{token}",
)
AGENT_DURATION = Name("gen_ai.invoke_agent.duration", "Duration of responses", buckets=_SECONDS, unit="s")
TOOL_DURATION = Name(
    "gen_ai.execute_tool.duration", "Duration of hosted tool calls", buckets=_SECONDS, unit="s"
)
OTLP_METRICS = (
    CALL_DURATION,
    CALL_FIRST_CHUNK,
    CALL_PER_CHUNK,
    CALL_INPUT_TOKENS,
    CALL_OUTPUT_TOKENS,
    AGENT_DURATION,
    TOOL_DURATION,
)
"""The metrics that OTLP exporters send."""
