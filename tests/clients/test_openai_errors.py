"""Errors, as the SDK's exceptions show them."""

import pytest
from openai import (
    APIError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    OpenAI,
    RateLimitError,
)

from antiphon.wire.json import JSON, JSONObject
from tests.support.upstream import Upstream, chunk, html, reply, sse


def refused(client: OpenAI, **request: JSON) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(**{"model": "up/m", "input": "Hi", **request})
    error = caught.value
    assert isinstance(error.body, dict)
    assert set(error.body) == {"message", "type", "param", "code"}
    assert error.type == "invalid_request_error"
    return error


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("request_", "param", "code"),
    [
        ({"max_tool_calls": 0}, "max_tool_calls", "integer_below_min_value"),
        ({"temperature": -1}, "temperature", "decimal_below_min_value"),
        ({"max_output_tokens": 1}, "max_output_tokens", "integer_below_min_value"),
        ({"include": ["everything"]}, "include[0]", "invalid_value"),
        (
            {"input": [{"type": "function_call_output", "output": "x"}]},
            "input[0].call_id",
            "missing_required_parameter",
        ),
        ({"tools": [{"type": "code_interpreter"}]}, "tools[0].container", "missing_required_parameter"),
        ({"tools": [{"type": "teleport"}]}, "tools[0].type", "invalid_value"),
        ({"tool_choice": {"type": "function", "name": "f"}}, "tool_choice", None),
        ({"background": True, "store": False}, "store", "invalid_value"),
        ({"previous_response_id": "resp_none"}, "previous_response_id", "previous_response_not_found"),
        ({"input": [{"id": "fc_1", "role": "user", "content": "Hi"}]}, "input[0].id", "invalid_value"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata", "object_above_max_properties"),
    ],
)
def test_bad_requests_name_the_parameter(
    client: OpenAI, request_: JSONObject, param: str, code: str | None, stream: bool
) -> None:
    error = refused(client, stream=stream, **request_)
    assert (error.param, error.code) == (param, code)


def test_calls_and_outputs_must_fit(client: OpenAI) -> None:
    output = {"type": "function_call_output", "call_id": "call_9", "output": "x"}
    text = "No tool call found for function call output with call_id call_9."
    assert text in refused(client, input=[output]).message
    call = {"type": "function_call", "call_id": "call_9", "name": "f", "arguments": "{}"}
    assert "No tool output found for function call call_9." in refused(client, input=[call]).message


def test_an_unknown_model_is_not_found(client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as caught:
        client.responses.create(model="gpt-none/x", input="Hi")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize("stream", [False, True])
def test_a_rate_limit_keeps_retry_after(client: OpenAI, upstream: Upstream, stream: bool) -> None:
    limit = {"error": {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}}
    upstream.script(reply(limit, status=429, Retry_After="30"))
    if stream:
        events = list(client.responses.create(model="up/m", input="Hi", stream=True))
        last = events[-1]
        assert last.type == "response.failed"
        assert last.response.error is not None
        assert last.response.error.code == "rate_limit_exceeded"
        assert "Slow down." in last.response.error.message
        return
    with pytest.raises(RateLimitError) as caught:
        client.responses.create(model="up/m", input="Hi")
    assert caught.value.response.headers["retry-after"] == "30"
    assert caught.value.code == "rate_limit_exceeded"
    assert "Slow down." in caught.value.message


BROKEN = {
    "cut": sse(chunk("Hel"), done=False, end="cut"),
    "unfinished": sse(chunk("Hello")),
    "empty": sse(),
    "html": html("<html>Bad gateway</html>"),
    "error inside": sse(chunk("Hel"), {"error": {"message": "out of memory", "code": 500}}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_upstream_fails_the_response(client: OpenAI, upstream: Upstream, name: str) -> None:
    upstream.script(BROKEN[name])
    with pytest.raises(InternalServerError) as caught:
        client.responses.create(model="up/m", input="Hi")
    assert caught.value.status_code in (502, 504)
    assert caught.value.message
    response = latest(client)
    assert response["status"] == "failed"
    assert response["error"]["code"] == "server_error"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_upstream_raises_in_the_stream(client: OpenAI, upstream: Upstream, name: str) -> None:
    upstream.script(BROKEN[name])
    types: list[str] = []
    with pytest.raises(APIError) as caught:
        types.extend(event.type for event in client.responses.create(model="up/m", input="Hi", stream=True))
    assert types[:2] == ["response.created", "response.in_progress"]
    assert "response.completed" not in types
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"] == "server_error"
    response = latest(client)
    assert response["status"] == "failed"
    assert response["error"]["message"] == caught.value.message


def latest(client: OpenAI) -> JSONObject:
    """Return the response that was stored last."""
    listed: JSON = client.get("/responses", cast_to=object, options={"params": {"limit": 1}})
    response: JSONObject = listed["data"][0]
    return response


def test_the_context_window(client: OpenAI, upstream: Upstream) -> None:
    body = {
        "message": "This model's maximum context length is 8192 tokens.",
        "type": "invalid_request_error",
        "param": "messages",
        "code": "context_length_exceeded",
    }
    upstream.script(reply({"error": body}, status=400))
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="up/m", input="Hi")
    assert caught.value.code == "context_length_exceeded"
