"""Results of MCP servers, as items and functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import UpstreamRefused, UpstreamTimeout
from antiphon.tools.mcp.results import entries, failed, functions, outcome
from antiphon.wire.json import JSON, JSONObject

OBJECT: JSONObject = {"type": "object", "properties": {"x": {"title": "X"}}, "$defs": {"kept": True}}


def test_tools_are_listed_as_the_api_lists_them() -> None:
    tools: list[JSONObject] = [
        {"name": "a", "description": "\n  A\n", "inputSchema": OBJECT, "annotations": {"readOnlyHint": True}},
        {"name": "b", "inputSchema": {}, "annotations": {"readOnlyHint": "yes"}},
    ]
    assert entries(tools) == (
        [
            {
                "annotations": {"read_only": True},
                "description": "\n  A\n",
                "input_schema": OBJECT,
                "name": "a",
            },
            {"annotations": {"read_only": False}, "description": None, "input_schema": {}, "name": "b"},
        ],
        [],
    )


def test_functions_have_the_schema_verbatim_and_no_empty_description() -> None:
    listed, _ = entries(
        [
            {"name": "a", "description": "A", "inputSchema": OBJECT},
            {"name": "b", "description": "", "inputSchema": {}},
        ]
    )
    assert functions(listed) == [
        {"type": "function", "function": {"name": "a", "description": "A", "parameters": OBJECT}},
        {"type": "function", "function": {"name": "b", "parameters": {}}},
    ]


@pytest.mark.parametrize(
    "schema",
    [None, [], "object", {"type": "array"}, {"properties": ["x"]}, {"properties": {"x": 1}}, {"required": 1}],
)
def test_T7_a_tool_whose_schema_is_not_an_object_is_omitted_and_named(schema: JSON) -> None:
    good = {"name": "good", "inputSchema": {"type": "object"}}
    listed, left_out = entries([{"name": "bad", "inputSchema": schema}, good])
    assert [entry["name"] for entry in listed] == ["good"]
    assert left_out == ["bad"]


def text(value: str) -> JSONObject:
    return {"type": "text", "text": value}


@pytest.mark.parametrize(
    ("result", "output"),
    [
        ({"content": [text("one"), text("two")]}, "one\ntwo"),
        ({"content": []}, ""),
        ({}, ""),
        ({"content": [], "structuredContent": {"count": 3}}, '{"count":3}'),
        ({"content": [text("three")], "structuredContent": {"count": 3}}, "three"),
        ({"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]}, "[image: image/png]"),
        ({"content": [{"type": "resource_link", "uri": "https://a.example/"}]}, "https://a.example/"),
        ({"content": [{"type": "resource", "resource": {"text": "words"}}]}, "words"),
        (
            {"content": [{"type": "resource", "resource": {"blob": "AA", "mimeType": "a/b"}}]},
            "[resource: a/b]",
        ),
        ({"content": [{"type": "new"}]}, "[new]"),
    ],
)
def test_content_becomes_text(result: JSONObject, output: str) -> None:
    assert outcome(result, 1000) == (output, None)


def test_T8_an_error_result_keeps_its_content() -> None:
    assert outcome({"content": [text("no such file")], "isError": True}, 1000) == (
        None,
        {"type": "mcp_tool_execution_error", "content": [text("no such file")]},
    )


def test_an_error_of_the_protocol_keeps_code_and_message() -> None:
    assert outcome({"error": {"code": -32602, "message": "Unknown tool"}}, 1000) == (
        None,
        {"type": "mcp_protocol_error", "code": -32602, "message": "Unknown tool"},
    )


def test_a_call_that_is_not_answered_tells_how() -> None:
    assert failed(UpstreamRefused("away", upstream_status=503)) == {
        "type": "http_error",
        "code": 503,
        "message": "away",
    }
    assert failed(UpstreamTimeout("late")) == {
        "type": "mcp_protocol_error",
        "code": -32000,
        "message": "late",
    }


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_the_beginning_is_kept_and_a_cut_is_marked(value: str, limit: int) -> None:
    output, _ = outcome({"content": [text(value)]}, limit)
    assert output is not None
    size = len(value.encode())
    if size <= limit:
        assert output == value
    else:
        kept, _, note = output.rpartition("\n")
        assert value.startswith(kept)
        assert limit - 3 <= len(kept.encode()) <= limit
        assert note == f"[cut: {limit} of {size} bytes]"
