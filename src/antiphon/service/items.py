"""Conversion of items between the wire, the engine and the store."""

from collections.abc import Callable, Container, Sequence

import msgspec
from msgspec import UNSET

from antiphon.engine.hosted.items import for_client
from antiphon.engine.request_context import Ids
from antiphon.engine.slices import in_slices
from antiphon.ids import LONG
from antiphon.service.pages import page_of
from antiphon.store.responses.rows import ItemPage, NewItem
from antiphon.wire.content import (
    ContentPart,
    InputFile,
    InputImage,
    InputText,
    OutputText,
)
from antiphon.wire.items import (
    ITEM_PREFIXES,
    ComputerCallOutput,
    CustomToolCallOutput,
    FunctionCallOutput,
    InputItem,
    Item,
    LocalShellCallOutput,
    Message,
)
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
"""Fields that requests may omit and that returned items always have, by item type.

https://platform.openai.com/docs/api-reference/responses
"""

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
"""Fields that api.openai.com returns as null; other fields without a value are absent."""


def item_kind(item: Item) -> str:
    """Return the item's `type` on the wire."""
    return str(item.__struct_config__.tag)


def normal_form(item: Item, ids: Ids, id_size: int = LONG) -> Item:
    """Return an input item in the form in which the API returns it later.

    That form has an id and a status, and its content is a list of parts. Clients that serialize their own
    objects send null for absent fields; such a null counts as absent.

    Args:
        item: The item of a request.
        ids: Generates the id of an item without one.
        id_size: Number of random bytes in that id.
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
    names_call = isinstance(item, LocalShellCallOutput) and item.id and not item.call_id
    if names_call and not str(item.id).startswith(ITEM_PREFIXES[kind]):
        # OpenAI's types have no `call_id` here, and the ID of the call as `id`.
        changes |= {"call_id": item.id, "id": ids(ITEM_PREFIXES[kind], id_size)}
    elif not isinstance(item.id, str):
        changes["id"] = ids(ITEM_PREFIXES[kind], id_size)
    if isinstance(item, Message):
        changes["content"] = _parts(item)
    return msgspec.structs.replace(item, **changes) if changes else item


def message_of(text: str, ids: Ids) -> Message:
    """Return the user message for an input that is a string."""
    return Message(id=ids("msg"), status="completed", content=[InputText(text)], role="user")


def encode_item(item: Item) -> str:
    """Return the JSON text of an item."""
    return _encoder.encode(item).decode()


def decode_item(body: str) -> Item:
    """Return the item of a stored JSON text."""
    return _decoder.decode(body)


def new_item(item: Item) -> NewItem:
    """Return the row for an item, which must have an id."""
    return NewItem(str(item.id), item_kind(item), encode_item(item))


def shown_item(body: str, include: Container[str]) -> Item:
    """Return a stored item as clients receive it with this `include`."""
    return shown_attachments(for_client(decode_item(body), include))


def item_page(page: ItemPage, include: Container[str]) -> Page[Item]:
    """Return a page of stored items as clients receive it with this `include`."""
    items = [shown_item(stored.body, include) for stored in page.items]
    return page_of(items, [stored.id for stored in page.items], has_more=page.has_more)


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
    """Return an item without the content that was downloaded from its `file_url`."""
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
    if isinstance(item, ComputerCallOutput):
        return "output", (item.output,)
    return "", ()


async def visit_parts(
    items: Sequence[InputItem], place: str | None, visit: Callable[[ContentPart, str], None]
) -> None:
    """Call `visit` with every content part of items and its path; without `place` the path is `input`.

    The items are visited in slices.
    """

    def work(positions: Sequence[int]) -> None:
        for position in positions:
            name, parts = content_parts(items[position])
            for index, part in enumerate(parts):
                path = name if isinstance(items[position], ComputerCallOutput) else f"{name}[{index}]"
                visit(part, f"{place}[{position}].{path}" if place else "input")

    await in_slices(work, range(len(items)))
