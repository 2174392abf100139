"""Responses of the small model, streamed or not."""

from openai import OpenAI
from openai.types.responses import Response

from antiphon.wire.json import JSON, JSONObject

MODEL = "llamacpp/small"
QUICK = 16
"""Tokens of a response whose text doesn't matter."""


def ask(
    client: OpenAI, prompt: JSON = "Say hello.", *, tokens: int = QUICK, stream: bool = False, **rest: JSON
) -> Response:
    """Return a response to `prompt` with at most some tokens."""
    request: JSONObject = {"model": MODEL, "input": prompt, "max_output_tokens": tokens, **rest}
    if stream:
        return streamed(client, request)
    response: Response = client.responses.create(**request)
    return response


def streamed(client: OpenAI, request: JSONObject) -> Response:
    """Return a streamed response, complete or incomplete, whose text equals its deltas."""
    deltas: list[str] = []
    with client.responses.create(**request, stream=True) as events:
        for event in events:
            if event.type == "response.output_text.delta":
                deltas.append(event.delta)
            if event.type in ("response.completed", "response.incomplete", "response.failed"):
                final: Response = event.response
    assert "".join(deltas) == final.output_text
    return final
