import asyncio

import pytest

from antiphon.errors import ContextLengthExceeded, UpstreamRefused, UpstreamUnreachable
from antiphon.settings.backends import Capabilities
from antiphon.wire.items import Item, Message
from antiphon.wire.json import JSON, JSONObject
from tests.engine.hosting import (
    WEB_SEARCH,
    FakeSearch,
    Hosting,
    Replies,
    calls,
    says,
    spent,
)
from tests.engine.looping import collect
from tests.engine.replies import STOP, as_wire, call, chunk

F: JSONObject = {"type": "function", "name": "f", "parameters": {"type": "object"}}
SEARCH = ("web_search", '{"query":"one"}')
SEARCH_2 = ("web_search", '{"query":"two"}')
LOOK = ("look", '{"at":1}')
MESSAGE = [
    "output_item.added message",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done message",
]
SEARCHED = [
    "output_item.added web_search_call",
    "web_search_call.in_progress",
    "web_search_call.searching",
    "web_search_call.completed",
    "output_item.done web_search_call",
]


def searching(*replies: list[bytes], **more: JSON) -> Hosting:
    """Return a response with web search."""
    return Hosting(Replies(*replies), [WEB_SEARCH], FakeSearch(), body=more).run()


def test_a_search_and_then_the_answer() -> None:
    hosting = searching(calls(SEARCH), says("It is 128."))
    assert hosting.kinds() == ["created", "in_progress", *SEARCHED, *MESSAGE, "completed"]
    assert [event["output_index"] for event in hosting.events[2:-1]] == [0] * 5 + [1] * 6
    hosting.check()
    assert hosting.response["status"] == "completed"
    asked, told = hosting.told()[1:]
    (made,) = asked["tool_calls"]
    assert (asked["role"], asked["content"], made["function"]) == (
        "assistant",
        "",
        {"name": "web_search", "arguments": '{"query": "one"}'},
    )
    assert (told["role"], told["tool_call_id"]) == ("tool", made["id"])
    assert told["content"].startswith('{"query": "one", "top_k": [{"url": "https://a.example/"')


def test_what_the_request_does_not_include_is_hidden_in_events_but_kept_in_the_response() -> None:
    hosting = searching(calls(SEARCH), says("Yes."))
    (done,) = [event["item"] for event in hosting.events if event["type"].endswith("item.done")][:1]
    assert done["action"] == {"type": "search", "query": "one", "queries": ["one"]}
    assert "results" not in done
    kept = hosting.response["output"][0]
    assert kept["results"]
    assert kept["action"]["sources"]


def test_text_before_a_call_belongs_to_the_same_message() -> None:
    model = Replies([chunk(content="I look."), *calls(SEARCH)], says("Found."))
    hosting = Hosting(model, [WEB_SEARCH], FakeSearch()).run()
    assert hosting.output() == ["message", "web_search_call", "message"]
    hosting.check()
    user, asked, tool = hosting.told()
    assert (user["role"], asked["content"], len(asked["tool_calls"])) == ("user", "I look.", 1)
    assert tool["tool_call_id"] == asked["tool_calls"][0]["id"]


def test_calls_of_one_reply_stay_together_and_open_in_order() -> None:
    hosting = searching(calls(SEARCH, SEARCH_2), calls(SEARCH), says("Done."))
    assert hosting.output() == ["web_search_call"] * 3 + ["message"]
    hosting.check()
    messages = hosting.told()
    assert [message["role"] for message in messages] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "tool",
    ]
    ids = [made["id"] for message in messages for made in message.get("tool_calls", [])]
    assert ids == [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    assert len(set(ids)) == 3
    # Each request repeats the earlier messages unchanged, so that the backend's cache can be used.
    assert messages[: len(hosting.told(1))] == hosting.told(1)


def test_calls_of_one_reply_run_at_the_same_time() -> None:
    tool = FakeSearch()
    model = Replies(calls(SEARCH, SEARCH_2), says("Done."))

    async def made() -> list[JSONObject]:
        hosting = Hosting(model, [WEB_SEARCH], tool)
        tool.gates = {"one": asyncio.Event(), "two": asyncio.Event()}
        collected = asyncio.create_task(collect(hosting.loop))
        await tool.reached("begin ws_1")
        tool.gates["two"].set()
        await tool.reached("end ws_1")
        tool.gates["one"].set()
        return await collected

    events = asyncio.run(made())
    assert tool.log == ["begin ws_0", "begin ws_1", "end ws_1", "end ws_0"]
    items = [event["item"]["id"] for event in events if event["type"].startswith("response.output_item")]
    assert items[:4] == ["ws_0", "ws_0", "ws_1", "ws_1"]


def test_the_callers_own_call_ends_the_turn_when_the_hosted_ones_have_run() -> None:
    model = Replies(calls(SEARCH, ("f", "{}"), SEARCH_2))
    hosting = Hosting(model, [F, WEB_SEARCH], FakeSearch(1)).run()
    assert hosting.output() == ["function_call", "web_search_call", "web_search_call"]
    hosting.check()
    assert len(model.requests) == 1
    assert hosting.response["status"] == "completed"


@pytest.mark.parametrize("finish", ["stop", "tool_calls"])
def test_the_finish_reason_does_not_decide_whether_calls_are_made(finish: str) -> None:
    assert searching(calls(SEARCH, finish=finish), says("Yes.")).output() == ["web_search_call", "message"]


def test_the_name_of_a_hosted_function_in_pieces() -> None:
    pieces = [call(0, "call_1", "web_"), call(0, None, "search"), call(0, None, None, '{"query":"one"}')]
    hosting = searching([*pieces, chunk("tool_calls")], says("Yes."))
    assert hosting.output() == ["web_search_call", "message"]


def test_usage_is_summed_and_the_tier_is_the_last_one_sent() -> None:
    hosting = searching(calls(SEARCH), says("Yes."))
    usage = hosting.response["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (20, 10, 30)
    assert hosting.response["service_tier"] == "default"


def test_F45_an_endless_loop_of_calls_ends_as_incomplete() -> None:
    tool, model = FakeSearch(), Replies(calls(SEARCH))
    hosting = Hosting(model, [WEB_SEARCH], tool, max_rounds=3).run()
    assert hosting.events[-1]["type"] == "response.incomplete"
    assert hosting.response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert hosting.response["completed_at"] is None
    assert (len(model.requests), len(tool.made)) == (3, 3)
    hosting.check()


def test_max_output_tokens_counts_all_model_calls() -> None:
    hosting = searching(calls(SEARCH), calls(SEARCH), says("never"), max_output_tokens=16)
    # Each reply has 5 tokens.
    assert [request["max_completion_tokens"] for request in hosting.model.requests] == [16, 11, 6]
    assert hosting.response["status"] == "completed"


def test_max_output_tokens_that_are_used_up() -> None:
    hosting = searching([*calls(SEARCH)[:-1], spent(16)], says("never"), max_output_tokens=16)
    assert len(hosting.model.requests) == 1
    assert hosting.response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert hosting.output() == ["web_search_call"]


def test_the_older_name_of_the_limit() -> None:
    model = Replies(calls(SEARCH), says("Yes."), capabilities=Capabilities(max_completion_tokens=False))
    Hosting(model, [WEB_SEARCH], FakeSearch(), body={"max_output_tokens": 16}).run()
    assert [request["max_tokens"] for request in model.requests] == [16, 11]


def test_max_tool_calls() -> None:
    tool = FakeSearch()
    model = Replies(calls(SEARCH, SEARCH_2), calls(SEARCH), says("Enough."))
    hosting = Hosting(model, [WEB_SEARCH], tool, body={"max_tool_calls": 1}).run()
    assert [item.get("status") for item in hosting.response["output"][:-1]] == [
        "completed",
        "searching",
        "searching",
    ]
    assert hosting.response["status"] == "completed"
    assert tool.log == ["begin ws_0", "end ws_0"]
    assert hosting.kinds()[7:11] == [*SEARCHED[:3], SEARCHED[4]]
    skipped = "Tool call skipped: maximum tool calls limit (1) reached."
    outputs = [message["content"] for message in hosting.told() if message["role"] == "tool"]
    assert [output == skipped for output in outputs] == [False, True, True]


def test_a_call_that_the_limit_of_tokens_cuts_off_is_shown_and_does_not_run() -> None:
    tool = FakeSearch()
    hosting = Hosting(Replies([*calls(SEARCH)[:1], chunk("length"), spent(5)]), [WEB_SEARCH], tool).run()
    [item] = hosting.response["output"]
    assert (item["type"], item["status"]) == ("web_search_call", "searching")
    assert hosting.response["status"] == "incomplete"
    assert hosting.kinds() == ["created", "in_progress", *SEARCHED[:3], SEARCHED[4], "incomplete"]
    assert tool.log == []


def test_a_callers_functions_do_not_count_as_tool_calls() -> None:
    model = Replies(calls(("f", "{}"), ("f", "{}"), SEARCH))
    hosting = Hosting(model, [F, WEB_SEARCH], FakeSearch(1), body={"max_tool_calls": 1}).run()
    assert [item["status"] for item in hosting.response["output"]] == ["completed"] * 3


@pytest.mark.parametrize("choice", ["required", {"type": "web_search_preview"}], ids=str)
def test_a_forced_choice_holds_for_the_first_model_call_alone(choice: JSON) -> None:
    hosting = searching(calls(SEARCH), calls(SEARCH), says("Yes."), tool_choice=choice)
    first, *later = [request["tool_choice"] for request in hosting.model.requests]
    named = {"type": "function", "function": {"name": "web_search"}}
    assert first == ("required" if choice == "required" else named)
    assert later == ["auto", "auto"]


def test_without_a_choice_there_is_none_later() -> None:
    hosting = searching(calls(SEARCH), says("Yes."))
    assert ["tool_choice" in request for request in hosting.model.requests] == [False, False]


def test_a_tool_that_ends_the_response() -> None:
    tool = FakeSearch()
    tool.errors["one"] = UpstreamUnreachable("the search engine is gone")
    tool.gates["two"] = asyncio.Event()
    model = Replies(calls(SEARCH, SEARCH_2), says("never"))
    hosting = Hosting(model, [WEB_SEARCH], tool).run()
    assert hosting.kinds() == ["created", "in_progress", *SEARCHED, "error", "failed"]
    assert hosting.events[-2]["error"]["message"] == "the search engine is gone"
    assert hosting.loop.failure is tool.errors["one"]
    assert hosting.response["usage"]["output_tokens"] == 5
    assert tool.log == ["begin ws_0", "end ws_0", "begin ws_1", "cancelled ws_1"]
    hosting.check()


def test_a_backend_that_fails_in_a_later_round() -> None:
    model = Replies(calls(SEARCH), UpstreamRefused("overloaded", upstream_status=503))
    hosting = Hosting(model, [WEB_SEARCH], FakeSearch()).run()
    assert hosting.kinds()[-2:] == ["error", "failed"]
    assert hosting.output() == ["web_search_call"]


def test_leaving_stops_the_tools_and_keeps_what_is_there() -> None:
    tool = FakeSearch()
    model = Replies(calls(SEARCH, SEARCH_2, ("web_search", '{"query":"three"}')))

    async def left() -> list[JSONObject]:
        tool.gates = {"two": asyncio.Event(), "three": asyncio.Event()}
        loop = Hosting(model, [WEB_SEARCH], tool).loop
        events = loop.events()
        async for batch in events:
            if any(
                event["type"].endswith("searching") and event["item_id"] == "ws_1" for event in as_wire(batch)
            ):
                break
        await events.aclose()
        return as_wire([loop.cancel()])

    (response,) = asyncio.run(left())
    assert response["status"] == "cancelled"
    assert [(item["id"], item["status"]) for item in response["output"]] == [
        ("ws_0", "completed"),
        ("ws_1", "searching"),
    ]
    assert tool.log[-2:] == ["cancelled ws_1", "cancelled ws_2"]
    assert model.open == 0


def test_cancelling_the_task_stops_the_tools() -> None:
    tool = FakeSearch()

    async def cancelled() -> None:
        tool.gates["one"] = asyncio.Event()
        task = asyncio.create_task(collect(Hosting(Replies(calls(SEARCH)), [WEB_SEARCH], tool).loop))
        await tool.reached("begin ws_0")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert tool.log == ["begin ws_0", "cancelled ws_0"]


def test_a_shortened_context_keeps_what_the_response_itself_has_done() -> None:
    items: list[Item] = [Message(role="user", content=text) for text in ("old", "new")]
    model = Replies(calls(SEARCH), ContextLengthExceeded("too long"), says("Yes."))
    body: JSONObject = {"truncation": "auto"}
    hosting = Hosting(model, [WEB_SEARCH], FakeSearch(), body=body, items=items).run()
    assert hosting.output() == ["web_search_call", "message"]
    assert [message["role"] for message in hosting.told(1)] == ["user", "user", "assistant", "tool"]
    assert [message["role"] for message in hosting.told(2)] == ["user", "assistant", "tool"]


def test_an_empty_reply_after_a_call_is_an_empty_message() -> None:
    assert searching(calls(SEARCH), [STOP]).output() == ["web_search_call", "message"]
