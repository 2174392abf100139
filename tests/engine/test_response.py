import msgspec
import pytest

from antiphon.decode.bodies import create_response
from antiphon.engine.response import new_response
from antiphon.wire.json import JSON, JSONObject
from tests.support.schemas import check_response

KEYS = {
    "id",
    "object",
    "created_at",
    "status",
    "background",
    "completed_at",
    "error",
    "frequency_penalty",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "model",
    "output",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "usage",
    "user",
    "metadata",
}
"""The keys that every response has, with any request."""


def response(body: JSONObject) -> JSONObject:
    request = create_response.decode(msgspec.json.encode({"model": "backend/m", "input": "Hi"} | body))
    made: JSONObject = msgspec.json.decode(
        msgspec.json.encode(new_response(request, "resp_1", 1_800_000_000))
    )
    check_response(made)
    return made


def test_the_least_response() -> None:
    made = response({})
    assert set(made) == KEYS
    assert (
        made
        | {
            "id": "resp_1",
            "object": "response",
            "created_at": 1_800_000_000,
            "status": "in_progress",
            "model": "backend/m",
            "output": [],
            "error": None,
            "incomplete_details": None,
            "completed_at": None,
            "usage": None,
            "metadata": {},
            "parallel_tool_calls": True,
            "store": True,
            "service_tier": "auto",
            "temperature": 1.0,
            "top_p": 1.0,
            "text": {"format": {"type": "text"}, "verbosity": "medium"},
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": 0,
            "truncation": "disabled",
        }
        == made
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("instructions", "Be brief."),
        ("max_output_tokens", 16),
        ("max_tool_calls", 1),
        ("parallel_tool_calls", False),
        ("previous_response_id", "resp_0"),
        ("prompt_cache_key", "k"),
        ("prompt_cache_retention", "24h"),
        ("safety_identifier", "s"),
        ("service_tier", "flex"),
        ("store", False),
        ("temperature", 0.0),
        ("top_p", 0.0),
        ("presence_penalty", 0.5),
        ("frequency_penalty", -0.5),
        ("tool_choice", "none"),
        ("top_logprobs", 20),
        ("truncation", "auto"),
        ("user", "u"),
        ("metadata", {"a": "b"}),
    ],
)
def test_settings_are_echoed(key: str, value: JSON) -> None:
    made = response({key: value})
    assert made[key] == value
    assert set(made) == KEYS


def test_reasoning_is_echoed() -> None:
    made = response({"reasoning": {"effort": "low", "summary": "auto"}})["reasoning"]
    assert (made["effort"], made["summary"]) == ("low", "auto")


def test_null_is_the_default() -> None:
    nulls = dict.fromkeys(KEYS - {"model", "id", "object", "output"})
    assert response(nulls) == response({})


@pytest.mark.parametrize("kind", ["web_search", "web_search_preview", "image_generation"])
def test_the_use_of_tools_is_counted_only_where_there_are_some(kind: str) -> None:
    assert response({"tools": [{"type": kind}]})["tool_usage"] == {
        "image_gen": {
            "input_tokens": 0,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
            "output_tokens": 0,
            "total_tokens": 0,
        },
        "web_search": {"num_requests": 0},
    }
    assert "tool_usage" not in response({"tools": [{"type": "function", "name": "f"}]})


@pytest.mark.parametrize("conversation", ["conv_1", {"id": "conv_1"}])
def test_a_conversation_is_named_only_where_there_is_one(conversation: JSON) -> None:
    assert response({"conversation": conversation})["conversation"] == {"id": "conv_1"}


def test_functions_are_echoed_with_every_key() -> None:
    made = response({"tools": [{"type": "function", "name": "f"}]})
    assert made["tools"] == [
        {"type": "function", "name": "f", "description": None, "parameters": None, "strict": True}
    ]


def test_strict_stays_as_it_was_sent() -> None:
    tools = [{"type": "function", "name": "f", "strict": False, "parameters": {"type": "object"}}]
    echoed = response({"tools": tools})["tools"][0]
    assert (echoed["strict"], echoed["parameters"]) == (False, {"type": "object"})


def test_functions_of_a_namespace_are_echoed_with_every_key() -> None:
    tools = [
        {"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "function", "name": "f"}]}
    ]
    assert response({"tools": tools})["tools"][0]["tools"][0]["strict"] is True


def test_a_schema_is_echoed_with_every_key() -> None:
    text_format = {"type": "json_schema", "name": "a", "schema": {"type": "object"}}
    made = response({"text": {"format": text_format}})["text"]
    assert made == {"format": text_format | {"description": None, "strict": False}, "verbosity": "medium"}


def test_web_search_is_echoed_with_its_default_and_a_place_with_every_key() -> None:
    place = {"type": "approximate", "city": "Utrecht"}
    tools = [{"type": "web_search"}, {"type": "web_search", "user_location": place}]
    plain, placed = response({"tools": tools})["tools"]
    assert plain == {"type": "web_search", "search_context_size": "medium"}
    assert placed == plain | {"user_location": place | {"country": None, "region": None, "timezone": None}}


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        (
            {},
            {
                "filters": None,
                "max_num_results": 20,
                "ranking_options": {"ranker": "auto", "score_threshold": 0.0},
            },
        ),
        (
            {"max_num_results": 3, "ranking_options": {"score_threshold": 0.5}},
            {
                "filters": None,
                "max_num_results": 3,
                "ranking_options": {"ranker": "auto", "score_threshold": 0.5},
            },
        ),
    ],
)
def test_file_search_is_echoed_with_its_defaults(sent: JSONObject, echoed: JSONObject) -> None:
    tool: JSONObject = {"type": "file_search", "vector_store_ids": ["vs_1"]}
    assert response({"tools": [tool | sent]})["tools"] == [tool | echoed]


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "https://a.example/mcp"),
        ({"headers": {"X-Key": "secret"}}, "https://a.example/<redacted>"),
        ({"authorization": "secret"}, "https://a.example/<redacted>"),
        ({"server_url": "https://a.example:8443/mcp?key=secret"}, "https://a.example:8443/<redacted>"),
        ({"server_url": "https://me:secret@a.example/mcp"}, "https://a.example/<redacted>"),
        ({"server_url": "mailto:secret@a.example"}, "<redacted>"),
    ],
    ids=["nothing secret", "headers", "token", "query", "password", "no URL"],
)
def test_an_mcp_server_is_shown_without_secrets(given: JSONObject, url: str) -> None:
    tool = {"type": "mcp", "server_label": "s", "server_url": "https://a.example/mcp"} | given
    (shown,) = response({"tools": [tool]})["tools"]
    assert "secret" not in str(shown)
    assert shown["server_url"] == url
    assert (shown["headers"], shown.get("authorization")) == (
        {"X-Key": "<redacted>"} if "headers" in given else None,
        "<redacted>" if "authorization" in given else None,
    )


def test_an_mcp_server_is_shown_with_what_holds_by_default() -> None:
    tool = {"type": "mcp", "server_label": "s", "connector_id": "connector_gmail"}
    (shown,) = response({"tools": [tool]})["tools"]
    assert shown == {
        "type": "mcp",
        "server_label": "s",
        "connector_id": "connector_gmail",
        "allowed_tools": None,
        "headers": None,
        "require_approval": "always",
        "server_description": None,
        "server_url": None,
    }


def test_a_prompt_is_echoed_as_it_was_named() -> None:
    prompt = {"id": "pmpt_1", "version": "2", "variables": {"name": "Ada"}}
    assert response({"prompt": prompt})["prompt"] == prompt


def test_options_of_the_prompt_cache_are_echoed() -> None:
    options = {"mode": "explicit", "ttl": "30m"}
    assert response({"prompt_cache_options": {"mode": "explicit"}})["prompt_cache_options"] == options
