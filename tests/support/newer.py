"""Parts of OpenAI's API that are newer than its description in `../shared`, of August 2026.

They are as in the types of the openai package, with which `tests/clients` checks them too.
"""

from antiphon.wire.json import JSON, JSONObject

_TEXT: JSONObject = {"type": "string"}
_COUNT: JSONObject = {"type": "integer", "minimum": 0}
_FLAG: JSONObject = {"type": "boolean"}


def _null(schema: JSONObject) -> JSONObject:
    return {"anyOf": [schema, {"type": "null"}]}


def _one_of(*values: str) -> JSONObject:
    return {"type": "string", "enum": [*values]}


def _object(required: JSONObject, optional: JSONObject | None = None) -> JSONObject:
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": [*required],
        "additionalProperties": False,
    }


_TOKENS = _object({"image_tokens": _COUNT, "text_tokens": _COUNT})
_TOOL_USAGE = _object(
    {
        "image_gen": _object(
            {
                "input_tokens": _COUNT,
                "input_tokens_details": _TOKENS,
                "output_tokens": _COUNT,
                "total_tokens": _COUNT,
            },
            {"output_tokens_details": _TOKENS, "cached_tokens": _COUNT},
        ),
        "web_search": _object({"num_requests": _COUNT}),
    }
)
_DIAGNOSTICS: JSONObject = {
    "oneOf": [
        *(
            _object({"type": _one_of(kind)})
            for kind in ("cache_hit", "comparison_response_not_found", "unavailable")
        ),
        _object(
            {
                "type": _one_of("cache_miss"),
                "cache_missed_tokens": _COUNT,
                "reason": _one_of(
                    "model_changed",
                    "prompt_cache_key_changed",
                    "tools_changed",
                    "text_format_changed",
                    "reasoning_effort_changed",
                    "verbosity_changed",
                    "context_compacted",
                    "input_changed",
                    "service_tier_changed",
                ),
            },
            {"comparison_reusable_tokens": _COUNT},
        ),
    ]
}
_TRANSFORMATION = _object(
    {
        "id": _TEXT,
        "type": _one_of("reasoning"),
        "action": _one_of("removed"),
        "reason": _one_of(
            "organization_mismatch", "end_user_mismatch", "model_mismatch", "prefix_mismatch", "turn_boundary"
        ),
    }
)
_RESPONSE: JSONObject = {
    "access_programs": _null(_object({"cyber": _one_of("standard", "daybreak_blue", "daybreak_red")})),
    "image": _object({"context_compression": _one_of("enabled", "disabled")}),
    "input_transformations": {"type": "array", "items": _TRANSFORMATION},
    "prompt_cache_diagnostics": _DIAGNOSTICS,
    "tool_usage": _TOOL_USAGE,
}


def add_newer(schemas: JSONObject) -> None:
    """Add the newer parts to the schemas of OpenAI's description."""
    schemas["ResponseProperties"]["properties"] |= _RESPONSE
    whole = next(part for part in schemas["Response"]["allOf"] if "incomplete_details" in str(part))
    _choice(whole["properties"]["incomplete_details"])["reason"]["enum"] += ["max_messages", "steered"]
    _choice(schemas["ResponseError"]).update(param=_null(_TEXT), type=_null(_TEXT))
    for identifier in _declarations(schemas["ModelResponseProperties"]["properties"]["safety_identifier"]):
        identifier["maxLength"] = 128
    schemas["PromptCacheTTLEnum"]["enum"].append("12h")
    schemas["PromptCacheOptions"]["properties"]["comparison_response_id"] = _null(_TEXT)
    schemas["WebSearchToolCall"]["properties"]["status"]["enum"].append("incomplete")
    for name in (
        "FunctionToolCall",
        "CustomToolCall",
        "FunctionTool",
        "FunctionToolParam",
        "CustomToolParam",
    ):
        schemas[name]["properties"]["async"] = _null(_FLAG)
    schemas["ConfigurationUpdateItem"] = _object(
        {"type": _one_of("configuration_update"), "id": _TEXT},
        {
            "reasoning": _object({}, {"effort": {"$ref": "#/components/schemas/ReasoningEffort"}}),
            "text": _object({"format": {"$ref": "#/components/schemas/TextResponseFormatConfiguration"}}),
        },
    )
    for name in ("ItemResource", "ConversationItem"):
        schemas[name]["oneOf"].append({"$ref": "#/components/schemas/ConfigurationUpdateItem"})
        schemas[name].get("discriminator", {}).get("mapping", {}).clear()
    schemas["ResponseCompactionCompactingEvent"] = _object(
        {
            "type": _one_of("response.compaction.compacting"),
            "item_id": _TEXT,
            "output_index": _COUNT,
            "sequence_number": _COUNT,
        }
    )


def _declarations(schema: JSONObject) -> list[JSONObject]:
    """Return a schema, or the alternatives that it consists of."""
    return [part for part in schema.get("anyOf", [schema]) if part.get("type") == "string"]


def _choice(nullable: JSONObject) -> JSON:
    """Return the properties of an object that may be null."""
    return next(part["properties"] for part in nullable["anyOf"] if "properties" in part)
