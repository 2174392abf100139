"""The context of a response: history and input, gathered before any write or call."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TypeGuard

import msgspec
from msgspec import Struct, UnsetType

from antiphon.engine.behavior import Behavior
from antiphon.engine.client.pairs import answered_id, called_id
from antiphon.engine.hosted.items import client_forms
from antiphon.engine.request_context import Ids, RequestContext
from antiphon.engine.slices import in_slices, mapped
from antiphon.errors import InvalidRequest
from antiphon.ids import LONG, SHORT
from antiphon.service.items import decode_item, encode_item, item_kind, message_of, new_item, normal_form
from antiphon.store import Store
from antiphon.store.errors import DuplicateItem, ItemNotFound
from antiphon.store.responses.rows import NewItem
from antiphon.tools.file_search.items import as_knowledge_search
from antiphon.tools.mcp.approvals import check_approvals
from antiphon.wire.items import ITEM_PREFIXES, CompactionTrigger, InputItem, Item, ItemReference, Message
from antiphon.wire.responses import CreateResponse


class Turn(Struct, frozen=True):
    """A completed or incomplete response, and the context that a follow-up has."""

    response_id: str
    """Id of the response."""
    items: list[Item]
    """The context, oldest item first."""


class Context(Struct, frozen=True, kw_only=True):
    """The context of a request: its history and its input."""

    history: list[Item]
    """The items of earlier responses or of the conversation, oldest first."""
    input: list[Item]
    """The items of the request, with references resolved."""
    has_input_items: bool
    """Whether the input of the request is a list of items, rather than a text."""
    new_items: list[NewItem]
    """The items of `input` to be stored; none if the response is not stored."""
    conversation_position: int | None = None
    """The position of the first new item in the conversation; None without one."""

    def for_model(self, behavior: Behavior) -> list[Item]:
        """Return the items that the model receives, oldest first."""
        given = self.input
        if behavior.drops_repeated_messages and self.has_input_items:
            given = _without_repeated(self.history, given)
        items = self.history + given
        if behavior.file_search_function == "knowledge_search":
            items = as_knowledge_search(items)
        return items

    @property
    def input_ids(self) -> list[str]:
        """The ids of the items of the request."""
        return [str(item.id) for item in self.input]


async def gather(
    store: Store, context: RequestContext, request: CreateResponse, latest: Turn | None = None
) -> Context:
    """Return the context of a request: the items it continues, and its input.

    Args:
        store: The database.
        context: The context of the request.
        request: The request.
        latest: A response that the request may continue even if it isn't stored.

    Raises:
        InvalidRequest: The previous response doesn't exist or is in progress, an item occurs twice, or an
            answer to an approval request would have no effect.
        NotFound: The conversation or a referenced item doesn't exist.
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
        history = await mapped(decode_item, found.bodies)
    elif request.conversation is not None:
        conversation = await store.conversations.context(context.owner, conversation_id(request))
        history = await mapped(decode_item, conversation.bodies)
        position = conversation.next_position
    items: list[Item] = []
    new_items: list[NewItem] = []
    if isinstance(request.input, list):
        items, new = await resolve_items(store, context, request.input)
        if history and (repeated := _repeated_outputs(history, items)):
            items = [item for item in items if item.id not in repeated]
            new = [item for item in new if item.id not in repeated]
        _check_repeats({str(item.id) for item in history}, items)
        check_approvals(items, [*history, *items], request.tools or ())
        new_items = await mapped(new_item, new) if request.store is not False else []
    elif request.input is not None:
        message = message_of(request.input, context.ids)
        items, new_items = [message], [new_item(message)] if request.store is not False else []
    return Context(
        history=history,
        input=items,
        has_input_items=isinstance(request.input, list),
        new_items=new_items,
        conversation_position=position,
    )


def _repeated_outputs(history: list[Item], given: list[Item]) -> set[str | UnsetType | None]:
    """Return the ids of outputs that equal an output of the history and answer no later call."""
    if all(isinstance(item, Message) or answered_id(item) is None for item in given):
        return set()
    unanswered, outputs = Counter[str](), defaultdict[str, list[Item]](list)
    repeated: set[str | UnsetType | None] = set()
    for position, item in enumerate([*history, *given]):
        if (call_id := called_id(item)) is not None:
            unanswered[call_id] += 1
        elif (call_id := answered_id(item)) is not None:
            earlier = outputs[call_id]
            if unanswered[call_id] > 0 or position < len(history):
                unanswered[call_id] -= 1
                earlier.append(item)
            elif any(type(each) is type(item) and _content(each) == _content(item) for each in earlier):
                repeated.add(item.id)
    return repeated


def _content(output: Item) -> object:
    """Return what an output says."""
    return getattr(output, "output", None) or getattr(output, "tools", None)


def _without_repeated(history: list[Item], given: list[Item]) -> list[Item]:
    """Return the items without user messages that equal the last one of the history."""
    said = next((item.content for item in reversed(history) if _is_users(item)), None)
    return [item for item in given if not (_is_users(item) and item.content == said)]


def _is_users(item: Item) -> TypeGuard[Message]:
    return isinstance(item, Message) and item.role == "user"


def conversation_id(request: CreateResponse) -> str:
    """Return the id of the conversation that a request names in either form."""
    conversation = request.conversation
    assert conversation is not None
    return conversation if isinstance(conversation, str) else conversation.id


async def resolve_items(
    store: Store, context: RequestContext, given: list[InputItem], *, for_conversation: bool = False
) -> tuple[list[Item], list[Item]]:
    """Normalize the items of a request, and replace references by stored items.

    For a conversation, the id of a stored item selects that item, regardless of the other fields in the
    request, as at api.openai.com. For a response, the model must receive the request's content: an item that
    differs from the stored item with its id becomes a new item with a new id. An item that only lacks the
    fields that `include` hid from the client is the stored one.

    Returns:
        All items in order, and the new ones among them.

    Raises:
        ItemNotFound: A referenced item doesn't exist.
        DuplicateItem: Two new items have the same id.
    """
    stored = await store.items.find(context.owner, [item.id for item in given if isinstance(item.id, str)])
    items: list[Item] = []
    new: list[Item] = []

    def resolve(some: Sequence[InputItem]) -> None:
        for item in some:
            known = stored.get(item.id) if isinstance(item.id, str) else None
            resolved, is_new = _resolved(item, known, context.ids, for_conversation)
            items.append(resolved)
            if is_new:
                new.append(resolved)

    await in_slices(resolve, given)
    _check_repeats(set(), new)
    return items, new


def _resolved(item: InputItem, known: str | None, ids: Ids, for_conversation: bool) -> tuple[Item, bool]:
    """Return an item as it is stored, and whether it is new; `known` is the stored item with its id."""
    if isinstance(item, ItemReference | CompactionTrigger):
        if known is None:
            raise ItemNotFound(str(item.id))
        return decode_item(known), False
    if known is not None and for_conversation:
        return decode_item(known), False
    normal = normal_form(item, ids, SHORT if for_conversation else LONG)
    if known is None or known == encode_item(normal):
        return normal, known is None
    stored = decode_item(known)
    if normal in client_forms(stored):
        return stored, False  # It has the fields that `include` hid from the client.
    return msgspec.structs.replace(normal, id=ids(ITEM_PREFIXES[item_kind(normal)])), True


def _check_repeats(seen: set[str], items: Sequence[Item]) -> None:
    for item in items:
        item_id = str(item.id)
        if item_id in seen:
            raise DuplicateItem(item_id)
        seen.add(item_id)
