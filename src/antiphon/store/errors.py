"""What the store refuses, in the API's own words (`wire.md` 4).

InvalidRequest
├── PreviousResponseNotFound       400  a response of the chain is unknown, deleted or somebody else's
├── ItemAlreadyInConversation      400  the item is in the conversation, or was named twice
├── DuplicateItem                  400  the id belongs to an item that says something else
├── NotLatestVersion               400  a change of a prompt is based on a version that is not its latest
└── KeyNameTaken                   400  another API key has this name
NotFound
├── ConversationNotFound           404  unknown, deleted or somebody else's
├── ItemNotFound                   404  an id stands for a stored item that is not there
├── CursorNotFound                 404  `after` or `before` names nothing in this list
├── FileNotStored                  404  the file is unknown, deleted, expired or somebody else's
├── VectorStoreNotFound            404  the vector store is unknown, deleted or somebody else's
├── AttachedFileNotFound           404  the file is not in the vector store
├── FileBatchNotFound              404  the vector store has no such batch
└── PromptNotFound                 404  the prompt, or this version of it, is unknown, deleted or another's
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


class KeyNameTaken(InvalidRequest):
    """Another API key has this name."""

    param = "name"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a key named '{name}' already.")


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
    """A cursor names nothing in this list (recorded for `after`, also where the item was deleted)."""

    def __init__(self, cursor: str, param: str = "after") -> None:
        super().__init__(f"No item found with id '{cursor}'", param=param)


class FileNotStored(NotFound):
    """The file is unknown, deleted, expired or somebody else's."""

    param = "id"

    def __init__(self, file_id: str) -> None:
        super().__init__(f"No such File object: {file_id}")


class VectorStoreNotFound(NotFound):
    """The vector store is unknown, deleted or somebody else's."""

    def __init__(self, vector_store_id: str) -> None:
        super().__init__(f"Vector store with id '{vector_store_id}' not found.")


class AttachedFileNotFound(NotFound):
    """The file is not in the vector store."""

    def __init__(self, file_id: str, vector_store_id: str) -> None:
        super().__init__(f"No file found with id '{file_id}' in vector store '{vector_store_id}'.")


class FileBatchNotFound(NotFound):
    """The vector store has no such batch."""

    def __init__(self, batch_id: str, vector_store_id: str) -> None:
        super().__init__(f"No file batch found with id '{batch_id}' in vector store '{vector_store_id}'.")


class PromptNotFound(NotFound):
    """The prompt is unknown, deleted or somebody else's, or it has no such version."""

    def __init__(self, prompt_id: str, version: int | str | None = None) -> None:
        named = f"'{prompt_id}'" if version is None else f"'{prompt_id}' and version '{version}'"
        super().__init__(f"Prompt with id {named} not found.")


class NotLatestVersion(InvalidRequest):
    """A new version of a prompt is based on one that is not its latest any more."""

    code = "not_latest_version"
    param = "version"

    def __init__(self, prompt_id: str, version: int, latest: int) -> None:
        super().__init__(
            f"Version {version} is not the latest one of the prompt '{prompt_id}', which is {latest}."
        )
