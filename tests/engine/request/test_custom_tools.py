import pytest

from antiphon.engine.request.custom_tools import (
    as_function,
    call_as_function,
    described,
    grammar_of,
    native_call,
    native_tool,
    structured_outputs,
)
from antiphon.wire.json import JSONObject
from antiphon.wire.tools import CustomGrammarFormat, CustomTextFormat, CustomTool

REGEX = CustomGrammarFormat(syntax="regex", definition="[0-9]+")
LARK = CustomGrammarFormat(syntax="lark", definition='start: "a"')


def tool(**changes: object) -> CustomTool:
    fields: dict[str, object] = {"name": "c", "description": "Counts."}
    return CustomTool(**(fields | changes))  # type: ignore[arg-type]


def test_a_tool_for_backends_that_know_custom_tools() -> None:
    grammar: JSONObject = {"syntax": "regex", "definition": "[0-9]+"}
    custom = {"name": "n__c", "description": "Counts.", "format": {"type": "grammar", "grammar": grammar}}
    assert native_tool(tool(format=REGEX), "n__c") == {"type": "custom", "custom": custom}


@pytest.mark.parametrize("text_format", [None, CustomTextFormat()])
def test_plain_text_is_the_default(text_format: CustomTextFormat | None) -> None:
    native = native_tool(tool(description=None, format=text_format), "c")
    assert native == {"type": "custom", "custom": {"name": "c"}}
    assert grammar_of(tool(format=text_format), "tools[0]") is None
    assert described(tool(format=text_format)) == "Counts."


def test_a_tool_as_a_function() -> None:
    function = as_function(tool(), "c")["function"]
    assert function["description"] == "Counts."
    assert function["parameters"] == {
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
        "additionalProperties": False,
    }
    assert "description" not in as_function(tool(description=None), "c")["function"]


def test_a_function_describes_the_grammar() -> None:
    described_as = "Counts.\n\nThe input must match this regular expression:\n[0-9]+"
    assert as_function(tool(format=REGEX), "c")["function"]["description"] == described_as
    assert described(tool(description="", format=LARK)) == (
        'The input must match this Lark grammar:\nstart: "a"'
    )


def test_the_request_to_vllm() -> None:
    assert structured_outputs(REGEX) == {"regex": "[0-9]+"}
    assert structured_outputs(LARK) == {"grammar": 'start: "a"'}


def test_earlier_calls() -> None:
    assert native_call("call_1", "c", "a\n") == {
        "id": "call_1",
        "type": "custom",
        "custom": {"name": "c", "input": "a\n"},
    }
    function = {"name": "c", "arguments": '{"input":"a\\n"}'}
    assert call_as_function("call_1", "c", "a\n") == {
        "id": "call_1",
        "type": "function",
        "function": function,
    }
