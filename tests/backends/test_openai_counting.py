"""OpenAI's token counting endpoint receives the same content as the chat request."""

from antiphon.backends.counting import counted_body
from antiphon.wire.chat import ChatRequest
from tests.support.schemas import check_openai

GRAMMAR = {"syntax": "regex", "definition": "[0-9]+"}
CHAT: ChatRequest = {
    "model": "gpt-5",
    "messages": [
        {"role": "system", "content": "Be short."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                {
                    "type": "file",
                    "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
                },
            ],
        },
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                {"id": "call_2", "type": "custom", "custom": {"name": "count", "input": "12"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "a cat"}]},
        {"role": "tool", "tool_call_id": "call_2", "content": "two"},
        {"role": "assistant", "content": "", "tool_calls": []},
    ],
    "tools": [
        {"type": "function", "function": {"name": "look"}},
        {"type": "custom", "custom": {"name": "count", "format": {"type": "grammar", "grammar": GRAMMAR}}},
        {"type": "custom", "custom": {"name": "say"}},
    ],
    "response_format": {"type": "json_schema", "json_schema": {"name": "it", "schema": {"type": "object"}}},
}


def test_a_chat_request_as_openai_counts_it() -> None:
    body = counted_body(CHAT)
    system, user, *rest = body["input"]
    # Several message types of OpenAI's description match this one, but `oneOf` allows only one.
    for part in user["content"]:
        check_openai("InputContent", part)
    check_openai("TokenCountsBody", {**body, "input": rest})
    assert system == {"role": "system", "content": "Be short."}
    assert [part["type"] for part in user["content"]] == ["input_text", "input_image", "input_file"]
    assert rest == [
        {"role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "count", "input": "12"},
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [{"type": "input_text", "text": "a cat"}],
        },
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "two"},
    ]
    assert body["tools"] == [
        {"type": "function", "name": "look", "parameters": None, "strict": False},
        {"type": "custom", "name": "count", "format": {"type": "grammar", **GRAMMAR}},
        {"type": "custom", "name": "say"},
    ]
    assert body["text"] == {"format": {"type": "json_schema", "name": "it", "schema": {"type": "object"}}}


def test_plain_json_as_a_format() -> None:
    chat: ChatRequest = {"model": "m", "messages": [], "response_format": {"type": "json_object"}}
    assert counted_body(chat)["text"] == {"format": {"type": "json_object"}}
