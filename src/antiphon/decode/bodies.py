"""Decoders of request bodies, with OpenAI's messages for invalid ones.

Decoders of bodies that contain input items are here. Others are beside their routes.
"""

import re
from functools import cached_property
from typing import Generic, TypeVar

import msgspec
from msgspec import inspect

from antiphon.decode.bounds import MAX_ITEMS, Lengths, too_deep
from antiphon.decode.explain import explain
from antiphon.decode.unknown import check_promises, outline, unknown_fields
from antiphon.errors import InvalidRequest
from antiphon.wire.compaction import CompactResponse
from antiphon.wire.conversations import CreateConversation, CreateItems
from antiphon.wire.json import JSON
from antiphon.wire.responses import CountInputTokens, CreateResponse, ResponseCreateEvent
from antiphon.wire.steering import ResponseSteerEvent

T = TypeVar("T", bound=msgspec.Struct)

_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class BodyDecoder(Generic[T]):
    """Decoder of the bodies of one kind of request.

    Args:
        body_type: Wire type of the body.
        item_lists: Keys of the body that contain input items. The `type` of an item may be absent on the
            wire: an item with a role is a message, and one with only an ID is a reference.
    """

    def __init__(self, body_type: type[T], item_lists: tuple[str, ...] = ()) -> None:
        self._type = body_type
        self._item_lists = item_lists
        self._decoder = msgspec.json.Decoder(body_type)
        self._outline = msgspec.json.Decoder(outline(body_type))

    def decode(self, body: bytes, most: int = MAX_ITEMS) -> T:
        """Return the decoded body.

        Args:
            body: The body.
            most: Maximum length of arrays for which the API has no other one.

        Raises:
            InvalidRequest: The body is invalid; the error names the place of the first problem.
        """
        if len(body) > 2 * most:  # A shorter body has fewer entries.
            self._lengths.check(body, most)
        if b"\\" in body and b"\\u0000" in body and _ESCAPED_NUL.search(body):
            raise InvalidRequest("Invalid body: the character U+0000 is not allowed.", code="invalid_json")
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError:
            return self._decode_leniently(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _not_json(error) from None

    @cached_property
    def _lengths(self) -> Lengths:
        found = inspect.type_info(self._type)
        assert isinstance(found, inspect.StructType)
        arrays: dict[str, int | None] = {}
        objects: list[str] = []
        for field in found.fields:
            kinds = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
            for kind in kinds:
                if isinstance(kind, inspect.ListType):
                    arrays[field.encode_name] = kind.max_length
                elif isinstance(kind, inspect.DictType) and not isinstance(kind.value_type, inspect.AnyType):
                    objects.append(field.encode_name)
        return Lengths(arrays, objects)

    def unknown(self, body: bytes) -> list[str]:
        """Return the paths of the first unknown fields of a valid body, such as `text.zzz`.

        Raises:
            InvalidRequest: One of them promises protection or a limit, which the server would not provide.
        """
        # Most bodies are as their outline, so one call of a decoder is enough.
        try:
            self._outline.decode(body)
        except msgspec.ValidationError:
            return self._search(body)
        return []

    def _search(self, body: bytes) -> list[str]:
        plain = self._typed(body)
        check_promises(plain, self._type)
        try:
            self._outline.decode(msgspec.json.encode(plain))
        except msgspec.ValidationError:
            return unknown_fields(plain, self._type)
        return []

    def _typed(self, body: bytes) -> JSON:
        """Return the decoded JSON of a body, with the types of all items."""
        plain = decode_json(body)
        if isinstance(plain, dict):
            for key in self._item_lists:
                _add_types(plain.get(key))
        return plain

    def _decode_leniently(self, body: bytes) -> T:
        plain = self._typed(body)
        try:
            return msgspec.convert(plain, self._type)
        except msgspec.ValidationError as error:
            raise explain(str(error), plain, self._type) from None


def decode_json(body: bytes) -> JSON:
    """Return any decoded JSON value.

    Raises:
        InvalidRequest: The body isn't valid JSON.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from None


create_response = BodyDecoder(CreateResponse, ("input",))
response_create_event = BodyDecoder(ResponseCreateEvent, ("input",))
response_steer_event = BodyDecoder(ResponseSteerEvent, ("input",))
count_input_tokens = BodyDecoder(CountInputTokens, ("input",))
compact_response = BodyDecoder(CompactResponse, ("input",))
create_conversation = BodyDecoder(CreateConversation, ("items",))
create_items = BodyDecoder(CreateItems, ("items",))


def _add_types(items: JSON) -> None:
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and item.get("type") is None:
            if "role" in item:
                item["type"] = "message"
            elif "id" in item:
                item["type"] = "item_reference"


def _not_json(error: Exception) -> InvalidRequest:
    if isinstance(error, RecursionError):
        return too_deep()
    reason = str(error) or "it is not UTF-8"
    return InvalidRequest(f"We could not parse the JSON body of your request: {reason}.", code="invalid_json")
