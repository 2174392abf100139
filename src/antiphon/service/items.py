"""Items between the wire, the engine and the store."""

from collections.abc import Container, Sequence

import msgspec
from msgspec import UNSET

from antiphon.engine.hosted.items import for_client
from antiphon.engine.request_context import Ids
from antiphon.ids import ITEM_PREFIXES, LONG
from antiphon.store.rows import ItemPage, NewItem
from antiphon.wire.content import ContentPart, InputFile, InputImage, InputText, OutputText
from antiphon.wire.items import CustomToolCallOutput, FunctionCallOutput, InputItem, Item, Message
from antiphon.wire.lists import Page

_decoder: msgspec.json.Decoder[Item] = msgspec.json.Decoder(Item)
_encoder = msgspec.json.Encoder()

_COMPLETED: dict[str, object] = {"status": "completed"}
_DEFAULTS: dict[str, dict[str, object]] = {
    "message": _COMPLETED,
    "function_call": _COMPLETED,
    "function_call_output": _COMPLETED,
    "custom_tool_call": _COMPLETED,
    "custom_tool_call_output": _COMPLETED,
    "computer_call_output": _COMPLETED,
    "shell_call": {"status": "completed", "environment": None},
    "shell_call_output": {"status": "completed", "max_output_length": None},
    "tool_search_call": {"status": "completed", "execution": "server"},
    "tool_search_output": {"status": "completed", "execution": "server"},
}
"""What items always show, though a request may leave it out (OpenAI's description)."""

_SHOWN_AS_NULL = frozenset(
    {
        "approval_request_id",
        "call_id",
        "code",
        "environment",
        "error",
        "max_output_length",
        "output",
        "outputs",
        "result",
        "results",
    }
)
"""Keys of items that api.openai.com shows as null; the others are absent where they have no value."""


def item_kind(item: Item) -> str:
    """Returns the item's `type` on the wire."""
    return str(item.__struct_config__.tag)


def normal_form(item: Item, ids: Ids, id_size: int = LONG) -> Item:
    """Returns an input item as the API shows it later: with id and status, its content as parts.

    Clients that dump their own objects send null for whatever was not there: that is the same as absent.
    """
    kind = item_kind(item)
    changes: dict[str, object] = {
        name: UNSET
        for name in item.__struct_fields__
        if name not in _SHOWN_AS_NULL and getattr(item, name) is None
    }
    for name, value in _DEFAULTS.get(kind, {}).items():
        if getattr(item, name) in (None, UNSET):
            changes[name] = value
    if not isinstance(item.id, str):
        changes["id"] = ids(ITEM_PREFIXES[kind], id_size)
    if isinstance(item, Message):
        changes["content"] = _parts(item)
    return msgspec.structs.replace(item, **changes) if changes else item


def message_of(text: str, ids: Ids) -> Message:
    """Returns the user message that a string as input stands for."""
    return Message(id=ids("msg"), status="completed", content=[InputText(text)], role="user")


def encode_item(item: Item) -> str:
    """Returns the JSON text of an item."""
    return _encoder.encode(item).decode()


def decode_item(body: str) -> Item:
    """Returns a stored item."""
    return _decoder.decode(body)


def new_item(item: Item) -> NewItem:
    """Returns an item as the store takes it; it must have its id."""
    return NewItem(str(item.id), item_kind(item), encode_item(item))


def shown_item(body: str, include: Container[str]) -> Item:
    """Returns a stored item as a caller sees it who asks for `include`."""
    return shown_attachments(for_client(decode_item(body), include))


def item_page(page: ItemPage, include: Container[str]) -> Page[Item]:
    """Returns a page of stored items as the API shows it."""
    items = [shown_item(stored.body, include) for stored in page.items]
    return Page(
        data=items,
        first_id=page.items[0].id if items else None,
        has_more=page.has_more,
        last_id=page.items[-1].id if items else None,
    )


def _parts(message: Message) -> list[ContentPart]:
    content = message.content
    if isinstance(content, str):
        if message.role == "assistant":
            return [OutputText(annotations=[], logprobs=[], text=content)]
        return [InputText(content)]
    return [_part(part) for part in content]


def _part(part: ContentPart) -> ContentPart:
    if isinstance(part, OutputText):
        return OutputText(annotations=part.annotations or [], logprobs=part.logprobs or [], text=part.text)
    if isinstance(part, InputImage) and not part.detail:
        return msgspec.structs.replace(part, detail="auto")
    return part


def shown_attachments(item: Item) -> Item:
    """Returns an item as the caller sent it: what was downloaded from a `file_url` is not shown."""
    name, parts = content_parts(item)
    if not any(_is_downloaded(part) for part in parts):
        return item
    shown = [
        msgspec.structs.replace(part, file_data=UNSET) if _is_downloaded(part) else part for part in parts
    ]
    return msgspec.structs.replace(item, **{name: shown})


def _is_downloaded(part: ContentPart) -> bool:
    return isinstance(part, InputFile) and bool(part.file_url and part.file_data)


def content_parts(item: InputItem) -> tuple[str, Sequence[ContentPart]]:
    """Return the name of the field of an item that holds content parts, and the parts."""
    if isinstance(item, Message):
        return "content", () if isinstance(item.content, str) else item.content
    if isinstance(item, FunctionCallOutput | CustomToolCallOutput):
        return "output", () if isinstance(item.output, str) else item.output
    return "", ()
