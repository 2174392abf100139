"""Conversations and the requests that change them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from antiphon.wire.items import InputItem
from antiphon.wire.responses import Metadata


class Conversation(Struct, kw_only=True):
    id: str
    object: Literal["conversation"] = "conversation"
    created_at: int
    metadata: Metadata


class DeletedConversation(Struct):
    id: str
    object: Literal["conversation.deleted"] = "conversation.deleted"
    deleted: bool = True


NewItems = Annotated[list[InputItem], Meta(max_length=20)]


class CreateConversation(Struct, kw_only=True):
    metadata: Metadata | None = None
    items: NewItems | None = None


class UpdateConversation(Struct, kw_only=True):
    """`metadata` must be there; null empties it."""

    metadata: Metadata | None | UnsetType = UNSET


class CreateItems(Struct, kw_only=True):
    items: NewItems
