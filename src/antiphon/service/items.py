"""Items between the wire, the engine and the store."""

import msgspec
from msgspec import UNSET

from antiphon.ids import ITEM_PREFIXES, LONG, new_id
from antiphon.store.rows import ItemPage, NewItem
from antiphon.wire.content import ContentPart, InputImage, InputText, OutputText
from antiphon.wire.items import (
    FunctionCall,
    FunctionCallOutput,
    Item,
    Message,
)
from antiphon.wire.lists import Page

_decoder: msgspec.json.Decoder[Item] = msgspec.json.Decoder(Item)
_encoder = msgspec.json.Encoder()


def item_kind(item: Item) -> str:
    """Returns the item's `type` on the wire."""
    return str(item.__struct_config__.tag)


def normal_form(item: Item, id_size: int = LONG) -> Item:
    """Returns an input item as the API shows it later: with id and status, its content as parts."""
    changes: dict[str, object] = {}
    if not isinstance(item.id, str):
        changes["id"] = new_id(ITEM_PREFIXES[item_kind(item)], id_size)
    if isinstance(item, Message):
        changes["content"] = _parts(item)
        changes["status"] = item.status or "completed"
        if item.phase is None:
            changes["phase"] = UNSET
    elif isinstance(item, FunctionCall | FunctionCallOutput):
        changes["status"] = item.status or "completed"
        changes.update({name: UNSET for name in ("namespace", "caller") if getattr(item, name) is None})
    elif getattr(item, "status", "") is None:
        changes["status"] = UNSET
    return msgspec.structs.replace(item, **changes) if changes else item


def message_of(text: str) -> Message:
    """Returns the user message that a string as input stands for."""
    return Message(id=new_id("msg"), status="completed", content=[InputText(text)], role="user")


def encode_item(item: Item) -> str:
    """Returns the JSON text of an item."""
    return _encoder.encode(item).decode()


def decode_item(body: str) -> Item:
    """Returns a stored item."""
    return _decoder.decode(body)


def new_item(item: Item) -> NewItem:
    """Returns an item as the store takes it; it must have its id."""
    return NewItem(str(item.id), item_kind(item), encode_item(item))


def item_page(page: ItemPage) -> Page[Item]:
    """Returns a page of stored items as the API shows it."""
    items = [decode_item(stored.body) for stored in page.items]
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
