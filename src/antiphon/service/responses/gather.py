"""What the model is to see: history and input, gathered before anything is stored or sent."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from antiphon.engine.hosted.items import client_forms
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest
from antiphon.ids import ITEM_PREFIXES, LONG, SHORT
from antiphon.service.items import decode_item, encode_item, item_kind, message_of, new_item, normal_form
from antiphon.store import Store
from antiphon.store.errors import DuplicateItem, ItemNotFound
from antiphon.store.rows import NewItem
from antiphon.tools.mcp.approvals import check_approvals
from antiphon.wire.items import CompactionTrigger, InputItem, Item, ItemReference
from antiphon.wire.responses import CreateResponse


class Turn(Struct, frozen=True):
    """A response that has ended well, and all that a follow-up of it sees, oldest first."""

    response_id: str
    items: list[Item]


class Context(Struct, frozen=True, kw_only=True):
    """All items of a request: `history` from the store, oldest first, then the request's own `input`."""

    history: list[Item]
    input: list[Item]
    new_items: list[NewItem]
    """Those of `input` that are to be stored: none if the response is not."""
    conversation_position: int | None = None

    @property
    def items(self) -> list[Item]:
        return self.history + self.input

    @property
    def input_ids(self) -> list[str]:
        return [str(item.id) for item in self.input]


async def gather(
    store: Store, context: RequestContext, request: CreateResponse, latest: Turn | None = None
) -> Context:
    """Finds what `request` continues and what its references stand for.

    `latest` is a response that the caller may continue though it need not be stored.
    Raises `InvalidRequest` (previous_response_not_found, duplicate items, answers to approval requests that
    would have no effect) and `NotFound` (conversation, referenced item).
    """
    history: list[Item] = []
    position = None
    if latest is not None and request.previous_response_id == latest.response_id:
        history = list(latest.items)
    elif request.previous_response_id is not None:
        found = await store.responses.history(context.owner, request.previous_response_id)
        if found.status in ("in_progress", "queued"):
            raise InvalidRequest(
                f"Previous response with id '{request.previous_response_id}' is still {found.status}.",
                code="previous_response_in_progress",
                param="previous_response_id",
            )
        history = [decode_item(body) for body in found.bodies]
    elif request.conversation is not None:
        conversation = await store.conversations.context(context.owner, conversation_id(request))
        history = [decode_item(body) for body in conversation.bodies]
        position = conversation.next_position
    items: list[Item] = []
    new: list[Item] = []
    if isinstance(request.input, list):
        items, new = await resolve_items(store, context, request.input)
        _check_repeats({str(item.id) for item in history}, items)
        check_approvals(items, [*history, *items], request.tools or ())
    elif request.input is not None:
        items = new = [message_of(request.input, context.ids)]
    new_items = [new_item(item) for item in new] if request.store is not False else []
    return Context(history=history, input=items, new_items=new_items, conversation_position=position)


def conversation_id(request: CreateResponse) -> str:
    """Returns the id of the conversation that a request names, in either form."""
    conversation = request.conversation
    assert conversation is not None
    return conversation if isinstance(conversation, str) else conversation.id


async def resolve_items(
    store: Store, context: RequestContext, given: list[InputItem], *, for_conversation: bool = False
) -> tuple[list[Item], list[Item]]:
    """Brings the items of a request into normal form and puts stored items in the place of references.

    Returns all items in order, and those of them that are new. In a conversation the id of a stored item
    stands for that item, whatever is sent with it (`wire.md` 4.1). For a response the model must see what
    was sent: an item that differs from the stored one of its id is new, and gets an id of its own; one that
    only lacks what was not shown is the stored one.
    """
    stored = await store.items.find(context.owner, [item.id for item in given if isinstance(item.id, str)])
    items: list[Item] = []
    new: list[Item] = []
    for item in given:
        known = stored.get(item.id) if isinstance(item.id, str) else None
        if isinstance(item, ItemReference | CompactionTrigger):
            if known is None:
                raise ItemNotFound(str(item.id))
            items.append(decode_item(known))
            continue
        if known is not None and for_conversation:
            items.append(decode_item(known))
            continue
        normal = normal_form(item, context.ids, SHORT if for_conversation else LONG)
        if known is not None and known != encode_item(normal):
            stored_item = decode_item(known)
            if normal in client_forms(stored_item):
                normal = stored_item  # What was hidden from the caller is known here.
            else:
                normal = msgspec.structs.replace(normal, id=context.ids(ITEM_PREFIXES[item_kind(normal)]))
                known = None
        if known is None:
            new.append(normal)
        items.append(normal)
    _check_repeats(set(), new)
    return items, new


def _check_repeats(seen: set[str], items: Sequence[Item]) -> None:
    for item in items:
        item_id = str(item.id)
        if item_id in seen:
            raise DuplicateItem(item_id)
        seen.add(item_id)
