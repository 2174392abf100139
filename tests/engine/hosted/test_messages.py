"""Hosted calls of a context, as messages for the model."""

from antiphon.engine.request.messages import translate_items, translate_reply
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatMessage
from antiphon.wire.content import OutputText, ReasoningText
from antiphon.wire.items import (
    FileSearchCall,
    FunctionCall,
    FunctionCallOutput,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpListTools,
    Message,
    Reasoning,
    WebSearchCall,
)
from antiphon.wire.json import JSONObject
from tests.support.immediate import at_once

LONG_ID = "mcp_" + "0123456789" * 5


def translated(*items: Item, **renamed: str) -> list[ChatMessage]:
    names = {("s", name): other for name, other in renamed.items()}
    return at_once(translate_items([*items], Capabilities(), names))


def roles(messages: list[ChatMessage]) -> list[str]:
    """Return the role of each message, and the names of the functions that it calls."""
    return [
        " ".join([message["role"], *(made["function"]["name"] for made in message.get("tool_calls", []))])
        for message in messages
    ]


def mcp(name: str, item_id: str = "mcp_1", status: str = "completed") -> McpCall:
    done = McpCall(id=item_id, status="completed", name=name, arguments="{}", server_label="s", output="42")
    if status == "in_progress":
        done.status, done.output = "in_progress", None
    return done


def search(item_id: str = "ws_1") -> WebSearchCall:
    action: JSONObject = {"type": "search", "query": "q", "queries": ["q"]}
    return WebSearchCall(id=item_id, status="completed", action=action, results=[])


def said(text: str) -> Message:
    return Message(role="assistant", content=[OutputText(text=text)])


def asked(text: str = "Hi") -> Message:
    return Message(role="user", content=text)


def test_a_call_follows_the_text_of_its_reply_and_the_answer_is_another_reply() -> None:
    messages = translated(asked(), said("I look."), search(), said("Found."))
    assert roles(messages) == ["user", "assistant web_search", "tool", "assistant"]
    assert [messages[1]["content"], messages[3]["content"]] == ["I look.", "Found."]


def test_calls_of_a_context_may_depend_on_each_other() -> None:
    messages = translated(asked(), mcp("one", "mcp_1"), mcp("two", "mcp_2"))
    assert roles(messages) == ["user", "assistant one", "tool", "assistant two", "tool"]


def test_a_hosted_call_joins_the_callers_call_before_it() -> None:
    own = FunctionCall(call_id="call_f", name="f", arguments="{}")
    messages = translated(asked(), own, mcp("one"), FunctionCallOutput(call_id="call_f", output="own"))
    assert roles(messages) == ["user", "assistant f one", "tool", "tool"]
    assert [message["content"] for message in messages[2:]] == ["own", "42"]


def test_the_callers_call_after_a_hosted_one_is_of_the_next_reply() -> None:
    own = FunctionCall(call_id="call_f", name="f", arguments="{}")
    messages = translated(asked(), mcp("one"), own, FunctionCallOutput(call_id="call_f", output="own"))
    assert roles(messages) == ["user", "assistant one", "tool", "assistant f", "tool"]


def test_ids_are_short_enough_for_every_backend() -> None:
    messages = translated(mcp("one", LONG_ID))
    call_id = messages[0]["tool_calls"][0]["id"]
    assert call_id == messages[1]["tool_call_id"]
    assert call_id.startswith("call_")
    assert len(call_id) <= 40


def test_functions_are_sent_under_their_current_names() -> None:
    assert roles(translated(mcp("look"), mcp("other"), look="s__look"))[::2] == [
        "assistant s__look",
        "assistant other",
    ]


def test_calls_of_which_nothing_is_known_are_silent() -> None:
    items: list[Item] = [
        McpListTools(id="mcpl_1", server_label="s", tools=[]),
        WebSearchCall(status="completed"),
        FileSearchCall(status="completed", queries=["q"], results=None),
        mcp("one", status="in_progress"),
        said("Found."),
    ]
    assert roles(translated(asked(), *items)) == ["user", "assistant"]


def approval(*, approve: bool, request_id: str = "mcpr_1") -> list[Item]:
    return [
        McpApprovalRequest(id="mcpr_1", arguments='{"x":1}', name="delete", server_label="s"),
        McpApprovalResponse(approval_request_id=request_id, approve=approve),
    ]


def test_an_approval_appears_as_the_call_that_it_led_to() -> None:
    call = mcp("delete")
    call.approval_request_id = "mcpr_1"
    assert roles(translated(asked(), *approval(approve=True), call)) == ["user", "assistant delete", "tool"]


def test_T12_a_denied_approval_is_a_call_whose_answer_says_so() -> None:
    messages = translated(asked(), *approval(approve=False), delete="s__delete")
    assert roles(messages) == ["user", "assistant s__delete", "tool"]
    assert messages[1]["tool_calls"][0]["function"]["arguments"] == '{"x":1}'
    assert messages[2]["content"] == "The user did not approve this tool call, and it was not made."


def test_an_answer_to_nothing_is_silent() -> None:
    assert roles(translated(asked(), *approval(approve=False, request_id="mcpr_2"))) == ["user"]


def test_what_one_reply_has_called_stays_together() -> None:
    items: list[Item] = [
        Reasoning(id="rs_1", summary=[], content=[ReasoningText("Hm.")]),
        said("I look."),
        mcp("one", "mcp_1"),
        mcp("two", "mcp_2"),
        mcp("three", "mcp_3", status="in_progress"),
    ]
    capabilities = Capabilities(reasoning_input="reasoning")
    messages = translate_reply(items, capabilities, {("s", "two"): "s__two"}, 2)
    assert roles(messages) == ["assistant one s__two three", "tool", "tool", "tool"]
    assert (messages[0]["content"], messages[0]["reasoning"]) == ("I look.", "Hm.")
    assert messages[3]["content"] == "Tool call skipped: maximum tool calls limit (2) reached."


def test_a_name_that_no_backend_accepts_is_replaced_even_if_the_tool_is_not_offered() -> None:
    (reply, _) = translated(mcp("repo.search"))
    assert reply["tool_calls"][0]["function"]["name"] == "repo_search"
