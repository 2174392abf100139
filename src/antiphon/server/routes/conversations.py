"""Routes of conversations."""

from starlette.requests import Request
from starlette.responses import Response

from antiphon.decode import bodies
from antiphon.decode.explain import wrong_prefix
from antiphon.server.describe.operation import INCLUDE, PAGE, ApiRoute, Operation
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.requests import (
    context_of,
    decoded_body,
    dialect,
    include_of,
    owner_of,
    page_query,
    path_id,
)
from antiphon.server.edge.state import store_of
from antiphon.service.conversations import Conversations
from antiphon.wire.conversations import (
    CONVERSATION_PREFIX,
    Conversation,
    CreateConversation,
    CreateItems,
    DeletedConversation,
    DeletedConversationItem,
    UpdateConversation,
)
from antiphon.wire.items import Item
from antiphon.wire.lists import Page

_UPDATE_BODY = bodies.BodyDecoder(UpdateConversation)


async def create(request: Request) -> Response:
    """Create a conversation; the body may be empty."""
    body = await decoded_body(request, bodies.create_conversation, default=b"{}")
    return json_answer(await _conversations(request).create(context_of(request), body))


async def get(request: Request) -> Response:
    """Get a conversation."""
    return json_answer(await _conversations(request).get(owner_of(request), _id(request)))


async def update(request: Request) -> Response:
    """Update a conversation."""
    body = await decoded_body(request, _UPDATE_BODY)
    return json_answer(await _conversations(request).update(owner_of(request), _id(request), body))


async def delete(request: Request) -> Response:
    """Delete a conversation."""
    return json_answer(await _conversations(request).delete(owner_of(request), _id(request)))


async def create_items(request: Request) -> Response:
    """Add items to a conversation."""
    include = include_of(request)
    body = await decoded_body(request, bodies.create_items)
    conversations, context = _conversations(request), context_of(request)
    return json_answer(await conversations.add_items(context, _id(request), body, include))


async def list_items(request: Request) -> Response:
    """List the items of a conversation."""
    conversations, owner, query = _conversations(request), owner_of(request), page_query(request)
    return json_answer(await conversations.list_items(owner, _id(request), query, include_of(request)))


async def get_item(request: Request) -> Response:
    """Get an item of a conversation."""
    conversations, item_id = _conversations(request), path_id(request, "item_id")
    include = include_of(request)
    return json_answer(await conversations.get_item(owner_of(request), _id(request), item_id, include))


async def delete_item(request: Request) -> Response:
    """Remove an item from a conversation."""
    conversations, item_id = _conversations(request), path_id(request, "item_id")
    conversation = await conversations.delete_item(owner_of(request), _id(request), item_id)
    is_about_item = dialect(request).confirms_deleted_item
    return json_answer(DeletedConversationItem(item_id) if is_about_item else conversation)


_CONVERSATION = "/v1/conversations/{conversation_id}"
_ITEMS = _CONVERSATION + "/items"
_ITEM = _ITEMS + "/{item_id}"

routes = [
    ApiRoute(
        "POST",
        "/v1/conversations",
        create,
        Operation("Create a conversation", Conversation, CreateConversation),
    ),
    ApiRoute("GET", _CONVERSATION, get, Operation("Get a conversation", Conversation)),
    ApiRoute(
        "POST", _CONVERSATION, update, Operation("Update a conversation", Conversation, UpdateConversation)
    ),
    ApiRoute("DELETE", _CONVERSATION, delete, Operation("Delete a conversation", DeletedConversation)),
    ApiRoute(
        "POST",
        _ITEMS,
        create_items,
        Operation("Add items to a conversation", Page[Item], CreateItems, query=INCLUDE),
    ),
    ApiRoute(
        "GET",
        _ITEMS,
        list_items,
        Operation("List the items of a conversation", Page[Item], query=PAGE | INCLUDE),
    ),
    ApiRoute("GET", _ITEM, get_item, Operation("Get an item", Item, query=INCLUDE)),
    ApiRoute("DELETE", _ITEM, delete_item, Operation("Delete an item", Conversation)),
]


def _conversations(request: Request) -> Conversations:
    return Conversations(store_of(request))


def _id(request: Request) -> str:
    name = "conversation_id"
    conversation_id = path_id(request, name)
    if not conversation_id.startswith(CONVERSATION_PREFIX):
        raise wrong_prefix(name, conversation_id, CONVERSATION_PREFIX)
    return conversation_id
