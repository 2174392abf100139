"""Items of responses and conversations as titles and blocks of text."""

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec
from msgspec import UNSET, Struct

from antiphon.viewer.text import excerpt, indented, pretty
from antiphon.wire import content, items
from antiphon.wire.items import Item
from antiphon.wire.json import JSON

BlockKind = Literal["markdown", "code", "text", "image", "note"]

_IMAGES = tuple(f"data:image/{kind};base64," for kind in ("png", "jpeg", "gif", "webp"))
"""Images that a page shows. It loads no others."""
_MOST_PARTS = 200
_TITLES = {
    "user": "User",
    "assistant": "Assistant",
    "system": "System",
    "developer": "Developer",
    "web_search_call": "Web search",
    "file_search_call": "File search",
    "code_interpreter_call": "Code interpreter",
    "mcp_list_tools": "Tools of an MCP server",
    "mcp_approval_request": "Request for approval",
    "mcp_approval_response": "Approval",
    "reasoning": "Reasoning",
    "compaction": "Compaction",
}


class Block(Struct, frozen=True):
    """A part of an item on a page."""

    kind: BlockKind
    text: str
    label: str = ""


def title(item: Item) -> str:
    """Return the title of an item."""
    match item:
        case items.Message():
            return _TITLES[item.role]
        case items.FunctionCall() | items.CustomToolCall():
            return f"Call of {item.name}"
        case items.McpCall():
            return f"Call of {item.name} at {item.server_label}"
        case items.FunctionCallOutput() | items.CustomToolCallOutput():
            return f"Output of {item.call_id}"
        case _:
            kind = str(item.__struct_config__.tag)
            return _TITLES.get(kind, kind.replace("_", " ").capitalize())


def blocks(item: Item) -> list[Block]:
    """Return the content of an item."""
    for kind, convert in _CONVERSIONS:
        if isinstance(item, kind):
            return [block for block in convert(item) if block.text]
    return [_rest(item)]


def words(item: Item) -> str:
    """Return the first words of an item, or an empty text."""
    for block in blocks(item):
        if block.kind in ("markdown", "text", "code"):
            return excerpt(block.text)
    return ""


def tool_of(item: Item) -> str | None:
    """Return the name of the tool that an item calls; None for other items."""
    match item:
        case items.FunctionCall() | items.CustomToolCall() | items.McpCall():
            return item.name
    kind = str(item.__struct_config__.tag)
    return kind.removesuffix("_call") if kind.endswith("_call") else None


def _message(item: items.Message) -> Iterable[Block]:
    if isinstance(item.content, str):
        return [Block("markdown", item.content)]
    return _parts(item.content)


def _parts(parts: Iterable[content.ContentPart]) -> Iterable[Block]:
    for number, part in enumerate(parts):
        if number == _MOST_PARTS:
            yield Block("note", "More parts are in the JSON.")
            return
        match part:
            case content.OutputText():
                yield Block("markdown", part.text)
                for annotation in part.annotations or ():
                    yield Block("note", _annotation(annotation))
            case content.Refusal():
                yield Block("markdown", part.refusal, "refusal")
            case content.InputImage() | content.ComputerScreenshot():
                yield _image(part.image_url or "", part.file_id or "")
            case content.InputFile():
                yield Block("note", f"File {part.filename or part.file_id or part.file_url or ''}")
            case content.InputAudio():
                yield Block("note", "Audio")
            case _:
                yield Block("markdown", part.text)


def _image(url: str, file_id: str) -> Block:
    if url.startswith(_IMAGES):
        return Block("image", url)
    return Block("note", f"Image {excerpt(url) or file_id}")


def _annotation(annotation: content.Annotation) -> str:
    match annotation:
        case content.UrlCitation():
            return f"Cites {annotation.title}: {annotation.url}"
        case content.FileCitation() | content.ContainerFileCitation():
            return f"Cites {annotation.filename or annotation.file_id}"
        case _:
            return f"File {annotation.file_id}"


def _reasoning(item: items.Reasoning) -> Iterable[Block]:
    yield from (Block("markdown", part.text, "summary") for part in item.summary)
    yield from (Block("markdown", part.text) for part in item.content or ())
    if item.encrypted_content:
        yield Block("note", "Encrypted content")


def _function_call(item: items.FunctionCall) -> Iterable[Block]:
    yield Block("code", indented(item.arguments), "arguments")


def _custom_call(item: items.CustomToolCall) -> Iterable[Block]:
    yield Block("code", item.input, "input")


def _output(item: items.FunctionCallOutput | items.CustomToolCallOutput) -> Iterable[Block]:
    if isinstance(item.output, str):
        return [Block("code", indented(item.output))]
    return _parts(item.output)


def _mcp_call(item: items.McpCall) -> Iterable[Block]:
    yield Block("code", indented(item.arguments), "arguments")
    if item.error not in (None, UNSET):
        yield Block("code", pretty(item.error), "error")
    if item.output:
        yield Block("code", indented(item.output), "output")


def _approval(item: items.McpApprovalResponse) -> Iterable[Block]:
    yield Block("note", "Approved" if item.approve else "Denied")
    if item.reason:
        yield Block("text", item.reason, "reason")


def _code(item: items.CodeInterpreterCall) -> Iterable[Block]:
    yield Block("code", item.code or "", "code")
    for output in item.outputs or ():
        if output.get("type") == "image":
            yield _image(str(output.get("url") or ""), "")
        else:
            yield Block("code", _text_of(output), "output")


def _file_search(item: items.FileSearchCall) -> Iterable[Block]:
    yield from (Block("text", query, "query") for query in item.queries)
    yield from (Block("code", pretty(result), "result") for result in item.results or ())


def _text_of(output: JSON) -> str:
    logs = output.get("logs") if isinstance(output, dict) else None
    return logs if isinstance(logs, str) else pretty(output)


def _rest(item: Item) -> Block:
    """Return an item without a form of its own as JSON."""
    fields = msgspec.to_builtins(item)
    return Block("code", pretty({name: fields[name] for name in fields if name not in ("id", "type")}))


_CONVERSIONS: tuple[tuple[type[Item], Callable[[JSON], Iterable[Block]]], ...] = (
    (items.Message, _message),
    (items.Reasoning, _reasoning),
    (items.FunctionCall, _function_call),
    (items.CustomToolCall, _custom_call),
    (items.FunctionCallOutput, _output),
    (items.CustomToolCallOutput, _output),
    (items.McpCall, _mcp_call),
    (items.McpApprovalResponse, _approval),
    (items.CodeInterpreterCall, _code),
    (items.FileSearchCall, _file_search),
)
