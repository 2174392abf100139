"""Asks a backend how many tokens a chat request is.

OpenAI counts at `/v1/responses/input_tokens`, images and files too. vLLM counts messages at `/tokenize`,
beside `/v1`; llama.cpp turns them into text at `/apply-template` and counts that at `/tokenize`. Those two do
not count what an image or a file becomes, so requests with one are left to an estimate. Other kinds have no
such route.
"""

from collections.abc import Awaitable, Callable

from antiphon.models.openai_counting import counted_body
from antiphon.settings.schema import Kind
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSONObject

COUNT_TIMEOUT = 5.0
"""Seconds that counting may take; then the tokens are estimated."""

_SOUND = frozenset({"input_audio"})
_MEDIA = _SOUND | {"image_url", "file"}

Ask = Callable[[str, JSONObject, str], Awaitable[JSONObject]]
"""Sends a request to a path of the backend's server; the answer has a value for a key."""


def can_count(kind: Kind) -> bool:
    """Whether backends of this kind can be asked."""
    return kind in ("openai", "vllm", "llamacpp")


async def count(kind: Kind, ask: Ask, request: ChatRequest) -> int | None:
    """Returns the number of tokens; None if the backend cannot say. Raises what `ask` raises."""
    if not can_count(kind) or _has_parts(request, _SOUND if kind == "openai" else _MEDIA):
        return None
    if kind == "openai":
        counted = (await ask("/v1/responses/input_tokens", counted_body(request), "input_tokens"))[
            "input_tokens"
        ]
        return counted if isinstance(counted, int) else None
    chat: JSONObject = {"model": request["model"], "messages": request["messages"]}
    if "tools" in request:
        chat["tools"] = request["tools"]
    if kind == "vllm":
        counted = (await ask("/tokenize", chat, "count"))["count"]
        return counted if isinstance(counted, int) else None
    # As llama.cpp reads the prompt of a chat itself: with the model's first token, and the template's own.
    text = (await ask("/apply-template", chat, "prompt"))["prompt"]
    body: JSONObject = {"content": text, "add_special": True, "parse_special": True}
    tokens = (await ask("/tokenize", body, "tokens"))["tokens"]
    return len(tokens) if isinstance(tokens, list) else None


def _has_parts(request: ChatRequest, kinds: frozenset[str]) -> bool:
    contents = (message.get("content") for message in request["messages"])
    parts = (part for content in contents if isinstance(content, list) for part in content)
    return any(part.get("type") in kinds for part in parts)
