"""Choice of the tool for each type, and the tool of the documentation."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

from antiphon.engine.client import kinds
from antiphon.engine.request.functions import SUPPORTED_TOOLS
from antiphon.engine.request_context import RequestContext
from antiphon.settings.tools import WebSearchSettings
from antiphon.tools import table
from antiphon.tools.context import ToolContext, ToolServices
from antiphon.tools.registry import open_tools
from antiphon.tools.web_search.tool import WebSearch
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import (
    FunctionTool,
    Tool,
    WebSearch20250826Tool,
    WebSearchPreview20250311Tool,
    WebSearchPreviewTool,
    WebSearchTool,
)
from tests.support.upstream import chunk
from tests.tools.web_search.searching import run, unchanged
from tests.wire.engine import Run, ScriptedModel

DOCUMENTED = Path(__file__).resolve().parents[2] / "docs" / "tools.md"


def positions(*tools: Tool) -> list[int]:
    async def work(given: ToolServices) -> list[int]:
        context = ToolContext(services=given, request=RequestContext(), wrap=unchanged)
        return [tool.position for tool in open_tools(tools, context) if isinstance(tool, WebSearch)]

    return run(work, WebSearchSettings())


def test_tools_are_opened_in_the_order_of_the_request() -> None:
    aliases = (
        WebSearchTool(),
        WebSearch20250826Tool(),
        WebSearchPreviewTool(),
        WebSearchPreview20250311Tool(),
    )
    assert positions(FunctionTool(name="f"), *aliases) == [1, 2, 3, 4]


def test_messages_about_unsupported_tools_name_the_tools_that_run() -> None:
    tools = {*table._factories, *kinds._by_tool}
    hosted = {str(tool_type.__struct_config__.tag) for tool_type in tools}
    own = {"function", "custom", "namespace"}
    named = set(re.findall(r"'(\w+)'", SUPPORTED_TOOLS))
    assert named - own == {name for name in hosted if not name.startswith("web_search_")}
    assert own <= named


def test_unregistered_and_disabled_tools_are_omitted() -> None:
    assert positions(FunctionTool(name="f"), WebSearchTool(external_web_access=False)) == []


@pytest.fixture
def documented_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Import the program of the documentation as a module, and return its text."""
    program: str
    [program] = re.findall(r"^```python\n(.*?)^```$", DOCUMENTED.read_text(), re.DOTALL | re.MULTILINE)
    monkeypatch.setattr(table, "_factories", dict(table._factories))
    path = tmp_path / "calculator.py"
    path.write_text(program)
    spec = importlib.util.spec_from_file_location("calculator", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "calculator", module)
    spec.loader.exec_module(module)
    return program


def called(code: str | None) -> list[bytes]:
    """Return a model's reply that calls the code interpreter."""
    function = {"name": "code_interpreter", "arguments": json.dumps({"code": code})}
    calls = [{"index": 0, "id": "call_1", "type": "function", "function": function}]
    return encoded(chunk(tool_calls=calls), chunk(finish="tool_calls"))


def encoded(*chunks: JSONObject) -> list[bytes]:
    return [json.dumps(each).encode() for each in chunks]


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("6 * 7", "completed", "42"),
        ("six", "failed", "Not a calculation."),
        (None, "failed", "Not a calculation."),
    ],
)
def test_the_tool_of_the_documentation_runs(
    documented_tool: str, code: str | None, status: str, told: str
) -> None:
    assert len(re.findall(r"^.+$", documented_tool, re.MULTILINE)) <= 40
    model = ScriptedModel(called(code), encoded(chunk("Done."), chunk(finish="stop")))
    body: JSON = {
        "model": "m",
        "input": "What is 6 times 7?",
        "tools": [{"type": "code_interpreter", "container": {"type": "auto"}}],
        "include": ["code_interpreter_call.outputs"],
    }

    async def work(given: ToolServices) -> Run:
        response = Run(
            body,
            model,
            lambda tools, call: open_tools(tools, ToolContext(services=given, request=call, wrap=unchanged)),
        )
        await response.play()
        return response

    played = run(work, WebSearchSettings())
    item, message = played.events[-1]["response"]["output"]
    assert (item["type"], item["status"]) == ("code_interpreter_call", status)
    assert item["outputs"] == [{"type": "logs", "logs": told}]
    assert message["content"][0]["text"] == "Done."
