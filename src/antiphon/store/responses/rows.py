"""Records of responses, items and conversations.

Every `body` is JSON text, and times are seconds since 1970.
"""

from typing import Literal

from msgspec import Struct


class NewItem(Struct, frozen=True):
    """An item to store."""

    id: str
    """The ID of the item."""
    kind: str
    """The `type` of the item."""
    body: str
    """The item."""


class StoredItem(Struct, frozen=True):
    """A stored item."""

    id: str
    """The ID of the item."""
    body: str
    """The item."""


class ItemPage(Struct, frozen=True):
    """A page of a list of items."""

    items: list[StoredItem]
    """The items of the page."""
    has_more: bool
    """Whether there are more items after the page."""


class NewResponse(Struct, frozen=True, kw_only=True):
    """A response when it begins."""

    id: str
    """The ID of the response."""
    created_at: float
    """The time of creation; its fractions order the responses of one second."""
    model: str
    """The model of the request."""
    body: str
    """The response without `output`."""
    input_new: list[NewItem]
    """The input items that aren't stored yet."""
    input_ids: list[str]
    """The IDs of all input items in order, new and stored."""
    previous_response_id: str | None = None
    """The response that this one continues."""
    conversation_id: str | None = None
    """The conversation of the response."""
    conversation_position: int | None = None
    """The position that `ConversationRecords.context` returned."""
    key_name: str | None = None
    """The name of the API key."""
    forked_from: str | None = None
    """The response that this one is a fork of."""
    summary: str | None = None
    """The summary for lists, as JSON text; None if responses are not logged."""


class FinishedResponse(Struct, frozen=True, kw_only=True):
    """A response when it ends."""

    id: str
    """The ID of the response."""
    status: Literal["completed", "failed", "incomplete", "cancelled"]
    """The final status."""
    completed_at: float | None
    """The time of completion, if the response completed."""
    body: str
    """The final response without `output`."""
    output: list[NewItem]
    """The output items in order."""
    log: "ResponseLog | None" = None
    """The log of the response; None if responses are not logged."""


class ResponseLog(Struct, frozen=True):
    """The log of a response that has ended; texts are JSON (see `wire.log`)."""

    summary: str
    """The summary for lists."""
    steps: str
    """The steps."""
    tools: list[str]
    """The names of the tools that the response called, each once."""
    is_searchable: bool
    """Whether the full-text search finds the response."""


class StoredResponse(Struct, frozen=True, kw_only=True):
    """A stored response, finished or in progress."""

    id: str
    """The ID of the response."""
    status: str
    """The current status."""
    created_at: float
    """The time of creation."""
    completed_at: float | None
    """The time of completion, if the response completed."""
    model: str
    """The model of the request."""
    previous_response_id: str | None
    """The response that this one continues."""
    conversation_id: str | None
    """The conversation of the response."""
    body: str
    """The response without `output`."""
    output: list[str]
    """The bodies of the output items in order."""


class ResponsePage(Struct, frozen=True):
    """A page of a list of responses."""

    responses: list[StoredResponse]
    """The responses of the page."""
    has_more: bool
    """Whether there are more responses after the page."""


class History(Struct, frozen=True):
    """The context that a response passes on to one that continues it."""

    status: str
    """The status of the response."""
    bodies: list[str]
    """The items of the context, oldest first."""


class NewConversation(Struct, frozen=True, kw_only=True):
    """A conversation to store."""

    id: str
    """The ID of the conversation."""
    created_at: float
    """The time of creation."""
    metadata: str
    """The metadata as JSON text."""
    items: list[NewItem]
    """The items that aren't stored yet."""
    item_ids: list[str]
    """The IDs of all items in order, new and stored."""


class StoredConversation(Struct, frozen=True):
    """A stored conversation."""

    id: str
    """The ID of the conversation."""
    created_at: float
    """The time of creation."""
    metadata: str
    """The metadata as JSON text."""


class ConversationContext(Struct, frozen=True):
    """The items of a conversation."""

    bodies: list[str]
    """The items, oldest first."""
    next_position: int
    """The position of the next item."""
