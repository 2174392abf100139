"""The growing message, without the assembler."""

from antiphon.engine.reply.message import MessageBuilder
from antiphon.wire.content import OutputText
from antiphon.wire.events import Event
from tests.engine.replies import counted_ids


def test_a_snapshot_holds_the_part_that_is_open() -> None:
    builder, events = MessageBuilder(counted_ids()), list[Event]()
    builder.open(events, 0)
    empty = builder.snapshot()
    assert (empty.status, empty.content) == ("incomplete", [])
    builder.write(events, "text", "Hel", [])
    assert builder.snapshot().content == [OutputText(annotations=[], logprobs=[], text="Hel")]


def test_a_message_without_any_text_is_closed_with_an_empty_part() -> None:
    builder, events = MessageBuilder(counted_ids()), list[Event]()
    builder.open(events, 0)
    message = builder.close(events, "completed")
    assert (message.status, message.content) == (
        "completed",
        [OutputText(annotations=[], logprobs=[], text="")],
    )
