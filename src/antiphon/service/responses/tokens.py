"""An estimate of how many tokens a model reads, for backends that cannot count.

No tokenizer is asked: each model has its own, most are not published as a library, and an estimate has to be
quick, because compaction makes one for every request. It is meant to be within a quarter of OpenAI's count
for English prose, source code and tool schemas, and to err to the high side elsewhere. What is counted:

* text: one token for 4 ASCII characters, and one for 3 bytes of UTF-8 of all others (a Chinese character is
  about one token; Greek or Russian text comes out high);
* 4 tokens around each message and 3 before the answer, as in OpenAI's chat format; 4 around each tool call;
* tools: their JSON as text, and 4 around each; a forced output format: its JSON as text;
* an image: 85 tokens at low detail, else 765 (a square megapixel at high detail by OpenAI's tile rule);
* a file that goes to the model as it is: its text if it is text, else one token for 50 bytes (a page of a PDF
  is about 50 kB and 1,000 tokens); a file that is only named: 1,000;
* audio: one token for 1,600 bytes (10 tokens for a second of MP3).

That a reply holds the text of its own reasoning is counted; that a backend keeps or drops it is not known.
"""

import msgspec

from antiphon.engine.ports import HostedTools, ResolvedModel
from antiphon.engine.request.translate import translate
from antiphon.engine.sealed import Sealed
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


def estimate_tokens(
    messages: list[ChatMessage], tools: list[ChatTool] | None = None, response_format: JSON = None
) -> int:
    """Returns about how many tokens a chat request is for a model; see the top of this module."""
    total = _BEFORE_ANSWER
    for message in messages:
        total += _message_tokens(message)
    for tool in tools or ():
        described = tool["custom"] if tool["type"] == "custom" else tool["function"]
        total += _PER_TOOL + _json_tokens(described)
    if response_format:
        total += _json_tokens(response_format)
    return total


def estimate_text_tokens(text: str) -> int:
    """Returns about how many tokens `text` is; 0 for no text."""
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
    """Returns how many tokens a request is, whose whole context is `items`; `sealed` opens those among them.

    The backend says so where it can, else it is an estimate. The tools of MCP servers count only if the
    context has a list of them: nothing is asked of the servers. Raises `InvalidRequest` for a request that
    no backend can be given.
    """
    offered = {tool.position: tool.functions() for tool in hosted.tools if tool.setup(items) is None}
    if len(offered) < len(hosted.tools):
        # As before the set-ups of a response: what is chosen may be a tool that is not known yet.
        offered |= {tool.position: [] for tool in hosted.tools if tool.position not in offered}
        request = msgspec.structs.replace(request, tool_choice=None)
    capabilities = model.chat_model.capabilities
    chat = translate(request, items, model.name, capabilities, offered, sealed).chat_request
    if model.count_tokens is not None:
        counted = await model.count_tokens(chat)
        if counted is not None:
            return counted
    return estimate_tokens(chat["messages"], chat.get("tools"), chat.get("response_format"))
