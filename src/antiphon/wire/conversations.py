"""Conversations and the requests that change them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from antiphon.wire.items import InputItem
from antiphon.wire.responses import Metadata

CONVERSATION_PREFIX = "conv"
"""Prefix of the IDs of conversations."""


class Conversation(Struct, kw_only=True):
    """Conversation, without its items."""

    id: str
    object: Literal["conversation"] = "conversation"
    created_at: int
    metadata: Metadata


class DeletedConversationItem(Struct):
    """Response to the deletion of an item, for clients of llama-stack."""

    id: str
    object: Literal["conversation.item.deleted"] = "conversation.item.deleted"
    deleted: bool = True


class DeletedConversation(Struct):
    """Response to `DELETE /v1/conversations/{id}`."""

    id: str
    object: Literal["conversation.deleted"] = "conversation.deleted"
    deleted: bool = True


NewItems = Annotated[list[InputItem], Meta(max_length=20)]
"""Items to add to a conversation."""


class CreateConversation(Struct, kw_only=True):
    """Body of `POST /v1/conversations`."""

    metadata: Metadata | None = None
    items: NewItems | None = None


class UpdateConversation(Struct, kw_only=True):
    """Body of `POST /v1/conversations/{id}`.

    `metadata` is required; null clears it.
    """

    metadata: Metadata | None | UnsetType = UNSET


class CreateItems(Struct, kw_only=True):
    """Body of `POST /v1/conversations/{id}/items`."""

    items: NewItems
