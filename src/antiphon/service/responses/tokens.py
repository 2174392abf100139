"""Number of input tokens: the backend's count, or an estimate.

The estimate uses no tokenizer: each model has its own, and most are not published as a library. The estimate
also has to be fast, because compaction needs one for every request. For English prose, source code and tool
schemas it is within 25 % of OpenAI's count; for other input it tends to be high. The rules are:

* Text: one token per 4 ASCII characters, and one per 3 bytes of UTF-8 for other characters. A Chinese
  character is about one token; the estimate for Greek or Russian text is high.
* Messages: 4 tokens each, and 3 before the reply, as in OpenAI's chat format; tool calls: 4 tokens each.
* Tools: 4 tokens each, and their JSON as text. A required output format: its JSON as text.
* Images: 85 tokens with low detail, else 765, which is OpenAI's cost of a square megapixel with high detail
  (https://platform.openai.com/docs/guides/images-vision).
* Files with content: text files as text, others one token per 50 bytes; a page of a PDF is about 50 kB and
  1,000 tokens. Files by id or URL: 1,000 tokens.
* Audio: one token per 1,600 bytes, which is 10 tokens per second of MP3.

The reasoning text of replies counts, although backends may drop it.
"""

from collections.abc import Sequence

import msgspec

from antiphon.engine.ports import HostedTools, ResolvedModel
from antiphon.engine.request.configuration import configured
from antiphon.engine.request.translate import translate
from antiphon.engine.sealed import Sealed
from antiphon.engine.slices import in_slices
from antiphon.wire.chat import ChatContentPart, ChatFile, ChatMessage, ChatTool
from antiphon.wire.items import Item
from antiphon.wire.json import JSON
from antiphon.wire.responses import CreateResponse

_PER_MESSAGE = 4
_PER_CALL = 4
_PER_TOOL = 4
_BEFORE_ANSWER = 3
_IMAGE_LOW = 85
_IMAGE = 765
_NAMED_FILE = 1000
_FILE_BYTES_PER_TOKEN = 50
_AUDIO_BYTES_PER_TOKEN = 1600

_text_of = msgspec.json.Encoder().encode


async def estimate_tokens(
    messages: list[ChatMessage], tools: list[ChatTool] | None = None, response_format: JSON = None
) -> int:
    """Return an estimate of the tokens in a chat request, by the rules of this module."""
    total = _BEFORE_ANSWER

    def add(some: Sequence[ChatMessage]) -> None:
        nonlocal total
        total += sum(map(_message_tokens, some))

    await in_slices(add, messages)
    for tool in tools or ():
        described = tool["custom"] if tool["type"] == "custom" else tool["function"]
        total += _PER_TOOL + _json_tokens(described)
    if response_format:
        total += _json_tokens(response_format)
    return total


def estimate_text_tokens(text: str) -> int:
    """Return an estimate of the tokens in `text`; 0 for an empty text."""
    characters = len(text)
    if text.isascii():
        return (characters + 3) // 4
    size = len(text.encode("utf-8", "surrogatepass"))
    plain = len(text.encode("ascii", "ignore"))
    return (plain + 3) // 4 + (size - plain + 2) // 3


def _message_tokens(message: ChatMessage) -> int:
    total = _PER_MESSAGE
    content = message.get("content")
    if isinstance(content, str):
        total += estimate_text_tokens(content)
    else:
        for part in content or ():
            total += _part_tokens(part)
    for text in (message.get("refusal"), message.get("reasoning"), message.get("reasoning_content")):
        if text:
            total += estimate_text_tokens(text)
    for call in message.get("tool_calls", ()):
        if call["type"] == "custom":
            name, written = call["custom"]["name"], call["custom"]["input"]
        else:
            name, written = call["function"]["name"], call["function"]["arguments"]
        total += _PER_CALL + estimate_text_tokens(name) + estimate_text_tokens(written)
    return total


def _part_tokens(part: ChatContentPart) -> int:
    match part.get("type"):
        case "image_url":
            return _IMAGE_LOW if part["image_url"].get("detail") == "low" else _IMAGE
        case "file":
            return _file_tokens(part["file"])
        case "input_audio":
            return _bytes_of_base64(str(part["input_audio"].get("data", ""))) // _AUDIO_BYTES_PER_TOKEN
        case "refusal":
            return estimate_text_tokens(part["refusal"])
        case _:
            return estimate_text_tokens(part.get("text", ""))


def _file_tokens(file: ChatFile) -> int:
    data = file.get("file_data")
    if not data:
        return _NAMED_FILE
    head, _, encoded = data.rpartition(",")
    size = _bytes_of_base64(encoded)
    return size // 4 if head.startswith("data:text/") else size // _FILE_BYTES_PER_TOKEN


def _bytes_of_base64(encoded: str) -> int:
    return len(encoded) * 3 // 4


def _json_tokens(value: JSON) -> int:
    return estimate_text_tokens(_text_of(value).decode())


async def count_input(
    request: CreateResponse, items: list[Item], model: ResolvedModel, hosted: HostedTools, sealed: Sealed
) -> int:
    """Return the number of input tokens of a request, from the backend if it counts.

    The tools of an MCP server count only if the context contains their list, because counting doesn't call
    the server.

    Args:
        request: The request.
        items: The whole context.
        model: The model of the request.
        hosted: The hosted tools of the request.
        sealed: Decrypts the encrypted content of the items.

    Raises:
        InvalidRequest: No chat backend accepts the request.
    """
    offered = {tool.position: tool.functions() for tool in hosted.tools if tool.setup(items) is None}
    if len(offered) < len(hosted.tools):
        # As before the set-ups of a response: `tool_choice` may name a tool that isn't listed yet.
        offered |= {tool.position: [] for tool in hosted.tools if tool.position not in offered}
        request = msgspec.structs.replace(request, tool_choice=None)
    request = configured(request, items, sealed)
    capabilities = model.chat_model.capabilities
    chat = (await translate(request, items, model.name, capabilities, offered, sealed)).chat_request
    if model.count_tokens is not None:
        counted = await model.count_tokens(chat)
        if counted is not None:
            return counted
    return await estimate_tokens(chat["messages"], chat.get("tools"), chat.get("response_format"))
