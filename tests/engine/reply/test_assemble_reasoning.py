"""Reasoning in the four forms that backends send."""

import pytest

from antiphon.engine.reply.assemble import Assembler, AssemblyOptions
from antiphon.engine.sealed import Sealed
from antiphon.wire.items import Item
from antiphon.wire.json import JSON, JSONObject
from tests.engine.replies import CALLED, STOP, THINK, as_wire, assemble, call, chunk, counted_ids
from tests.engine.seals import OpenSeal, inside

BOXES = Sealed(OpenSeal(), "backend/model")
SEALED = AssemblyOptions(source="backend/model", encrypted_reasoning=True, sealed=BOXES)
KEPT = AssemblyOptions(source="backend/model", sealed=BOXES)
"""Options that create encrypted content without showing it."""

RAW = [
    "output_item.added",
    "content_part.added",
    "reasoning_text.delta",
    "reasoning_text.delta",
    "reasoning_text.done",
    "content_part.done",
    "output_item.done",
]


def details(*entries: JSON) -> bytes:
    return chunk(reasoning_details=list(entries))


def summary(text: str, index: int | None = None) -> JSON:
    return {"type": "reasoning.summary", "summary": text} | ({} if index is None else {"index": index})


def plain(text: str) -> JSON:
    return {"type": "reasoning.text", "text": text, "signature": None}


def sealed(data: str) -> JSON:
    return {"type": "reasoning.encrypted", "data": data}


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(reasoning="Let me "), chunk(reasoning="see.")],
        [chunk(reasoning_content="Let me "), chunk(reasoning_content="see.")],
        [chunk(reasoning="Let me ", reasoning_content="Let me "), chunk(reasoning="see.")],
        [details(plain("Let me ")), details(plain("see."))],
        [details(plain("Let me "), plain("see."))],
        [chunk(reasoning="Let me ", reasoning_details=[plain("Let me ")]), details(plain("see."))],
        [chunk(content="<think>Let me "), chunk(content="see.</think>")],
    ],
)
def test_the_life_of_raw_reasoning(chunks: list[bytes]) -> None:
    reply = assemble(*chunks, chunk(content="42"), STOP, options=THINK)
    assert reply.types[: len(RAW)] == RAW
    assert reply.items[0] == {
        "type": "reasoning",
        "id": "rs_0",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "Let me see."}],
    }
    assert reply.texts() == ["42"]


def test_the_life_of_summaries() -> None:
    reply = assemble(
        details(summary("First", 0)),
        details(summary(" step", 0)),
        details(summary("Second", 1)),
        chunk(content="42"),
        STOP,
    )
    one = ["reasoning_summary_part.added", "reasoning_summary_text.delta"]
    end = ["reasoning_summary_text.done", "reasoning_summary_part.done"]
    expected = ["output_item.added", *one, one[1], *end, *one, *end, "output_item.done"]
    assert reply.types[: len(expected)] == expected
    assert [part["text"] for part in reply.items[0]["summary"]] == ["First step", "Second"]
    assert "content" not in reply.items[0]


def test_summaries_without_an_index_are_one() -> None:
    reply = assemble(details(summary("First")), details(summary(" step")), chunk(content="42"), STOP)
    assert [part["text"] for part in reply.items[0]["summary"]] == ["First step"]


def test_raw_text_and_a_summary_in_one_item() -> None:
    reply = assemble(details(plain("raw")), details(summary("short", 0)), chunk(content="42"), STOP)
    assert reply.reasoning() == ["raw"]
    assert reply.items[0]["summary"] == [{"type": "summary_text", "text": "short"}]


def test_opaque_reasoning_is_an_item_without_text() -> None:
    reply = assemble(details(sealed("QUJD")), chunk(content="42"), STOP)
    assert reply.types[:2] == ["output_item.added", "output_item.done"]
    assert reply.items[0] == {"type": "reasoning", "id": "rs_0", "summary": []}


def test_opaque_reasoning_is_shown_where_it_is_asked_for() -> None:
    reply = assemble(details(sealed("QUJD"), sealed("REVG")), chunk(content="42"), STOP, options=SEALED)
    assert inside(reply.items[0]["encrypted_content"]) == {
        "type": "reasoning",
        "source": "backend/model",
        "details": [{"type": "reasoning.encrypted", "data": "QUJDREVG"}],
    }
    added, done = (event["item"] for event in reply.events[:2])
    assert done == reply.items[0]
    assert inside(added["encrypted_content"]) == {"type": "reasoning", "source": "backend/model"}


def test_raw_reasoning_is_unchanged_in_the_encrypted_content() -> None:
    signed = {"type": "reasoning.text", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0}
    piece = {"type": "reasoning.text", "index": 0}
    reply = assemble(
        details(piece | {"text": "Let me "}),
        details(piece | {"text": "see."}),
        details(signed),
        chunk(content="42"),
        STOP,
        options=SEALED,
    )
    assert inside(reply.items[0]["encrypted_content"]) == {
        "type": "reasoning",
        "source": "backend/model",
        "text": "Let me see.",
        "details": [signed | {"text": "Let me see."}],
    }


def test_entries_of_different_kinds_stay_apart() -> None:
    entries = [summary("short", 0), sealed("QUJD") | {"index": 1}, sealed("REVG") | {"index": 2}]
    reply = assemble(*(details(entry) for entry in entries), chunk(content="42"), STOP, options=SEALED)
    assert inside(reply.items[0]["encrypted_content"])["details"] == entries


def hidden(*chunks: bytes) -> tuple[list[JSONObject], list[JSONObject]]:
    """Return the events and the complete items, with encrypted content that the request does not include."""
    output: list[Item] = []
    assembler = Assembler(output, counted_ids(), KEPT)
    events = as_wire([*assembler.feed(list(chunks)), *assembler.finish()])
    return [event["item"] for event in events if event["type"] == "response.output_item.done"], as_wire(
        output
    )


def test_encrypted_content_that_is_not_included_is_kept_and_not_shown() -> None:
    shown, items = hidden(chunk(reasoning="Let me see."), chunk(content="42"), STOP)
    assert inside(items[0].pop("encrypted_content"))["text"] == "Let me see."
    assert shown == items


def test_opaque_reasoning_after_the_answer_belongs_to_the_reasoning_before_it() -> None:
    shown, items = hidden(chunk(reasoning="Let me see."), chunk(content="42"), details(sealed("QUJD")), STOP)
    assert inside(items[0].pop("encrypted_content"))["details"] == [sealed("QUJD")]
    assert shown == items


def test_an_entry_that_says_nothing_makes_no_item() -> None:
    reply = assemble(details({"type": "reasoning.text", "text": ""}), chunk(content="42"), STOP)
    assert [item["type"] for item in reply.items] == ["message"]


@pytest.mark.parametrize(("options", "kinds"), [(SEALED, ["message", "reasoning"]), (THINK, ["message"])])
def test_opaque_reasoning_after_the_answer(options: AssemblyOptions, kinds: list[str]) -> None:
    reply = assemble(chunk(content="42"), details(sealed("QUJD")), STOP, options=options)
    assert [item["type"] for item in reply.items] == kinds


def test_text_beside_details_without_words_is_not_lost() -> None:
    reply = assemble(
        chunk(reasoning="Let me see.", reasoning_details=[sealed("QUJD")]), chunk(content="42"), STOP
    )
    assert reply.reasoning() == ["Let me see."]


def test_reasoning_then_a_call() -> None:
    reply = assemble(chunk(reasoning="I look."), call(0, "a", "f", "{}"), CALLED)
    assert [item["type"] for item in reply.items] == ["reasoning", "function_call"]


def test_reasoning_after_text_is_a_new_item() -> None:
    reply = assemble(chunk(reasoning="1"), chunk(content="a"), chunk(reasoning="2"), chunk(content="b"), STOP)
    assert [item["type"] for item in reply.items] == ["reasoning", "message", "reasoning", "message"]
    assert (reply.reasoning(), reply.texts()) == (["1", "2"], ["a", "b"])


def test_reasoning_in_the_same_delta_as_text_comes_first() -> None:
    reply = assemble(chunk(content="a", reasoning="1"), STOP)
    assert [item["type"] for item in reply.items] == ["reasoning", "message"]


def test_reasoning_between_the_pieces_of_a_call_waits() -> None:
    reply = assemble(
        call(0, "a", "f", '{"x"'),
        details(summary("s", 0)),
        details(summary("t", 1)),
        call(0, arguments=":1}"),
        STOP,
    )
    assert [item["type"] for item in reply.items] == ["function_call", "reasoning"]
    assert [part["text"] for part in reply.items[1]["summary"]] == ["s", "t"]


def test_reasoning_that_waited_when_the_stream_was_cut_keeps_its_summaries_apart() -> None:
    reply = assemble(call(0, "a", "f", '{"x"'), details(summary("s", 0)), details(summary("t", 1)))
    assert reply.failure is not None
    assert [part["text"] for part in reply.items[1]["summary"]] == ["s", "t"]


def test_reasoning_alone_is_all_of_the_output() -> None:
    reply = assemble(chunk(reasoning="..."), STOP)
    assert [item["type"] for item in reply.items] == ["reasoning"]


def test_F41_reasoning_content_and_think_mixed() -> None:
    reply = assemble(
        chunk(reasoning_content="one"),
        chunk(content="<think>two</think>"),
        chunk(content="42"),
        STOP,
        options=THINK,
    )
    assert "".join(reply.reasoning()) == "onetwo"
    assert reply.texts() == ["42"]


def test_an_empty_think_element_is_no_reasoning() -> None:
    """Qwen 3 sends this when thinking is turned off; every token is a chunk of its own."""
    pieces = ["<think>", "\n\n", "</think>", "\n\n", "42"]
    reply = assemble(*(chunk(content=piece) for piece in pieces), STOP, options=THINK)
    assert [item["type"] for item in reply.items] == ["message"]
    assert reply.texts() == ["42"]


def test_think_tags_are_text_where_the_backend_separates_reasoning_itself() -> None:
    assert assemble(chunk(content="<think>a</think>b"), STOP).texts() == ["<think>a</think>b"]


def test_a_think_element_that_length_cut() -> None:
    reply = assemble(chunk(content="<think>and then"), chunk("length"), options=THINK)
    assert reply.reasoning() == ["and then"]
    assert reply.texts() == []


def test_thinking_among_pieces_of_content() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    reply = assemble(
        chunk(content=[thinking]), chunk(content=[{"type": "text", "text": "Yes"}]), chunk(content="."), STOP
    )
    assert [item["type"] for item in reply.items] == ["reasoning", "message"]
    assert reply.items[0]["content"] == [{"type": "reasoning_text", "text": "Hm."}]
    assert reply.items[1]["content"][0]["text"] == "Yes."
