import msgspec
import pytest

from antiphon.decode.bodies import create_response
from antiphon.engine.request.translate import Translated, translate
from antiphon.settings.backends import PRESETS, Capabilities, Kind
from antiphon.wire.items import CompactionTrigger, Item, ItemReference, Message
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import CreateResponse
from tests.support.bodies import CODEX
from tests.support.immediate import at_once

BARE = Capabilities(
    developer_role=False,
    max_completion_tokens=False,
    parallel_tool_calls=False,
    strict_tools=False,
    stream_usage=False,
    logprobs=False,
    reasoning_effort=False,
    verbosity=False,
    service_tier=False,
    prompt_cache=False,
    safety_identifier=False,
)
HI: list[Item] = [Message(role="user", content="Hi")]
TOOLS: JSON = [{"type": "function", "name": "f"}]


def translated(body: JSONObject, capabilities: Capabilities | None = None) -> Translated:
    request = create_response.decode(msgspec.json.encode(body))
    return at_once(translate(request, HI, "gpt-x", capabilities or Capabilities()))


def chat(body: JSONObject, capabilities: Capabilities | None = None) -> JSONObject:
    """Return the chat request for a streaming client, without the fields that every request has."""
    request: JSONObject = msgspec.json.decode(
        msgspec.json.encode(translated(body | {"stream": True}, capabilities).chat_request)
    )
    always = {key: request.pop(key) for key in ("model", "messages", "stream")}
    assert always["model"] == "gpt-x"
    assert always["stream"] is True
    return request


def test_the_least_request() -> None:
    least = {"model": "gpt-x", "messages": [{"role": "user", "content": "Hi"}]}
    assert translated({"input": "Hi"}).chat_request == least
    assert translated({"input": "Hi", "stream": False}).chat_request == least
    assert translated({"input": "Hi", "stream": True}).chat_request == least | {
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_least_request_to_the_least_backend() -> None:
    assert chat({"input": "Hi"}, BARE) == {}


def test_instructions_come_first() -> None:
    messages = translated({"instructions": "Be brief."}).chat_request["messages"]
    assert messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"temperature": 0, "top_p": 0.5}, {"temperature": 0, "top_p": 0.5}),
        ({"presence_penalty": -2, "frequency_penalty": 2}, {"presence_penalty": -2, "frequency_penalty": 2}),
        ({"max_output_tokens": 16}, {"max_completion_tokens": 16}),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
        ({"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"top_logprobs": 0}, {}),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, {"reasoning_effort": "high"}),
        ({"reasoning": {"summary": "auto"}}, {}),
        ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "text"}}}, {}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        (
            {"prompt_cache_key": "k", "prompt_cache_retention": "24h"},
            {"prompt_cache_key": "k", "prompt_cache_retention": "24h"},
        ),
        ({"safety_identifier": "s", "user": "u"}, {"safety_identifier": "s", "user": "u"}),
        ({"parallel_tool_calls": False}, {}),
        ({"metadata": {"a": "b"}, "store": False, "truncation": "auto", "max_tool_calls": 3}, {}),
    ],
)
def test_parameters(body: JSONObject, expected: JSONObject) -> None:
    assert chat(body) == {"stream_options": {"include_usage": True}} | expected


def test_parameters_that_a_backend_does_not_know_are_omitted() -> None:
    body: JSONObject = {
        "top_logprobs": 3,
        "include": ["message.output_text.logprobs"],
        "reasoning": {"effort": "high"},
        "text": {"verbosity": "low"},
        "service_tier": "flex",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "safety_identifier": "s",
        "user": "u",
        "max_output_tokens": 99,
    }
    assert chat(body, BARE) == {"max_tokens": 99}


def test_tools() -> None:
    request = chat({"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False})
    assert request["tools"] == [{"type": "function", "function": {"name": "f"}}]
    assert (request["tool_choice"], request["parallel_tool_calls"]) == ("required", False)


def test_parallel_tool_calls_is_omitted_where_the_backend_does_not_know_it() -> None:
    assert "parallel_tool_calls" not in chat({"tools": TOOLS, "parallel_tool_calls": True}, BARE)


def test_a_schema_arrives_whole() -> None:
    schema: JSONObject = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    given = {
        "type": "json_schema",
        "name": "answer",
        "description": "An answer.",
        "schema": schema,
        "strict": True,
    }
    inner = {key: value for key, value in given.items() if key != "type"}
    request = chat({"text": {"format": given}})
    assert request["response_format"] == {"type": "json_schema", "json_schema": inner}


def test_what_a_schema_omits_is_omitted() -> None:
    request = chat({"text": {"format": {"type": "json_schema", "name": "a", "schema": {}, "strict": None}}})
    assert request["response_format"] == {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}


def test_names_of_namespaces_are_kept_for_the_reply() -> None:
    namespace = {"type": "namespace", "name": "crm", "tools": TOOLS}
    assert translated({"tools": [namespace]}).functions.names == {"crm__f": ("crm", "f")}


@pytest.mark.parametrize("kind", list(PRESETS))
def test_null_means_the_default_for_every_kind_of_backend(kind: JSON) -> None:
    body: JSONObject = dict.fromkeys(CreateResponse.__struct_fields__)
    assert chat(body, PRESETS[kind]) == {"stream_options": {"include_usage": True}}


def test_a_request_of_codex() -> None:
    request = create_response.decode(msgspec.json.encode(CODEX))
    assert isinstance(request.input, list)
    items = [item for item in request.input if not isinstance(item, CompactionTrigger | ItemReference)]
    asked = at_once(translate(request, items, "gpt-x", PRESETS["vllm"]))
    assert [tool["function"]["name"] for tool in asked.chat_request["tools"]] == [
        "run_command",
        "helpers__spawn",
    ]
    assert [message["role"] for message in asked.chat_request["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert asked.chat_request["messages"][2]["tool_calls"][0]["function"]["name"] == "helpers__spawn"


SQL: JSONObject = {
    "type": "custom",
    "name": "sql",
    "description": "Asks the database.",
    "format": {"type": "grammar", "syntax": "regex", "definition": "SELECT .*"},
}
DECODING = Capabilities(custom_tools=False, structured_outputs=True)


@pytest.mark.parametrize(
    "choice",
    [
        {"tool_choice": {"type": "custom", "name": "sql"}},
        {"tool_choice": "required", "tools": [SQL]},
        {
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "custom", "name": "sql"}],
            }
        },
    ],
)
def test_a_forced_grammar_holds_the_reply_where_the_backend_can(choice: JSONObject) -> None:
    body: JSONObject = {
        "tools": [*TOOLS, SQL],
        "instructions": "Be quick.",
        "text": {"format": {"type": "json_object"}},
        "parallel_tool_calls": True,
    } | choice
    made = translated(body, DECODING)
    assert made.input_of == "sql"
    assert made.chat_request["messages"][0] == {
        "role": "system",
        "content": "Be quick.\n\nReply with the input of the tool sql, and with nothing else.\n\n"
        "Asks the database.\n\nThe input must match this regular expression:\nSELECT .*",
    }
    assert chat(body, DECODING) == {
        "stream_options": {"include_usage": True},
        "structured_outputs": {"regex": "SELECT .*"},
    }


@pytest.mark.parametrize(
    ("choice", "capabilities"),
    [
        ({"tool_choice": "auto"}, DECODING),
        ({"tool_choice": "required"}, DECODING),
        ({"tool_choice": {"type": "function", "name": "f"}}, DECODING),
        ({"tool_choice": {"type": "custom", "name": "note"}}, DECODING),
        ({"tool_choice": {"type": "custom", "name": "sql"}}, Capabilities(custom_tools=False)),
        ({"tool_choice": {"type": "custom", "name": "sql"}}, Capabilities(structured_outputs=True)),
    ],
)
def test_other_choices_leave_the_reply_free(choice: JSONObject, capabilities: Capabilities) -> None:
    body = {"tools": [*TOOLS, SQL, {"type": "custom", "name": "note"}]} | choice
    assert translated(body, capabilities).input_of is None
    assert "structured_outputs" not in chat(body, capabilities)
    assert len(chat(body, capabilities)["tools"]) == 3


def test_vllm_holds_its_models_to_grammars() -> None:
    assert [kind for kind, preset in PRESETS.items() if preset.structured_outputs] == ["vllm"]
    assert [kind for kind, preset in PRESETS.items() if preset.custom_tools] == ["openai"]


@pytest.mark.parametrize("kind", ["llamacpp", "lmstudio"])
def test_a_named_function_is_sent_alone_to_backends_that_ignore_the_name(kind: Kind) -> None:
    tools = [*TOOLS, {"type": "function", "name": "g"}]
    asked_for = {"tools": tools, "tool_choice": {"type": "function", "name": "g"}}
    asked = chat(asked_for, PRESETS[kind])
    assert asked["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["g"]


def test_options_of_the_prompt_cache_are_sent_with_their_defaults() -> None:
    options = {"prompt_cache_options": {"mode": "explicit"}}
    assert chat(options)["prompt_cache_options"] == {"mode": "explicit", "ttl": "30m"}
    assert chat(options, BARE) == {}
