"""Known differences between the engine's output and recordings, with reasons."""

from tests.wire.compare import Deviation

_RESPONSE = r"(response\.\w+\.)?response"
"""The response in the events of a stream, or as a body."""
_ITEM = rf"({_RESPONSE}\.output\[\]|response\.output_item\.(added|done)\.item)"
_YOUNGER = "a key that the API did not have yet when this was recorded"
_HOSTED = "a key of api.openai.com's own business, about which a self-hosted server knows nothing"
_DEFAULT = "a default of the model, which the API knows and a chat backend does not tell"

DEVIATIONS = (
    Deviation(
        rf"{_RESPONSE}\.(frequency_penalty|presence_penalty|completed_at|max_tool_calls|top_logprobs"
        rf"|prompt_cache_key|prompt_cache_retention|safety_identifier|service_tier|background)",
        "absent there",
        _YOUNGER,
    ),
    Deviation(rf"{_RESPONSE}\.(text\.verbosity|reasoning\.summary)", "absent there", _YOUNGER),
    Deviation(rf"{_RESPONSE}\.reasoning\.generate_summary", "absent here", "a key that the API has given up"),
    Deviation(rf"{_RESPONSE}\.usage\.input_tokens_details\.cache_write_tokens", "absent there", _YOUNGER),
    Deviation(
        rf"({_ITEM}\.content\[\]|response\.content_part\.\w+\.part)\.logprobs", "absent there", _YOUNGER
    ),
    Deviation(r"response\.output_text\.(delta|done)\.logprobs", "absent there", _YOUNGER),
    Deviation(r"[\w.]+\.sequence_number", "absent there", _YOUNGER),
    Deviation(
        r"response\.function_call_arguments\.done\.name",
        "absent there",
        "required by the OpenAPI description, and harmless to clients that do not know it",
    ),
    Deviation(rf"{_RESPONSE}\.error\.(param|type)", "absent there", _YOUNGER),
    Deviation(
        rf"{_RESPONSE}\.input_transformations",
        "absent there",
        "api.openai.com encrypted the reasoning in the recorded input, so that this server can't read it",
    ),
    Deviation(
        rf"{_RESPONSE}\.tool_usage",
        "absent here",
        "zeros, which this server omits without web search or image generation",
    ),
    Deviation(rf"{_RESPONSE}\.(billing|moderation|access_programs)", "absent here", _HOSTED),
    Deviation(
        rf"{_RESPONSE}\.model",
        "value",
        "the API resolves a name to a dated one; a backend is called by its own",
    ),
    Deviation(rf"{_RESPONSE}\.reasoning\.effort", "value", _DEFAULT, unless_sent="reasoning.effort"),
    Deviation(rf"{_RESPONSE}\.reasoning\.context", "absent here", _DEFAULT, unless_sent="reasoning.context"),
    Deviation(rf"{_RESPONSE}\.reasoning\.context", "value", "the API shows what `auto` came to"),
    Deviation(rf"{_RESPONSE}\.reasoning\.mode", "absent here", _DEFAULT, unless_sent="reasoning.mode"),
    Deviation(rf"{_RESPONSE}\.top_p", "value", _DEFAULT, unless_sent="top_p"),
    Deviation(
        rf"{_RESPONSE}\.prompt_cache_retention", "value", _DEFAULT, unless_sent="prompt_cache_retention"
    ),
    Deviation(
        rf"{_RESPONSE}\.store",
        "value",
        "the API shows false for a background response, although it stores it",
        unless_sent="store",
    ),
    Deviation(rf"{_ITEM}\.phase", "absent here", "chat backends do not say what a message is for"),
    Deviation(
        rf"{_ITEM}\.content",
        "absent here",
        "`content: []` of reasoning items: only some recordings since the middle of 2026 have it",
    ),
    Deviation(
        rf"({_RESPONSE}\.output\[\]|response\.output_item\.added\.item)\.encrypted_content",
        "value",
        "the API encrypts the same reasoning again in each event; output_item.done is compared",
    ),
)

_ACTION = rf"({_ITEM}|response\.output\[\])\.action"

HOSTED_DEVIATIONS = (
    Deviation(rf"{_RESPONSE}\.tool_usage", "absent there", _YOUNGER),
    Deviation(
        rf"{_RESPONSE}\.tools\[\]\.user_location",
        "absent here",
        "the API assumes that the client is in the US; this server assumes no location",
        unless_sent="user_location",
    ),
    Deviation(rf"{_RESPONSE}\.tools\[\]\.filters", "absent here", "a key that the API has given up"),
    Deviation(rf"{_RESPONSE}\.tools\[\]\.n", "absent here", "a key that OpenAI's types don't have"),
    Deviation(rf"{_ACTION}\.queries", "absent there", _YOUNGER),
    Deviation(
        rf"{_ACTION}\.queries\[\]",
        "value",
        "the API's model asks several things at once; the function that chat models know asks one",
    ),
    Deviation(
        rf"{_ACTION}\.sources",
        "absent here",
        "a source of the API's own, `oai-weather`, and no page",
    ),
    Deviation(
        rf"{_RESPONSE}\.max_tool_calls",
        "value",
        "not sent, because the API ignored the limit when this was recorded",
    ),
)
"""Further differences, for responses with hosted tools."""
