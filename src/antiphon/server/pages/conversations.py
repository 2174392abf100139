"""Pages of conversations."""

import msgspec
from starlette.requests import Request

from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.requests import owner_of, path_id
from antiphon.server.edge.state import store_of
from antiphon.server.pages.frame import Shown, page
from antiphon.server.pages.lists import first_of, next_of, query_of
from antiphon.service.conversations import Conversations
from antiphon.service.items import decode_item
from antiphon.store.responses.overview import ConversationLine
from antiphon.viewer.items import words
from antiphon.viewer.views import ConversationSummary, ConversationsView, ConversationView
from antiphon.wire.responses import Metadata

_MOST_RESPONSES = 20

_decode_metadata = msgspec.json.Decoder(Metadata).decode


async def conversations(request: Request) -> Shown:
    """Show the list of conversations."""
    found = await store_of(request).overview.conversations(owner_of(request), query_of(request))
    last_id = found.lines[-1].id if found.lines else None
    view = ConversationsView(
        data=[_summary(line) for line in found.lines],
        next=next_of(request, last_id, has_more=found.has_more),
        first=first_of(request),
    )
    return Shown("Conversations", view)


async def conversation(request: Request) -> Shown:
    """Show a conversation with a page of its items."""
    owner, conversation_id = owner_of(request), path_id(request, "conversation_id")
    use_cases, store = Conversations(store_of(request)), store_of(request)
    found = await use_cases.get(owner, conversation_id)
    items = await use_cases.list_items(owner, conversation_id, query_of(request))
    view = ConversationView(
        conversation=found,
        items=items.data[::-1],  # The latest items, in their order.
        responses=await store.overview.responses_of(owner, conversation_id, _MOST_RESPONSES),
        next=next_of(request, items.last_id, has_more=items.has_more),
        first=first_of(request),
    )
    return Shown(f"Conversation {conversation_id}", view)


def _summary(line: ConversationLine) -> ConversationSummary:
    return ConversationSummary(
        id=line.id,
        created_at=line.created_at,
        item_count=line.item_count,
        words="" if line.first_item is None else words(decode_item(line.first_item)),
        metadata=_decode_metadata(line.metadata),
    )


routes = [
    *page(f"{PAGES}/conversations", "conversations.html", conversations),
    *page(f"{PAGES}/conversations/{{conversation_id}}", "conversation.html", conversation),
]
