"""Replies of chat backends, written chunk by chunk, and the items that the assembler makes from them."""

from collections.abc import Iterable
from itertools import count

import msgspec

from antiphon.engine.reply.assemble import Assembler, AssemblyOptions
from antiphon.engine.request_context import Ids
from antiphon.errors import AntiphonError
from antiphon.wire.items import Item
from antiphon.wire.json import JSON, JSONObject
from tests.engine.life_cycle import check_life_cycles

PLAIN = AssemblyOptions(source="backend/model")
THINK = AssemblyOptions(source="backend/model", think_tags=True)


def chunk(finish_reason: str | None = None, *, index: int = 0, **delta: JSON) -> bytes:
    """Return a chunk with one choice."""
    choice: JSONObject = {"index": index, "delta": delta, "finish_reason": finish_reason}
    return msgspec.json.encode({"object": "chat.completion.chunk", "choices": [choice]})


def raw(body: JSON) -> bytes:
    """Return a chunk of any form."""
    return msgspec.json.encode(body)


def call(
    index: int | None = None, call_id: str | None = None, name: str | None = None, arguments: JSON = None
) -> bytes:
    """Return a chunk with one tool call delta; None values are omitted, as backends do."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    entry: JSONObject = {"index": index, "id": call_id, "type": "function", "function": function}
    return chunk(tool_calls=[{key: value for key, value in entry.items() if value is not None}])


STOP = chunk("stop")
CALLED = chunk("tool_calls")
USAGE = raw({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})


class Reply:
    """Result of a reply: events and items as they are on the wire, and the failure if there is one."""

    def __init__(self, batches: Iterable[list[bytes]], options: AssemblyOptions = PLAIN) -> None:
        output: list[Item] = []
        self.assembler = Assembler(output, counted_ids(), options)
        self.events: list[JSONObject] = []
        for batch in batches:
            self.events += as_wire(self.assembler.feed(batch))
        self.events += as_wire(self.assembler.finish())
        if self.failure is not None:
            self.assembler.abandon()
        self.items: list[JSONObject] = as_wire(output)
        check_life_cycles(self.events, self.items, failed=self.failure is not None)

    @property
    def failure(self) -> AntiphonError | None:
        return self.assembler.failure

    @property
    def types(self) -> list[str]:
        """The types of the events, without their common prefix."""
        return [event["type"].removeprefix("response.") for event in self.events]

    def texts(self) -> list[str]:
        """Return the text of each message's parts, in order."""
        messages = [item for item in self.items if item["type"] == "message"]
        return [part.get("text", part.get("refusal")) for item in messages for part in item["content"]]

    def reasoning(self) -> list[str]:
        """Return the raw text of each reasoning item."""
        items = [item for item in self.items if item["type"] == "reasoning"]
        return ["".join(part["text"] for part in item.get("content", [])) for item in items]

    def calls(self) -> list[tuple[str, str, str]]:
        """Return the id, name and arguments of each function call."""
        items = [item for item in self.items if item["type"] == "function_call"]
        return [(item["call_id"], item["name"], item["arguments"]) for item in items]


def assemble(*chunks: bytes, options: AssemblyOptions = PLAIN) -> Reply:
    """Feed the chunks one by one and check the life cycles of all items."""
    return Reply(([payload] for payload in chunks), options)


def failure_of(*chunks: bytes, options: AssemblyOptions = PLAIN) -> str:
    """Return the message of the failure that the chunks cause."""
    failure = assemble(*chunks, options=options).failure
    assert failure is not None
    return failure.message


def as_wire(things: Iterable[msgspec.Struct]) -> list[JSONObject]:
    """Encode structs and decode them again, as a client would."""
    return [msgspec.json.decode(msgspec.json.encode(thing)) for thing in things]


def counted_ids() -> Ids:
    """Return ids that count from 0: `msg_0`, `rs_1`, ..."""
    numbers = count()
    return lambda prefix, size=0: f"{prefix}_{next(numbers)}"
