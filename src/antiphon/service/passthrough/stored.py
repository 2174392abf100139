"""Stored chat completions (`store: true`)."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from antiphon.decode.explain import wrong_type
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest
from antiphon.service.metadata import check_metadata
from antiphon.service.pages import page_of
from antiphon.store.chat.completions import CompletionRecords, StoredCompletion
from antiphon.store.errors import CursorNotFound
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.lists import Page, PageQuery

_PREFIX = "chatcmpl"
_SHOWN = (
    "seed",
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "tools",
    "tool_choice",
    "response_format",
)
"""Parameters of the request that a stored completion shows."""

_decode_raw = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_object = msgspec.json.Decoder(JSONObject).decode
_decode_list = msgspec.json.Decoder(list[JSONObject]).decode
_encode = msgspec.json.Encoder().encode


class NewCompletion:
    """A chat completion that will be stored, under an ID of this server.

    Some backends give the same ID to several completions.

    Args:
        body: The body of the request, from which `store` and `metadata` are taken.
        context: The context of the request.
    """

    def __init__(self, body: JSONObject, context: RequestContext) -> None:
        self.id = context.ids(_PREFIX).replace("_", "-", 1)
        """The ID, with a hyphen like OpenAI's."""
        self.created_at = context.clock()
        """The time of the creation."""
        body.pop("store")
        self.metadata = checked_metadata(body.pop("metadata", None))
        """The metadata."""
        self.messages: list[JSON] = body["messages"]
        """The messages of the request."""
        self.parameters = {name: body.get(name) for name in _SHOWN}
        """The parameters that the stored completion shows."""

    def renamed(self, data: bytes) -> bytes:
        """Return a chunk or a completion with the ID; an invalid one remains as it is."""
        try:
            fields = _decode_raw(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return data
        return _encode({**fields, "id": self.id})

    def record(self, answer: bytes, model: str) -> StoredCompletion | None:
        """Return the record of the whole completion; None if it isn't a completion.

        Args:
            answer: The completion.
            model: The public ID of the model.
        """
        try:
            completion = _decode_object(answer)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        return StoredCompletion(
            id=self.id,
            created_at=self.created_at,
            model=model,
            body=_encode({**self.parameters, **completion, "id": self.id}).decode(),
            metadata=_encode(self.metadata).decode(),
        )


class StoredCompletions:
    """The use cases of stored chat completions.

    Every method that takes an ID raises `ObjectNotFound` for a completion that doesn't exist or belongs to
    another owner.
    """

    def __init__(self, records: CompletionRecords) -> None:
        self._records = records

    async def add(self, owner: str, new: NewCompletion, answer: bytes, model: str) -> None:
        """Store a whole completion; `model` is the public ID of the model."""
        record = new.record(answer, model)
        if record is not None:
            await self._records.add(owner, record, _encode(new.messages).decode(), new.metadata)

    async def get(self, owner: str, completion_id: str) -> JSONObject:
        """Return a completion."""
        return _shown(await self._records.get(owner, completion_id))

    async def page(
        self, owner: str, query: PageQuery, model: str | None, metadata: Mapping[str, str]
    ) -> Page[JSONObject]:
        """Return a page of the completions of a model and with all pairs of metadata."""
        found = await self._records.page(owner, query, model, metadata)
        ids = [each.id for each in found.rows]
        return page_of([_shown(each) for each in found.rows], ids, has_more=found.has_more)

    async def update(self, owner: str, completion_id: str, metadata: JSON) -> JSONObject:
        """Replace the metadata of a completion, and return the completion.

        Raises:
            InvalidRequest: The metadata is invalid.
        """
        pairs = checked_metadata(metadata)
        return _shown(await self._records.set_metadata(owner, completion_id, _encode(pairs).decode(), pairs))

    async def delete(self, owner: str, completion_id: str) -> JSONObject:
        """Delete a completion."""
        await self._records.delete(owner, completion_id)
        return {"object": "chat.completion.deleted", "id": completion_id, "deleted": True}

    async def messages(self, owner: str, completion_id: str, query: PageQuery) -> Page[JSONObject]:
        """Return a page of the messages that a completion answers.

        Raises:
            CursorNotFound: The cursor isn't in the list.
        """
        messages = _decode_list(await self._records.messages(owner, completion_id))
        listed = [_shown_message(f"{completion_id}-{index}", each) for index, each in enumerate(messages)]
        if query.order == "desc":
            listed.reverse()
        if query.after is not None:
            places = [index for index, each in enumerate(listed) if each["id"] == query.after]
            if not places:
                raise CursorNotFound(query.after, "after")
            listed = listed[places[0] + 1 :]
        page = listed[: query.limit]
        return page_of(page, [each["id"] for each in page], has_more=len(listed) > query.limit)


def wants_storage(body: JSONObject) -> bool:
    """Return whether a request wants its completion to be stored.

    Raises:
        InvalidRequest: `store` isn't a boolean.
    """
    store = body.get("store")
    if store is not None and not isinstance(store, bool):
        raise wrong_type("store", "a boolean", store)
    return bool(store)


def checked_metadata(given: JSON) -> dict[str, str]:
    """Return valid metadata.

    Raises:
        InvalidRequest: It isn't an object of strings, or exceeds a limit of the API.
    """
    try:
        metadata = msgspec.convert(given, dict[str, str] | None) or {}
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"Invalid 'metadata': {error}.", code="invalid_type", param="metadata"
        ) from error
    check_metadata(metadata)
    return metadata


def _shown(stored: StoredCompletion) -> JSONObject:
    return {**_decode_object(stored.body), "metadata": _decode_object(stored.metadata)}


def _shown_message(message_id: str, message: JSONObject) -> JSONObject:
    """Return a message in the form of lists: a text, or text and images in `content_parts`."""
    content = message.get("content")
    parts = content if isinstance(content, list) else None
    texts = [part["text"] for part in parts or () if isinstance(part, dict) and "text" in part]
    return {
        "refusal": None,
        "name": None,
        **message,
        "id": message_id,
        "content": content if parts is None else "\n".join(map(str, texts)) or None,
        "content_parts": None if parts is None else parts,
    }
