"""Parameters, bodies and responses of each route, for the OpenAPI document."""

from typing import NamedTuple

from antiphon.wire import compaction, files, models, prompts, responses
from antiphon.wire import conversations as conv
from antiphon.wire import vector_stores as vs
from antiphon.wire.events import Event
from antiphon.wire.items import Item
from antiphon.wire.json import JSONObject
from antiphon.wire.lists import Page


class Operation(NamedTuple):
    """One method of one path.

    A type is a wire type, or a JSON schema if the backend defines the API.
    """

    summary: str
    """Description in a few words."""
    answer: object = None
    """Type of the response; None for a response with status 204 and no body."""
    body: object = None
    """Type of the request body."""
    query: tuple[str, ...] = ()
    """Query parameters, by their names in `QUERY`."""
    events: object = None
    """Type of the events, if the body can request a stream."""
    binary: bool = False
    """Whether the response is a file."""


def _free(**required: JSONObject) -> JSONObject:
    """Return the schema of a body in which the server checks only these keys."""
    return {"type": "object", "required": list(required), "properties": required}


QUERY: dict[str, JSONObject] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    "files": {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 10_000},
    "order": {"enum": ["asc", "desc"], "default": "desc"},
    "after": {"type": "string", "maxLength": 256},
    "before": {"type": "string", "maxLength": 256},
    "include": {"type": "array", "items": {"type": "string"}},
    "stream": {"type": "boolean", "default": False},
    "starting_after": {"type": "integer", "minimum": 0},
    "model": {"type": "string", "maxLength": 256},
    "purpose": {"type": "string", "maxLength": 256},
    "filter": {"enum": ["in_progress", "completed", "failed", "cancelled"]},
    "version": {"type": "integer", "minimum": 1},
}
"""Schemas of query parameters; `files` is the `limit` of the list of files."""

_TEXT: JSONObject = {"type": "string"}
_ANY: JSONObject = {"type": "object"}
_PAGE = ("limit", "order", "after")
_BOTH_WAYS = (*_PAGE, "before")
_UPLOAD = _free(file={"type": "string", "contentMediaType": "application/octet-stream"}, purpose=_TEXT)
_CHAT = _free(model=_TEXT, messages={"type": "array"})
_EMBEDDINGS = _free(model=_TEXT, input={"type": ["string", "array"]})
_COMPLETIONS = _free(model=_TEXT, prompt={"type": ["string", "array"]})
_MODERATIONS = _free(input={"type": ["string", "array"]})

_RESPONSES = "/v1/responses"
_RESPONSE = "/v1/responses/{response_id}"
_CONVERSATION = "/v1/conversations/{conversation_id}"
_STORE = "/v1/vector_stores/{vector_store_id}"
_BATCH = _STORE + "/file_batches/{batch_id}"
_STORE_FILE = _STORE + "/files/{file_id}"
_PROMPT = "/v1/prompts/{prompt_id}"
_UPDATE_PROMPT = Operation("Add a version of a prompt", prompts.Prompt, prompts.UpdatePrompt)
_SET_DEFAULT = Operation("Set the default version of a prompt", prompts.Prompt, prompts.SetDefaultVersion)

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", _RESPONSES): Operation(
        "Create a response", responses.Response, responses.CreateResponse, events=Event
    ),
    ("GET", _RESPONSES): Operation(
        "List responses", Page[responses.Response], query=(*_PAGE, "model", "include")
    ),
    ("POST", _RESPONSES + "/input_tokens"): Operation(
        "Count the tokens of an input", responses.InputTokens, responses.CountInputTokens
    ),
    ("POST", _RESPONSES + "/compact"): Operation(
        "Compact a context", compaction.CompactedResponse, compaction.CompactResponse
    ),
    ("GET", _RESPONSE): Operation("Get a response", responses.Response, query=("include", "stream")),
    ("DELETE", _RESPONSE): Operation("Delete a response", responses.DeletedResponse),
    ("POST", _RESPONSE + "/cancel"): Operation("Cancel a background response", responses.Response),
    ("GET", _RESPONSE + "/input_items"): Operation(
        "List the input of a response", Page[Item], query=(*_PAGE, "include")
    ),
    ("POST", "/v1/conversations"): Operation(
        "Create a conversation", conv.Conversation, conv.CreateConversation
    ),
    ("GET", _CONVERSATION): Operation("Get a conversation", conv.Conversation),
    ("POST", _CONVERSATION): Operation("Update a conversation", conv.Conversation, conv.UpdateConversation),
    ("DELETE", _CONVERSATION): Operation("Delete a conversation", conv.DeletedConversation),
    ("POST", _CONVERSATION + "/items"): Operation(
        "Add items to a conversation", Page[Item], conv.CreateItems, query=("include",)
    ),
    ("GET", _CONVERSATION + "/items"): Operation(
        "List the items of a conversation", Page[Item], query=(*_PAGE, "include")
    ),
    ("GET", _CONVERSATION + "/items/{item_id}"): Operation("Get an item", Item, query=("include",)),
    ("DELETE", _CONVERSATION + "/items/{item_id}"): Operation("Delete an item", conv.Conversation),
    ("POST", "/v1/prompts"): Operation("Create a prompt", prompts.Prompt, prompts.CreatePrompt),
    ("GET", "/v1/prompts"): Operation("List prompts, each in its default version", prompts.PromptList),
    ("GET", _PROMPT): Operation("Get a prompt", prompts.Prompt, query=("version",)),
    ("PUT", _PROMPT): _UPDATE_PROMPT,
    ("POST", _PROMPT): _UPDATE_PROMPT,
    ("DELETE", _PROMPT): Operation("Delete a prompt with all versions"),
    ("GET", _PROMPT + "/versions"): Operation("List the versions of a prompt", prompts.PromptList),
    ("PUT", _PROMPT + "/set-default-version"): _SET_DEFAULT,
    ("POST", _PROMPT + "/set-default-version"): _SET_DEFAULT,
    ("POST", "/v1/files"): Operation("Upload a file", files.File, _UPLOAD),
    ("GET", "/v1/files"): Operation(
        "List files", Page[files.File], query=("files", "order", "after", "purpose")
    ),
    ("GET", "/v1/files/{file_id}"): Operation("Get a file's description", files.File),
    ("DELETE", "/v1/files/{file_id}"): Operation("Delete a file", files.DeletedFile),
    ("GET", "/v1/files/{file_id}/content"): Operation("Get a file's content", binary=True),
    ("POST", "/v1/vector_stores"): Operation("Create a vector store", vs.VectorStore, vs.CreateVectorStore),
    ("GET", "/v1/vector_stores"): Operation("List vector stores", Page[vs.VectorStore], query=_BOTH_WAYS),
    ("GET", _STORE): Operation("Get a vector store", vs.VectorStore),
    ("POST", _STORE): Operation("Update a vector store", vs.VectorStore, vs.UpdateVectorStore),
    ("DELETE", _STORE): Operation("Delete a vector store", vs.DeletedVectorStore),
    ("POST", _STORE + "/search"): Operation(
        "Search a vector store", vs.SearchResultsPage, vs.SearchVectorStore
    ),
    ("POST", _STORE + "/files"): Operation(
        "Add a file to a vector store", vs.VectorStoreFile, vs.CreateVectorStoreFile
    ),
    ("GET", _STORE + "/files"): Operation(
        "List the files of a vector store", Page[vs.VectorStoreFile], query=(*_BOTH_WAYS, "filter")
    ),
    ("GET", _STORE_FILE): Operation("Get the status of a file", vs.VectorStoreFile),
    ("POST", _STORE_FILE): Operation(
        "Replace the attributes of a file", vs.VectorStoreFile, vs.UpdateVectorStoreFile
    ),
    ("DELETE", _STORE_FILE): Operation("Remove a file from a vector store", vs.DeletedVectorStoreFile),
    ("GET", _STORE_FILE + "/content"): Operation("Get the text of a file", vs.FileContentPage),
    ("POST", _STORE + "/file_batches"): Operation(
        "Add a batch of files to a vector store", vs.FileBatch, vs.CreateFileBatch
    ),
    ("GET", _BATCH): Operation("Get the status of a batch", vs.FileBatch),
    ("POST", _BATCH + "/cancel"): Operation("Cancel a batch", vs.FileBatch),
    ("GET", _BATCH + "/files"): Operation(
        "List the files of a batch", Page[vs.VectorStoreFile], query=(*_BOTH_WAYS, "filter")
    ),
    ("POST", "/v1/chat/completions"): Operation("Create a chat completion", _ANY, _CHAT, events=_ANY),
    ("POST", "/v1/completions"): Operation("Complete a text", _ANY, _COMPLETIONS, events=_ANY),
    ("POST", "/v1/embeddings"): Operation("Create embeddings", _ANY, _EMBEDDINGS),
    ("POST", "/v1/moderations"): Operation("Classify a text", _ANY, _MODERATIONS),
    ("GET", "/v1/models"): Operation("List models", models.ModelList),
    ("GET", "/v1/models/{model}"): Operation("Get a model; IDs may contain slashes", models.Model),
    ("GET", "/v1/providers"): Operation("List the providers of the API's parts", models.ProviderList),
    ("GET", "/v1/providers/{provider_id}"): Operation("Get a provider", models.Provider),
    ("GET", "/v1/inspect/routes"): Operation("List the routes", models.RouteList),
    ("GET", "/v1/health"): Operation("Check that the server is running", models.Health),
    ("GET", "/v1/version"): Operation("Get the server's version", models.Version),
    ("GET", "/v1/openapi.json"): Operation("Get this description (OpenAPI 3.1)", _ANY),
}
"""Operations by method and path; other routes are described without types."""
