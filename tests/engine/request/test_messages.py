import pytest

from antiphon.engine.request.messages import translate_items
from antiphon.errors import InvalidRequest
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatMessage
from antiphon.wire.content import InputImage, InputText, OutputText, ReasoningText, Refusal, SummaryText
from antiphon.wire.items import (
    CustomToolCall,
    CustomToolCallOutput,
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
from tests.support.immediate import at_once

ALL = Capabilities()


def user(text: str) -> Message:
    return Message(role="user", content=text)


def assistant(text: str) -> Message:
    return Message(role="assistant", content=[OutputText(text=text)])


def call(call_id: str, name: str = "f", arguments: str = "{}") -> FunctionCall:
    return FunctionCall(call_id=call_id, name=name, arguments=arguments)


def output(call_id: str, text: str = "done") -> FunctionCallOutput:
    return FunctionCallOutput(call_id=call_id, output=text)


def thought(text: str) -> Reasoning:
    return Reasoning(summary=[], content=[ReasoningText(text)])


def tool_call(call_id: str, name: str = "f", arguments: str = "{}") -> object:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool(call_id: str, text: str = "done") -> object:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def translated(*items: Item, capabilities: Capabilities = ALL) -> list[ChatMessage]:
    return at_once(translate_items(list(items), capabilities))


def refusal_of(*items: Item) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        translated(*items)
    assert caught.value.param == "input"
    return caught.value


def test_all_roles() -> None:
    items: list[Item] = [
        Message(role="system", content="s"),
        Message(role="developer", content=[InputText("d")]),
        user("u"),
        assistant("a"),
    ]
    assert translated(*items) == [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": "d"},
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": "a"},
    ]


def test_developer_is_system_where_the_backend_does_not_know_it() -> None:
    messages = translated(
        Message(role="developer", content="d"), capabilities=Capabilities(developer_role=False)
    )
    assert messages == [{"role": "system", "content": "d"}]


def test_text_calls_and_reasoning_of_one_reply_are_one_message() -> None:
    capabilities = Capabilities(reasoning_input="reasoning_content")
    items: list[Item] = [
        user("u"),
        thought("hm"),
        assistant("I look."),
        call("a"),
        call("b"),
        output("b", "B"),
        output("a", "A"),
    ]
    assert translated(*items, capabilities=capabilities) == [
        {"role": "user", "content": "u"},
        {
            "role": "assistant",
            "content": "I look.",
            "reasoning_content": "hm",
            "tool_calls": [tool_call("a"), tool_call("b")],
        },
        tool("a", "A"),
        tool("b", "B"),
    ]


def test_what_follows_tool_outputs_is_a_new_reply() -> None:
    items: list[Item] = [call("a"), output("a"), call("b"), output("b"), assistant("Found.")]
    assert translated(*items) == [
        {"role": "assistant", "content": "", "tool_calls": [tool_call("a")]},
        tool("a"),
        {"role": "assistant", "content": "", "tool_calls": [tool_call("b")]},
        tool("b"),
        {"role": "assistant", "content": "Found."},
    ]


def test_a_call_is_followed_by_its_output_wherever_that_stands() -> None:
    messages = translated(call("a"), user("wait"), output("a"), assistant("ok"))
    assert [message["role"] for message in messages] == ["assistant", "tool", "user", "assistant"]


def test_reasoning_after_an_output_that_came_late_is_kept() -> None:
    capabilities = Capabilities(reasoning_input="reasoning")
    items: list[Item] = [
        call("a"),
        user("wait"),
        output("a"),
        thought("hm"),
        assistant("I look."),
        call("b"),
        output("b"),
    ]
    assert translated(*items, capabilities=capabilities)[3:] == [
        {"role": "assistant", "content": "I look.", "reasoning": "hm", "tool_calls": [tool_call("b")]},
        tool("b"),
    ]


def test_two_answers_in_a_row_stay_two_messages() -> None:
    assert len(translated(assistant("one"), assistant("two"))) == 2


def test_text_after_a_call_of_the_same_reply_joins_the_text_before_it() -> None:
    messages = translated(assistant("one"), call("a"), assistant("two"), output("a"))
    assert messages == [
        {"role": "assistant", "content": "one\ntwo", "tool_calls": [tool_call("a")]},
        tool("a"),
    ]


def test_a_call_id_that_is_used_again_in_a_later_turn() -> None:
    messages = translated(call("0"), output("0", "first"), user("again"), call("0"), output("0", "second"))
    assert [m["content"] for m in messages if m["role"] == "tool"] == ["first", "second"]


def test_reasoning_is_omitted_where_the_backend_does_not_accept_it() -> None:
    assert translated(thought("hm"), assistant("a")) == [{"role": "assistant", "content": "a"}]


def test_reasoning_alone_makes_no_message() -> None:
    capabilities = Capabilities(reasoning_input="reasoning")
    assert translated(thought("hm"), user("u"), capabilities=capabilities) == [
        {"role": "user", "content": "u"}
    ]


def test_reasoning_of_summaries() -> None:
    item = Reasoning(summary=[SummaryText("one"), SummaryText("two")])
    messages = translated(item, assistant("a"), capabilities=Capabilities(reasoning_input="reasoning"))
    assert messages == [{"role": "assistant", "content": "a", "reasoning": "one\ntwo"}]


def test_a_refusal_is_what_the_model_said() -> None:
    messages = translated(Message(role="assistant", content=[Refusal("I cannot.")]))
    assert messages == [{"role": "assistant", "content": "I cannot."}]


def test_namespaces_are_flattened() -> None:
    item = FunctionCall(call_id="a", namespace="crm", name="find", arguments="{}")
    assert translated(item, output("a"))[0]["tool_calls"] == [tool_call("a", "crm__find")]


def test_a_call_without_arguments_is_an_empty_object() -> None:
    assert translated(call("a", arguments=""), output("a"))[0]["tool_calls"] == [tool_call("a")]


def test_custom_tool_calls_of_a_history() -> None:
    call_item = CustomToolCall(call_id="a", name="f", input='say "hé"\n')
    output = CustomToolCallOutput(call_id="a", output="total 0")
    custom = {"name": "f", "input": 'say "hé"\n'}
    messages = translated(call_item, output)
    assert messages == [
        {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "custom", "custom": custom}]},
        tool("a", "total 0"),
    ]
    messages = translated(call_item, output, capabilities=Capabilities(custom_tools=False))
    assert messages[0]["tool_calls"] == [tool_call("a", arguments='{"input":"say \\"hé\\"\\n"}')]
    assert messages[1] == tool("a", "total 0")


def test_a_custom_call_of_a_namespace_has_the_backends_name() -> None:
    call_item = CustomToolCall(call_id="a", name="f", namespace="crm", input="x")
    output = CustomToolCallOutput(call_id="a", output="ok")
    (call,) = translated(call_item, output, capabilities=Capabilities(custom_tools=False))[0]["tool_calls"]
    assert call["function"]["name"] == "crm__f"


def test_images_in_outputs_are_shown_by_the_user() -> None:
    calls = [FunctionCall(call_id=name, name="f", arguments="{}") for name in ("a", "b")]
    image = InputImage(image_url="https://example.org/a.png")
    messages = translated(
        *calls,
        FunctionCallOutput(call_id="a", output=[image]),
        FunctionCallOutput(call_id="b", output=[InputText("text"), image]),
        assistant("I see."),
    )
    shown = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    assert messages[1:] == [
        tool("a", "[image]"),
        tool("b", "text"),
        {"role": "user", "content": [shown, shown]},
        {"role": "assistant", "content": "I see."},
    ]


def test_mcp_calls_of_a_history() -> None:
    ok = McpCall(id="mcp_1", name="f", arguments="{}", server_label="s", output="42")
    broken = McpCall(id="mcp_2", name="f", arguments="{}", server_label="s", error="no such page")
    assert translated(ok, broken) == [
        {"role": "assistant", "content": "", "tool_calls": [tool_call("call_1")]},
        tool("call_1", "42"),
        {"role": "assistant", "content": "", "tool_calls": [tool_call("call_2")]},
        tool("call_2", "no such page"),
    ]


def test_items_that_the_answer_behind_them_makes_superfluous() -> None:
    items: list[Item] = [
        WebSearchCall(status="completed"),
        FileSearchCall(status="completed", queries=["q"]),
        McpListTools(server_label="s", tools=[]),
        McpApprovalRequest(arguments="{}", name="f", server_label="s"),
        McpApprovalResponse(approval_request_id="mcpr_1", approve=True),
        assistant("a"),
    ]
    assert translated(*items) == [{"role": "assistant", "content": "a"}]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([output("a")], "No tool call found for function call output with call_id a."),
        ([output("a"), call("a")], "No tool call found for function call output with call_id a."),
        ([call("a"), output("a"), output("a")], "Duplicate tool output found for function call a."),
        ([user("u"), call("a")], "No tool output found for function call a."),
        ([call("a"), call("b"), output("a")], "No tool output found for function call b."),
    ],
    ids=["B34 orphan", "B34 output first", "B35 twice", "B36 missing", "B36 one of two missing"],
)
def test_B34_B35_B36_calls_and_outputs_that_do_not_fit(items: list[Item], message: str) -> None:
    error = refusal_of(*items)
    assert (error.message, error.code) == (message, None)


def test_a_call_that_was_cut_off_and_never_answered_is_omitted() -> None:
    cut = FunctionCall(call_id="a", name="f", arguments='{"x', status="incomplete")
    assert translated(assistant("I look."), cut, user("go on")) == [
        {"role": "assistant", "content": "I look."},
        {"role": "user", "content": "go on"},
    ]


def test_no_items_are_no_messages() -> None:
    assert translated() == []
