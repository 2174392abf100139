"""Errors of the store, with OpenAI's texts where it has them.

InvalidRequest
├── PreviousResponseNotFound       400  a response of the chain is unknown, deleted or another owner's
├── ItemAlreadyInConversation      400  the item is already in the conversation, or is repeated
├── DuplicateItem                  400  another item with other content has the ID
├── NotLatestVersion               400  a change to a prompt isn't based on its latest version
└── KeyNameTaken                   400  another API key has the name
TooManyContainers                  429  the owner has as many containers as the server allows
NotFound
├── ObjectNotFound                 404  unknown, deleted or another owner's
├── ItemNotFound                   404  no stored item has the ID
├── CursorNotFound                 404  `after` or `before` isn't in the list
├── FileNotStored                  404  unknown, deleted, expired or another owner's
├── AttachedFileNotFound           404  the file isn't in the vector store
├── FileBatchNotFound              404  the vector store has no such batch
└── PromptNotFound                 404  the prompt or version is unknown, deleted or another owner's
"""

from antiphon.errors import AntiphonError, InvalidRequest, NotFound


class PreviousResponseNotFound(InvalidRequest):
    """A response of the chain, `response_id`, is unknown, deleted or another owner's."""

    code = "previous_response_not_found"
    param = "previous_response_id"

    def __init__(self, response_id: str) -> None:
        super().__init__(f"Previous response with id '{response_id}' not found.")
        self.response_id = response_id


class ItemAlreadyInConversation(InvalidRequest):
    """The item is already in the conversation, or is repeated in the request."""

    code = "item_already_in_conversation"
    param = "items"

    def __init__(self) -> None:
        super().__init__("Item already in conversation")


class DuplicateItem(InvalidRequest):
    """Another item, stored or in the request, has the same ID but other content."""

    param = "input"

    def __init__(self, item_id: str) -> None:
        super().__init__(
            f"Duplicate item found with id {item_id}. Remove duplicate items from your input and try again."
        )


class KeyNameTaken(InvalidRequest):
    """Another API key has the name."""

    param = "name"

    def __init__(self, name: str) -> None:
        super().__init__(f"The key name '{name}' is already taken. Use another name.")


class ObjectNotFound(NotFound):
    """The object is unknown, deleted or another owner's."""

    def __init__(self, noun: str, object_id: str) -> None:
        super().__init__(f"{noun} with id '{object_id}' not found.")


class ItemNotFound(NotFound):
    """No stored item has the ID, or it was deleted."""

    param = "input"

    def __init__(self, item_id: str) -> None:
        super().__init__(
            f"Item with id '{item_id}' not found. Items are not persisted when `store` is set to false. "
            "Try again with `store` set to true, or remove this item from your input."
        )


class CursorNotFound(NotFound):
    """A cursor isn't in the list, or was deleted (text recorded for `after`)."""

    def __init__(self, cursor: str, param: str = "after") -> None:
        super().__init__(f"No item found with id '{cursor}'", param=param)


class FileNotStored(NotFound):
    """The file is unknown, deleted, expired or another owner's."""

    param = "id"

    def __init__(self, file_id: str) -> None:
        super().__init__(f"No such File object: {file_id}")


class AttachedFileNotFound(NotFound):
    """The file isn't in the vector store."""

    def __init__(self, file_id: str, vector_store_id: str) -> None:
        super().__init__(f"No file found with id '{file_id}' in vector store '{vector_store_id}'.")


class FileBatchNotFound(NotFound):
    """The vector store has no such batch."""

    def __init__(self, batch_id: str, vector_store_id: str) -> None:
        super().__init__(f"No file batch found with id '{batch_id}' in vector store '{vector_store_id}'.")


class PromptNotFound(NotFound):
    """The prompt or its version is unknown, deleted or another owner's."""

    def __init__(self, prompt_id: str, version: int | str | None = None) -> None:
        named = f"'{prompt_id}'" if version is None else f"'{prompt_id}' and version '{version}'"
        super().__init__(f"Prompt with id {named} not found.")


class NotLatestVersion(InvalidRequest):
    """A new version of a prompt isn't based on the latest one."""

    code = "not_latest_version"
    param = "version"

    def __init__(self, prompt_id: str, version: int, latest: int) -> None:
        super().__init__(
            f"Version {version} of the prompt '{prompt_id}' is not the latest one, which is {latest}. "
            f"Base the change on version {latest}."
        )


class TooManyContainers(AntiphonError):
    """The owner has as many containers as the server allows."""

    status = 429
    code = "too_many_containers"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"You have {most} containers, the most that this server allows. Delete one, or wait until one "
            "has expired."
        )
