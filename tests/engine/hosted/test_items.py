import msgspec
import pytest
from msgspec import UNSET

from antiphon.engine.hosted.items import ForModel, client_forms, denied, error_results, for_client, for_model
from antiphon.wire.content import ComputerScreenshot
from antiphon.wire.items import (
    CodeInterpreterCall,
    ComputerCallOutput,
    FileSearchCall,
    FunctionCall,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    WebSearchCall,
)
from antiphon.wire.json import JSON, JSONObject

SEARCH: JSONObject = {"type": "search", "query": "q", "queries": ["q"]}
SOURCES: JSONObject = {**SEARCH, "sources": [{"type": "url", "url": "https://a.example/"}]}
RESULTS: list[JSON] = [{"url": "https://a.example/", "content": "ä"}]
WEB = WebSearchCall(id="ws_1", status="completed", action=SOURCES, results=RESULTS)
FILES = FileSearchCall(id="fs_1", status="completed", queries=["q"], results=[{"file_id": "file-1"}])
CODE = CodeInterpreterCall(
    id="ci_1", status="completed", code="1+1", container_id="cntr_1", outputs=[{"type": "logs", "logs": "2"}]
)
MCP = McpCall(
    id="mcp_1", status="completed", name="look", arguments='{"at":1}', server_label="s", output="42"
)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            WEB,
            ForModel(
                "web_search",
                "web_search",
                '{"query": "q"}',
                '{"query": "q", "top_k": [{"url": "https://a.example/", "content": "\\u00e4"}]}',
            ),
        ),
        (
            WebSearchCall(status="completed", action={"type": "search", "queries": ["a", "b"]}, results=[]),
            ForModel("web_search", "web_search", '{"query": "a\\nb"}', '{"query": "a\\nb", "top_k": []}'),
        ),
        (
            WebSearchCall(status="completed", action={"type": "open_page", "url": "u"}, results=[{"x": 1}]),
            ForModel("open_page", "open_page", '{"url": "u"}', '{"url": "u", "results": [{"x": 1}]}'),
        ),
        (
            WebSearchCall(
                status="completed", action={"type": "find_in_page", "url": "u", "pattern": "p"}, results=[]
            ),
            ForModel(
                "find_in_page",
                "find_in_page",
                '{"url": "u", "pattern": "p"}',
                '{"url": "u", "pattern": "p", "results": []}',
            ),
        ),
        (
            WebSearchCall(status="failed", action=SEARCH, results=[*error_results("no answer")]),
            ForModel("web_search", "web_search", '{"query": "q"}', "no answer"),
        ),
        (MCP, ForModel("s", "look", '{"at":1}', "42")),
        (CODE, ForModel("code_interpreter", "code_interpreter", '{"code": "1+1"}', "2")),
    ],
    ids=["search", "several queries", "open_page", "find_in_page", "failed", "mcp", "code"],
)
def test_the_result_for_the_model(item: Item, expected: ForModel) -> None:
    assert for_model(item) == expected


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("broken", "broken"),
        ({"type": "http_error", "code": 500, "message": "broken"}, "broken"),
        ({"type": "mcp_protocol_error", "code": -32602, "message": "broken"}, "broken"),
        (
            {
                "type": "mcp_tool_execution_error",
                "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
            },
            "one\ntwo",
        ),
        ({"type": "mcp_tool_execution_error", "content": "broken"}, "broken"),
        ({"type": "http_error"}, "The tool call failed."),
        (None, "The tool gave no output."),
    ],
)
def test_the_error_of_an_mcp_call(error: JSON, text: str) -> None:
    call = for_model(msgspec.structs.replace(MCP, status="failed", output=None, error=error))
    assert call is not None
    assert call.output == text


@pytest.mark.parametrize("results", [UNSET, None])
def test_a_search_without_results_is_omitted(results: None) -> None:
    assert for_model(msgspec.structs.replace(WEB, results=results)) is None
    assert for_model(msgspec.structs.replace(FILES, results=results)) is None


@pytest.mark.parametrize("outputs", [UNSET, None])
def test_code_without_outputs_has_a_text_for_them(outputs: None) -> None:
    call = for_model(msgspec.structs.replace(CODE, outputs=outputs))
    assert call is not None
    assert (call.arguments, call.output) == ('{"code": "1+1"}', "[The output is not available.]")


@pytest.mark.parametrize("item", [WEB, FILES, CODE, MCP], ids=["web", "files", "code", "mcp"])
def test_a_call_that_never_ended_is_skipped_or_omitted(item: Item) -> None:
    skipped = msgspec.structs.replace(item, status="in_progress")
    assert for_model(skipped) is None
    call = for_model(skipped, 3)
    assert call is not None
    assert call.output == "Tool call skipped: maximum tool calls limit (3) reached."


def test_an_empty_file_search() -> None:
    call = for_model(msgspec.structs.replace(FILES, results=[]))
    assert call is not None
    assert not isinstance(call.output, str)
    assert [part["text"] for part in call.output] == [
        "file_search tool found 0 chunks:\nBEGIN of file_search tool results.\n",
        "END of file_search tool results.\n",
        'The above results were retrieved to help answer the user\'s query: "q". Use them as supporting '
        "information only in answering this query. \n",
    ]


@pytest.mark.parametrize(
    ("reason", "end"), [("too early", " Reason: too early"), (None, ""), (UNSET, "")], ids=str
)
def test_a_call_that_was_not_approved(reason: str | None, end: str) -> None:
    request = McpApprovalRequest(id="mcpr_1", arguments="{}", name="look", server_label="s")
    response = McpApprovalResponse(approval_request_id="mcpr_1", approve=False, reason=reason)
    text = f"The user did not approve this tool call, and it was not made.{end}"
    assert denied(request, response) == ForModel("s", "look", "{}", text)


@pytest.mark.parametrize(
    ("item", "include", "expected"),
    [
        (WEB, [], {"action": SEARCH, "results": UNSET}),
        (WEB, ["web_search_call.results"], {"action": SEARCH}),
        (WEB, ["web_search_call.action.sources"], {"results": UNSET}),
        (WEB, ["web_search_call.results", "web_search_call.action.sources"], {}),
        (FILES, [], {"results": None}),
        (FILES, ["file_search_call.results"], {}),
        (CODE, [], {"outputs": None}),
        (CODE, ["code_interpreter_call.outputs"], {}),
        (MCP, [], {}),
        (FunctionCall(arguments="{}", call_id="c", name="f"), [], {}),
    ],
)
def test_what_the_caller_sees(item: Item, include: list[str], expected: dict[str, object]) -> None:
    assert for_client(item, include) == msgspec.structs.replace(item, **expected)


def test_the_error_of_a_search_is_for_the_model_alone() -> None:
    web = msgspec.structs.replace(WEB, results=[*error_results("secret host is down")])
    files = msgspec.structs.replace(FILES, results=error_results("secret host is down"))
    include = ["web_search_call.results", "file_search_call.results"]
    assert b"secret" not in msgspec.json.encode([for_client(web, include), for_client(files, include)])


def test_the_forms_that_a_caller_may_have_seen() -> None:
    assert len(list(client_forms(WEB))) == 4
    assert next(client_forms(WEB)) == WEB
    assert list(client_forms(FILES)) == [FILES, msgspec.structs.replace(FILES, results=None)]
    assert list(client_forms(MCP)) == [MCP]


def test_the_url_of_a_screenshot_is_shown_only_if_it_is_included() -> None:
    shown = ComputerCallOutput(
        id="cuo_1", call_id="c", output=ComputerScreenshot(image_url="data:image/png;base64,AA==")
    )
    hidden = ComputerCallOutput(id="cuo_1", call_id="c", output=ComputerScreenshot())
    assert for_client(shown, ["computer_call_output.output.image_url"]) == shown
    assert for_client(shown, ["message.input_image.image_url"]) == hidden
    assert [*client_forms(shown)] == [shown, hidden]
    uploaded = ComputerCallOutput(id="cuo_2", call_id="c", output=ComputerScreenshot(file_id="file-1"))
    assert for_client(uploaded, []) == uploaded
