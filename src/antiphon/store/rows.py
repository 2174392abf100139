"""What goes into the store and what comes out. Every `body` is a JSON text; times are seconds since 1970."""

from typing import Literal

from msgspec import Struct


class NewItem(Struct, frozen=True):
    """An item that is not stored yet; `kind` is its `type`."""

    id: str
    kind: str
    body: str


class StoredItem(Struct, frozen=True):
    id: str
    body: str


class ItemPage(Struct, frozen=True):
    items: list[StoredItem]
    has_more: bool


class NewResponse(Struct, frozen=True, kw_only=True):
    """A response at its start.

    `input_ids` names all input items in order: those of `input_new` and any that are stored already.
    `conversation_position` is what `ConversationRecords.context` returned. `body` has no `output`.
    Fractions of `created_at` order the responses of one second.
    """

    id: str
    created_at: float
    model: str
    body: str
    input_new: list[NewItem]
    input_ids: list[str]
    previous_response_id: str | None = None
    conversation_id: str | None = None
    conversation_position: int | None = None


class FinishedResponse(Struct, frozen=True, kw_only=True):
    """A response at its end: its final `body`, again without `output`, and its output items in order."""

    id: str
    status: Literal["completed", "failed", "incomplete", "cancelled"]
    completed_at: float | None
    body: str
    output: list[NewItem]


class StoredResponse(Struct, frozen=True, kw_only=True):
    """A response as it stands; `output` holds the bodies of its output items, in order."""

    id: str
    status: str
    created_at: float
    completed_at: float | None
    model: str
    previous_response_id: str | None
    conversation_id: str | None
    body: str
    output: list[str]


class ResponsePage(Struct, frozen=True):
    responses: list[StoredResponse]
    has_more: bool


class History(Struct, frozen=True):
    """The items that a follow-up of a response sees, oldest first, and the status of that response."""

    status: str
    bodies: list[str]


class NewConversation(Struct, frozen=True, kw_only=True):
    """A conversation; `metadata` is a JSON text, and `item_ids` names all items, new and stored, in order."""

    id: str
    created_at: float
    metadata: str
    items: list[NewItem]
    item_ids: list[str]


class StoredConversation(Struct, frozen=True):
    id: str
    created_at: float
    metadata: str


class ConversationContext(Struct, frozen=True):
    """A conversation's items, oldest first, and the position that the next item will have."""

    bodies: list[str]
    next_position: int
