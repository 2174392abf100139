"""Notes of the model and tool calls of a response."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from antiphon.engine.ports import HostedTool
from antiphon.engine.steps import ModelNote, Note, StepNotes, ToolNote, note_retry
from antiphon.errors import AntiphonError, UpstreamTimeout
from antiphon.wire.chat import ChatRequest
from antiphon.wire.items import Item, McpApprovalRequest, McpApprovalResponse, Message
from antiphon.wire.json import JSONObject
from tests.engine.hosting import WEB_SEARCH, FakeMcp, FakeSearch, Hosting, Replies, calls, mcp, says

SEARCHES = calls(("web_search", '{"query": "ferry"}'))


def noting(
    model: Replies, tools: list[JSONObject], *hosted: HostedTool, items: list[Item] | None = None
) -> StepNotes:
    """Run a response to its end, and return its notes."""

    class Noting(Hosting):
        notes = StepNotes()

    Noting(model, tools, *hosted, items=items).run()
    return Noting.notes


def test_each_call_has_a_note_with_its_place_and_its_times() -> None:
    model = Replies(SEARCHES, says("It is 128."))
    notes = noting(model, [WEB_SEARCH], FakeSearch()).notes
    first, tool, second = notes
    assert isinstance(first, ModelNote)
    assert isinstance(tool, ToolNote)
    assert isinstance(second, ModelNote)
    assert [first.request, second.request] == model.requests
    assert (first.model, first.purpose, first.dropped) == ("backend/model", "answer", 0)
    assert [first.output, second.output] == [0, 1]
    assert [first.reply.finish_reason, second.reply.finish_reason] == ["tool_calls", "stop"]
    assert (tool.item().id, tool.is_approved) == ("ws_0", False)
    for note in (first, second):
        assert note.first is not None
        assert note.ended is not None
        assert note.began <= note.first <= note.ended
    times = [time for note in notes for time in (note.began, note.ended)]
    assert times == sorted(times, key=lambda time: time or 0.0)
    assert all(note.error is None for note in notes)


def test_the_error_of_a_model_call_is_in_its_note() -> None:
    error = UpstreamTimeout("up: no answer")
    (note,) = noting(Replies(error), [WEB_SEARCH], FakeSearch()).notes
    assert isinstance(note, ModelNote)
    assert (note.error, note.first) == (error, None)
    assert note.ended is not None


@pytest.mark.parametrize("is_approved", [True, False])
def test_a_call_that_the_client_approved_is_noted_as_such(*, is_approved: bool) -> None:
    server = FakeMcp()
    asked = McpApprovalRequest(id="mcpr_9", arguments="{}", name="look", server_label="s")
    answer = McpApprovalResponse(approval_request_id="mcpr_9", approve=True)
    items: list[Item] = [Message(role="user", content="Hi")]
    if is_approved:
        items += [asked, answer]
    replies = [says("Done.")] if is_approved else [calls(("look", "{}")), says("Done.")]
    notes = noting(Replies(*replies), [mcp()], server, items=items).notes
    assert [note.is_approved for note in notes if isinstance(note, ToolNote)][-1] is is_approved


def test_a_question_for_the_client_is_no_call() -> None:
    server = FakeMcp()
    server.unapproved = {"look"}
    notes = noting(Replies(calls(("look", "{}"))), [mcp()], server).notes
    assert not any(isinstance(note, ToolNote) and note.item().id == "mcpr_1" for note in notes)
    assert isinstance(notes[-1], ModelNote)


def test_the_end_of_each_call_is_reported_with_its_number() -> None:
    ended: list[tuple[int, Note, float | None]] = []

    class Noting(Hosting):
        notes = StepNotes(on_end=lambda number, note: ended.append((number, note, note.ended)))

    Noting(Replies(SEARCHES, says("It is 128.")), [WEB_SEARCH], FakeSearch()).run()
    assert [(number, note) for number, note, _ in ended] == list(enumerate(Noting.notes.notes))
    assert all(at is not None for _, _, at in ended)


class Hesitant(Replies):
    """Model that is called again before its first chunk."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        note_retry(f"up: busy {len(self.requests)}")
        async for chunks in super().stream(request):
            yield chunks


def test_retries_belong_to_the_call_that_they_precede() -> None:
    notes = noting(Hesitant(SEARCHES, says("It is 128.")), [WEB_SEARCH], FakeSearch()).notes
    retries = [note.retries for note in notes if isinstance(note, ModelNote)]
    assert retries == [["up: busy 0"], ["up: busy 1"]]


def test_a_retry_without_a_log_is_nothing() -> None:
    hosting = Hosting(Hesitant(says("Fine.")), [WEB_SEARCH], FakeSearch()).run()
    assert hosting.response["status"] == "completed"


def test_a_call_that_is_cancelled_has_ended() -> None:
    notes = StepNotes()
    search = FakeSearch()
    search.gates["ferry"] = asyncio.Event()

    class Noting(Hosting):
        pass

    Noting.notes = notes

    async def leave() -> None:
        hosting = Noting(Replies(SEARCHES, says("Never.")), [WEB_SEARCH], search)

        async def read() -> None:
            async for _ in hosting.loop.events():
                pass

        reading = asyncio.create_task(read())
        await search.reached("begin ws_0")
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    asyncio.run(leave())
    assert [note.ended is not None for note in notes.notes] == [True, True]


def test_a_call_in_progress_has_not_ended() -> None:
    notes = StepNotes()
    note = ToolNote(lambda: Message(role="user", content="x"), is_approved=False)
    notes.begin(note)
    assert (note.ended, notes.notes) == (None, [note])
    notes.end(note, error := AntiphonError("no"))
    assert note.error is error
