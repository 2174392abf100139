import msgspec
import pytest

from antiphon.durable.cut import close_items
from antiphon.engine.reply.assemble import Assembler, AssemblyOptions
from antiphon.ids import new_id
from antiphon.wire.events import Event
from antiphon.wire.items import Item
from antiphon.wire.json import JSON, JSONObject
from tests.engine.life_cycle import check_life_cycles

DELTAS: list[JSONObject] = [
    {"reasoning_content": "Hm, "},
    {"reasoning_content": "yes."},
    {"reasoning_details": [{"type": "reasoning.summary", "summary": "A sum", "index": 0}]},
    {"reasoning_details": [{"type": "reasoning.summary", "summary": "mary", "index": 0}]},
    {"reasoning_details": [{"type": "reasoning.summary", "summary": "Two", "index": 1}]},
    {"content": "Hel"},
    {"content": "lo."},
    {"refusal": "No"},
    {"refusal": ", never."},
]
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def wire(value: object) -> JSON:
    return msgspec.json.decode(msgspec.json.encode(value))


def sent_events(deltas: list[JSONObject]) -> list[Event]:
    """Return the events of an unfinished reply, as they are in the database."""
    output: list[Item] = []
    assembler = Assembler(output, new_id, AssemblyOptions(source="up/m"))
    chunks = [msgspec.json.encode({"choices": [{"index": 0, "delta": delta}]}) for delta in deltas]
    return [_decoder.decode(msgspec.json.encode(event)) for event in assembler.feed(chunks)]


@pytest.mark.parametrize("count", range(len(DELTAS) + 1))
def test_an_open_item_is_closed_with_its_text_so_far(count: int) -> None:
    sent = sent_events(DELTAS[:count])
    for end in range(len(sent) + 1):
        events = sent[:end]
        closing, items = close_items(events)
        both = [wire(event) for event in [*events, *closing]]
        done = [event["item"] for event in both if event["type"] == "response.output_item.done"]
        check_life_cycles(both, done)
        assert [item["id"] for item in wire(items)] == [item["id"] for item in done]


def test_what_remains_is_incomplete_and_empty() -> None:
    _, items = close_items(sent_events(DELTAS))
    reasoning, message = wire(items)
    assert (reasoning["status"], reasoning["summary"]) == ("incomplete", [])
    assert "content" not in reasoning
    assert (message["status"], message["content"]) == ("incomplete", [])


def test_nothing_is_closed_before_the_first_item() -> None:
    assert close_items([]) == ([], [])
