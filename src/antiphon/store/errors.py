"""What the store refuses, in the API's own words (`wire.md` 4).

InvalidRequest
├── PreviousResponseNotFound       400  a response of the chain is unknown, deleted or somebody else's
├── ItemAlreadyInConversation      400  the item is in the conversation, or was named twice
└── DuplicateItem                  400  the id belongs to an item that says something else
NotFound
├── ConversationNotFound           404  unknown, deleted or somebody else's
├── ItemNotFound                   404  an id stands for a stored item that is not there
└── CursorNotFound                 404  `after` names nothing in this list
"""

from antiphon.errors import InvalidRequest, NotFound


class PreviousResponseNotFound(InvalidRequest):
    """A response of the chain is unknown, deleted or somebody else's; `response_id` is the missing one."""

    code = "previous_response_not_found"
    param = "previous_response_id"

    def __init__(self, response_id: str) -> None:
        super().__init__(f"Previous response with id '{response_id}' not found.")
        self.response_id = response_id


class ItemAlreadyInConversation(InvalidRequest):
    """The item is in the conversation already, or one request named it twice."""

    code = "item_already_in_conversation"
    param = "items"

    def __init__(self) -> None:
        super().__init__("Item already in conversation")


class DuplicateItem(InvalidRequest):
    """An id belongs to a stored item, or to another item of the request, that says something else."""

    param = "input"

    def __init__(self, item_id: str) -> None:
        super().__init__(
            f"Duplicate item found with id {item_id}. Remove duplicate items from your input and try again."
        )


class ConversationNotFound(NotFound):
    """The conversation is unknown, deleted or somebody else's."""

    def __init__(self, conversation_id: str) -> None:
        super().__init__(f"Conversation with id '{conversation_id}' not found.")


class ItemNotFound(NotFound):
    """An id stands for a stored item, and there is none (any more)."""

    param = "input"

    def __init__(self, item_id: str) -> None:
        super().__init__(
            f"Item with id '{item_id}' not found. Items are not persisted when `store` is set to false. "
            "Try again with `store` set to true, or remove this item from your input."
        )


class CursorNotFound(NotFound):
    """`after` names nothing in this list (recorded, also for an item that was deleted)."""

    param = "after"

    def __init__(self, after: str) -> None:
        super().__init__(f"No item found with id '{after}'")
